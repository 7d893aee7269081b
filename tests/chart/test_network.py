"""Ways to the pods and out of them: Service, Ingress, HTTPRoute and NetworkPolicy."""

from typing import Any

import pytest
from tests.chart.rendering import HELMS, HelmMajor, Object, Rendered, render

DNS = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
PEER = {"namespaceSelector": {"matchLabels": {"team": "vision"}}}
RULE = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 443, "protocol": "TCP"}]}


def policy(rendered: Rendered, name: str = "mnist") -> Object:
    return dict(rendered.one("NetworkPolicy", name)["spec"])


def selected(rendered: Rendered, name: str = "mnist") -> set[str]:
    """Return the components whose pods a policy selects."""
    labels = policy(rendered, name)["podSelector"]["matchLabels"]
    pods = (thing["spec"]["template"]["metadata"]["labels"] for thing in workloads(rendered))
    return {pod["app.kubernetes.io/component"] for pod in pods if labels.items() <= pod.items()}


def workloads(rendered: Rendered) -> list[Object]:
    return [thing for thing in rendered.objects if thing["kind"] in ("Deployment", "Job")]


@pytest.mark.parametrize("helm", HELMS)
def test_by_default_pods_reach_nothing_but_dns(helm: HelmMajor) -> None:
    spec = policy(render(helm=helm))
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["egress"] == [DNS]


def test_by_default_everybody_scores_and_the_cluster_alone_reads_metrics() -> None:
    assert policy(render())["ingress"] == [
        {"ports": [{"port": 5001, "protocol": "TCP"}]},
        {"ports": [{"port": 9090, "protocol": "TCP"}], "from": [{"namespaceSelector": {}}]},
    ]


def test_the_ways_in_are_those_of_the_values() -> None:
    scoring, management = policy(render({"networkPolicy": {"ingressFrom": [PEER], "managementFrom": []}}))[
        "ingress"
    ]
    assert scoring["from"] == [PEER]
    assert "from" not in management


def test_the_ways_out_of_the_values_are_added_to_dns() -> None:
    assert policy(render({"networkPolicy": {"egress": [RULE]}}))["egress"] == [DNS, RULE]


def test_the_policy_leaves_the_keys_job_its_way_to_the_api_server() -> None:
    rendered = render()
    assert {"scoring", "keys"} <= {
        thing["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]
        for thing in workloads(rendered)
    }
    assert selected(rendered) == {"scoring"}


def test_the_keys_job_has_a_policy_where_its_ways_are_given() -> None:
    rendered = render({"networkPolicy": {"jobEgress": [RULE]}})
    assert selected(rendered, "mnist-keys") == {"keys"}
    spec = policy(rendered, "mnist-keys")
    assert spec["egress"] == [DNS, RULE]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in spec


@pytest.mark.parametrize(
    "without", [{"networkPolicy": {"enabled": False}}, {"keys": {"existingSecret": "x"}}]
)
def test_a_job_or_policy_that_is_not_there_gets_no_policy(without: dict[str, Any]) -> None:
    policies = {name for kind, name in render(without).names if kind == "NetworkPolicy"}
    assert policies == (set() if "networkPolicy" in without else {"mnist"})
