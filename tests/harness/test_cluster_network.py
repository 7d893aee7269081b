"""The embedded cluster's addresses are free ones, whether it chooses them or the user."""

import contextlib
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from gpu_inference.errors import GpuInferenceError
from gpu_inference_testing.embedded import network


def test_ranges_for_pods_services_and_link_are_disjoint_parts_of_the_block() -> None:
    for prefix in (16, 20, 22):
        chosen = network.Network(IPv4Network(f"10.77.0.0/{prefix}"))
        parts = [chosen.pods, chosen.services, chosen.link]
        assert all(part.subnet_of(chosen.block) for part in parts)
        assert not any(one.overlaps(other) for one in parts for other in parts if one is not other)
        assert {chosen.host, chosen.node} == set(chosen.link.hosts())
        assert chosen.api_service in chosen.services


def test_first_block_is_taken_when_nothing_is_in_use() -> None:
    assert network.choose([]).block == IPv4Network("10.201.0.0/16")


def test_block_that_a_route_or_an_address_overlaps_is_passed_over() -> None:
    used = [IPv4Network("10.201.3.4/32"), IPv4Network("10.202.0.0/15")]
    assert network.choose(used).block == IPv4Network("10.204.0.0/16")


def test_company_network_that_covers_all_of_ten_moves_the_cluster_elsewhere() -> None:
    assert network.choose([IPv4Network("10.0.0.0/8")]).block == IPv4Network("172.28.0.0/16")


def test_default_route_written_as_two_halves_takes_no_addresses() -> None:
    halves = [IPv4Network("0.0.0.0/1"), IPv4Network("128.0.0.0/1")]
    assert network.choose(halves).block == IPv4Network("10.201.0.0/16")


def test_ranges_of_a_surrounding_kubernetes_are_never_chosen() -> None:
    surrounding = [IPv4Network("10.96.0.0/16"), IPv4Network("10.244.0.0/16")]
    assert not any(block.overlaps(other) for block in every_choice() for other in surrounding)


def test_host_without_a_free_block_is_told_to_name_one() -> None:
    with pytest.raises(GpuInferenceError, match="--address-range"):
        network.choose(every_choice())


def every_choice() -> list[IPv4Network]:
    chosen: list[IPv4Network] = []
    with contextlib.suppress(GpuInferenceError):
        while True:
            chosen.append(network.choose(chosen).block)
    return chosen


def test_named_range_that_is_taken_is_refused_with_what_takes_it() -> None:
    with pytest.raises(
        GpuInferenceError, match=r"10\.77\.0\.0/16 overlaps 10\.77\.8\.0/24, which this host uses"
    ):
        network.from_option("10.77.0.0/16", [IPv4Network("10.77.8.0/24")])


@pytest.mark.parametrize("text", ["10.77.0.0/33", "10.77.1.1/16", "fd00::/64", "sixteen"])
def test_named_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(GpuInferenceError, match=r"is not valid: .*\n  Choose a free block"):
        network.from_option(text, [])


def test_named_range_that_is_too_small_is_refused() -> None:
    with pytest.raises(GpuInferenceError, match="at least a /22"):
        network.from_option("10.77.0.0/24", [])


def test_name_servers_behind_the_default_route_count_as_in_use(tmp_path: Path) -> None:
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text(
        "# by the kubelet\nsearch svc\nnameserver 10.96.0.10\nnameserver fd00::10\noptions ndots:5\n"
    )
    assert network.name_servers(resolv_conf) == [IPv4Network("10.96.0.10/32")]
    assert network.name_servers(tmp_path / "missing") == []


def test_this_hosts_own_addresses_count_as_in_use() -> None:
    assert any(used.overlaps(IPv4Network("127.0.0.1/32")) for used in network.addresses_in_use())
