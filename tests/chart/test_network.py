"""Ways to the pods and out of them: Service, Ingress, HTTPRoute and NetworkPolicy."""

from typing import Any

import pytest
from tests.chart.rendering import Object, RefusedError, Rendered, notes, render

DNS = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
CLOSED = {"allowExternalEgress": False}
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


def test_by_default_pods_reach_everything() -> None:
    spec = policy(render())
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["egress"] == [{}]
    assert "allowExternalEgress" not in notes()


def test_without_external_egress_pods_reach_nothing_but_dns() -> None:
    assert policy(render({"networkPolicy": CLOSED}))["egress"] == [DNS]


def test_the_notes_say_what_closed_egress_means_for_a_script() -> None:
    said = notes({"networkPolicy": CLOSED})
    assert "networkPolicy.allowExternalEgress is false: a run() that connects to something else" in said
    assert "Add a rule to networkPolicy.egress for each." in said
    for heard in ({**CLOSED, "egress": [RULE]}, {**CLOSED, "enabled": False}):
        assert "allowExternalEgress" not in notes({"networkPolicy": heard})


def test_by_default_the_cluster_alone_reads_metrics() -> None:
    assert policy(render())["ingress"] == [
        {"ports": [{"port": 5001, "protocol": "TCP"}]},
        {"ports": [{"port": 9090, "protocol": "TCP"}], "from": [{"namespaceSelector": {}}]},
    ]


def test_the_ways_in_are_those_of_the_values() -> None:
    scoring, management = policy(render({"networkPolicy": {"ingressFrom": [PEER], "managementFrom": []}}))[
        "ingress"
    ]
    test_pod = render().one("Pod")["metadata"]["labels"]
    given, release = scoring["from"]
    assert given == PEER
    assert release["podSelector"]["matchLabels"].items() <= test_pod.items()
    assert "from" not in management


def test_the_ways_out_of_the_values_are_added_to_dns() -> None:
    assert policy(render({"networkPolicy": {**CLOSED, "egress": [RULE]}}))["egress"] == [DNS, RULE]


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


def test_a_service_by_default_leaves_the_rest_to_the_cluster() -> None:
    # Also its IP families, so that it works on clusters of either and of both.
    assert render().one("Service")["spec"].keys() == {"type", "selector", "ports"}


def test_the_services_values_are_rendered() -> None:
    given = {
        "type": "LoadBalancer",
        "loadBalancerClass": "example.com/internal",
        "loadBalancerSourceRanges": ["10.0.0.0/8"],
        "externalTrafficPolicy": "Local",
        "ipFamilyPolicy": "RequireDualStack",
        "ipFamilies": ["IPv6", "IPv4"],
    }
    spec = render({"service": given | {"port": 8080, "nodePort": 30080}}).one("Service")["spec"]
    assert {name: spec[name] for name in given} == given
    assert spec["ports"] == [{"name": "http", "port": 8080, "targetPort": "http", "nodePort": 30080}]


def test_whatever_names_the_services_port_follows_it() -> None:
    values = {
        "service": {"port": 8080},
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]},
        "ingress": {"enabled": True},
    }
    rendered = render(values)
    (rule,) = rendered.one("HTTPRoute")["spec"]["rules"]
    assert rule["backendRefs"] == [{"name": "mnist", "port": 8080}]
    uri = "http://mnist.default:8080/api/v1/service/mnist/score"
    assert uri in str(rendered.one("Pod")["spec"])
    text = notes(values)
    assert uri in text
    assert "port-forward service/mnist 8080:8080" in text


def backends(node: Any) -> list[Any]:
    """Return whatever ports an Ingress leads to."""
    if isinstance(node, list):
        return [port for item in node for port in backends(item)]
    if not isinstance(node, dict):
        return []
    found = [node["port"]] if "port" in node else []
    return found + [port for item in node.values() for port in backends(item)]


def test_an_ingress_leads_the_services_own_path_to_its_scoring_port() -> None:
    hosts = ["a.example.com", "*.b.example.com"]
    rendered = render({"ingress": {"enabled": True, "hosts": hosts}})
    spec = rendered.one("Ingress")["spec"]
    assert [rule["host"] for rule in spec["rules"]] == hosts
    for rule in spec["rules"]:
        (path,) = rule["http"]["paths"]
        assert (path["path"], path["pathType"]) == ("/api/v1/service/mnist", "Prefix")
    assert backends(spec) == [{"name": "http"}] * 2
    # Behind that name there is no other port.
    assert [port["name"] for port in rendered.one("Service")["spec"]["ports"]] == ["http"]


def test_an_ingress_has_class_path_and_certificates_of_the_values() -> None:
    given = {
        "enabled": True,
        "className": "traefik",
        "hosts": ["a.example.com"],
        "path": "/",
        "tls": [{"secretName": "a"}, {"secretName": "b", "hosts": ["b.example.com"]}],
        "annotations": {"cert-manager.io/cluster-issuer": "x"},
    }
    ingress = render({"ingress": given}).one("Ingress")
    assert ingress["metadata"]["annotations"] == {"cert-manager.io/cluster-issuer": "x"}
    spec = ingress["spec"]
    assert spec["ingressClassName"] == "traefik"
    assert spec["rules"][0]["http"]["paths"][0]["path"] == "/"
    assert spec["tls"] == [
        {"secretName": "a", "hosts": ["a.example.com"]},
        {"secretName": "b", "hosts": ["b.example.com"]},
    ]


def test_an_ingress_for_any_host_has_one_rule() -> None:
    spec = render({"ingress": {"enabled": True, "tls": [{"secretName": "a"}]}}).one("Ingress")["spec"]
    (rule,) = spec["rules"]
    assert "host" not in rule
    assert spec["tls"] == [{"secretName": "a"}]


@pytest.mark.parametrize(
    ("scoring_ms", "wait_ms", "timeout"),
    [
        (60_000, 500, "1m1s500ms"),
        (1, 1, "1s2ms"),
        (3_598_000, 1_000, "1h"),
        (500_000_000, 2_500, "138h53m23s500ms"),
    ],
)
def test_a_route_waits_longer_than_queue_and_scoring(scoring_ms: int, wait_ms: int, timeout: str) -> None:
    values = {
        "deployment": {"scoring_timeout_ms": scoring_ms, "max_request_wait_time": wait_ms},
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]},
    }
    (rule,) = render(values).one("HTTPRoute")["spec"]["rules"]
    assert rule["timeouts"] == {"request": timeout, "backendRequest": timeout}


def test_a_route_has_gateways_hosts_path_and_filters_of_the_values() -> None:
    filters = [{"type": "URLRewrite", "urlRewrite": {"hostname": "x.example.com"}}]
    given = {
        "enabled": True,
        "parentRefs": [{"name": "gateway", "namespace": "gateways"}],
        "hostnames": ["a.example.com"],
        "path": "/digits",
        "filters": filters,
        "timeouts": False,
    }
    spec = render({"httpRoute": given}).one("HTTPRoute")["spec"]
    assert spec["parentRefs"] == given["parentRefs"]
    assert spec["hostnames"] == given["hostnames"]
    assert spec["rules"] == [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/digits"}}],
            "filters": filters,
            "backendRefs": [{"name": "mnist", "port": 80}],
        }
    ]


def test_by_default_nothing_needs_a_controller_or_a_crd() -> None:
    # Triton's chart always renders a ServiceMonitor, which fails where its CRD is missing.
    unasked = {"Ingress", "HTTPRoute", "PodMonitor", "ServiceMonitor", "PrometheusRule", "ConfigMap"}
    assert not unasked & {kind for kind, _ in render().names}


@pytest.mark.parametrize("host", ["Digits.example.com", "https://a.example.com", "a.example.com/", "a b", ""])
def test_a_host_that_is_none_is_refused_in_one_line(host: str) -> None:
    with pytest.raises(RefusedError) as refused:
        render({"ingress": {"enabled": True, "hosts": [host]}})
    (mistake,) = refused.value.mistakes
    assert "hosts" in mistake
