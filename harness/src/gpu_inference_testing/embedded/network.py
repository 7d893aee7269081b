"""Chooses a cluster's addresses and sets up the link between host and node.

A cluster has one block of IPv4 addresses: the first quarter is for pods, the second for Services, and the
last four addresses are for the link. The host gets routes to the block, but no forwarding and no NAT: pods
can reach each other, Services and this host, and nothing else.
"""

import json
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from pathlib import Path
from typing import Any

from gpu_inference.errors import GpuInferenceError
from gpu_inference.process import run
from gpu_inference_testing.embedded.layout import SYSTEM_PATH

# The first free block is used. 10.96/16 and 10.244/16 are not candidates, even if this host has no route to
# them: in a CI job inside Kubernetes they are reached through the default route.
_CANDIDATES = [
    *(IPv4Network(f"10.{second}.0.0/16") for second in range(201, 240)),
    *(IPv4Network(f"172.{second}.0.0/16") for second in range(28, 32)),
    *(IPv4Network(f"192.168.{third}.0/20") for third in range(96, 192, 16)),
]
_SMALLEST_PREFIX = 22  # 256 addresses for pods: the kubelet's 100 pods and terminating ones.
# VPNs split the default route into halves; such a route does not mean that its addresses are in use.
_LONGEST_DEFAULT_PREFIX = 3
# Any other route to the block takes precedence over the "unreachable" route.
_LAST_METRIC = 4278198272
_ENVIRONMENT = {"PATH": SYSTEM_PATH}


@dataclass(frozen=True)
class Network:
    """The addresses of a cluster, all derived from its block."""

    block: IPv4Network

    @property
    def pods(self) -> IPv4Network:
        """Addresses of pods."""
        return next(self.block.subnets(prefixlen_diff=2))

    @property
    def services(self) -> IPv4Network:
        """Addresses of Services."""
        return list(self.block.subnets(prefixlen_diff=2))[1]

    @property
    def api_service(self) -> IPv4Address:
        """Address of the Service `kubernetes`, by convention the first one."""
        return self.services[1]

    @property
    def link(self) -> IPv4Network:
        """The subnet of the link between host and node (four addresses)."""
        return IPv4Network((self.block[-4], 30))

    @property
    def host(self) -> IPv4Address:
        """Address of the host's end of the link."""
        return self.link[1]

    @property
    def node(self) -> IPv4Address:
        """Address of the node's end of the link, on which the API server and DNS listen."""
        return self.link[2]


def addresses_in_use() -> list[IPv4Network]:
    """Return the networks that this host has a route to or an address in, and its DNS servers."""
    routes = _ip("route", "show", "table", "all")
    addresses = [address for link in _ip("address", "show") for address in link.get("addr_info", [])]
    return [
        *(IPv4Network(route["dst"]) for route in routes if route["dst"] != "default"),
        *(IPv4Network((a["local"], a["prefixlen"]), strict=False) for a in addresses),
        *name_servers(Path("/etc/resolv.conf")),
    ]


def name_servers(resolv_conf: Path) -> list[IPv4Network]:
    """Return this host's DNS servers; in a CI job they may be behind the default route."""
    if not resolv_conf.is_file():
        return []
    found = []
    for line in resolv_conf.read_text(errors="replace").splitlines():
        match line.split():
            case ["nameserver", address, *_] if ":" not in address:
                found.append(IPv4Network(address))
    return found


def choose(used: list[IPv4Network]) -> Network:
    """Return a network whose block overlaps no network in use.

    Raises:
        GpuInferenceError: every candidate overlaps one.
    """
    for candidate in _CANDIDATES:
        if _overlapping(candidate, used) is None:
            return Network(candidate)
    raise GpuInferenceError(
        "None of the address ranges that the embedded cluster tries is free on this host.",
        "Choose a free one, e.g. --address-range 10.77.0.0/16.",
    )


def from_option(text: str, used: list[IPv4Network]) -> Network:
    """Return the network of a block that the user chose.

    Raises:
        GpuInferenceError: it is not a block of IPv4 addresses, too small, or overlaps a network in use.
    """
    cure = "Choose a free block of IPv4 addresses, e.g. --address-range 10.77.0.0/16, or omit the option."
    try:
        block = IPv4Network(text)
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise GpuInferenceError(f"The address range {text!r} is not valid: {error}.", cure) from error
    if block.prefixlen > _SMALLEST_PREFIX:
        raise GpuInferenceError(
            f"The address range {text} is too small: a cluster needs at least a /{_SMALLEST_PREFIX}.", cure
        )
    if (taken := _overlapping(block, used)) is not None:
        raise GpuInferenceError(f"The address range {block} overlaps {taken}, which this host uses.", cure)
    return Network(block)


def _overlapping(block: IPv4Network, used: list[IPv4Network]) -> IPv4Network | None:
    for taken in used:
        if taken.prefixlen > _LONGEST_DEFAULT_PREFIX and taken.overlaps(block):
            return taken
    return None


def link_exists(name: str) -> bool:
    """Return whether this host has a network interface of that name."""
    return Path("/sys/class/net", name).exists()


def connect(network: Network, name: str, namespace_of: int) -> None:
    """Create the link and the host's routes.

    The last route makes connections fail at once after the node has ended. Without it, packets would leave
    through the default route and clients would wait for minutes.

    Args:
        network: the cluster's addresses.
        name: name of the host's end of the link; the node's end is `eth0`.
        namespace_of: process id of a process in the node's network namespace.
    """
    _ip_batch(
        f"link add {name} type veth peer name eth0 netns {namespace_of}",
        f"address add {network.host}/{network.link.prefixlen} dev {name}",
        f"link set {name} up",
        f"route add {network.pods} via {network.node}",
        f"route add {network.services} via {network.node}",
        f"route add unreachable {network.block} metric {_LAST_METRIC}",
    )


def disconnect(network: Network, name: str) -> None:
    """Remove what `connect` created and still exists."""
    try:
        if link_exists(name):
            _ip_batch(f"link delete {name}")
    except GpuInferenceError:
        if link_exists(name):  # Otherwise the kernel has removed it together with the node's namespace.
            raise
    if any(route["dst"] == str(network.block) for route in _ip("route", "show", "type", "unreachable")):
        _ip_batch(f"route delete unreachable {network.block} metric {_LAST_METRIC}")


def _ip(*query: str) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = json.loads(run(["ip", "-json", "-4", *query], env=_ENVIRONMENT) or "[]")
    return result


def _ip_batch(*commands: str) -> None:
    run(["ip", "-batch", "-"], env=_ENVIRONMENT, stdin="\n".join(commands) + "\n")
