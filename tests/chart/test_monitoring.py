"""What Prometheus and Grafana get: monitors, alerts and a dashboard, of metrics that there really are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import promql_parser
import pytest
from tests.chart.rendering import CHART, Object, Rendered, render
from tests.runtime.server_process import Server

ALL = {
    "metrics": {
        "podMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "grafanaDashboard": {"enabled": True},
    }
}
# Of kube-state-metrics 2, which the README names as needed.
KUBE_STATE_METRICS = {
    "kube_deployment_spec_replicas",
    "kube_deployment_status_replicas_ready",
    "kube_pod_status_unschedulable",
}


def alerts(rendered: Rendered) -> dict[str, Object]:
    groups = rendered.one("PrometheusRule")["spec"]["groups"]
    return {rule["alert"]: rule for rule in groups[0]["rules"]}


def dashboard(rendered: Rendered) -> Object:
    (text,) = rendered.one("ConfigMap", "mnist-dashboard")["data"].values()
    return cast("Object", json.loads(text))


def expressions(rendered: Rendered) -> list[str]:
    """Return all PromQL of the alerts and of the dashboard, as Grafana hands it to Prometheus."""
    panels = dashboard(rendered)["panels"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    asked = [rule["expr"] for rule in alerts(rendered).values()]
    return asked + [expr.replace("$__rate_interval", "5m") for expr in shown]


def selectors(node: Any) -> Iterator[Any]:
    """Yield every vector selector of a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
        if (child := getattr(node, name, None)) is not None:
            yield from selectors(child)
    for child in getattr(node, "args", None) or ():
        yield from selectors(child)


def test_a_pod_monitor_scrapes_the_management_port() -> None:
    values = {"metrics": {"podMonitor": {"enabled": True, "interval": "15s", "labels": {"release": "p"}}}}
    rendered = render(values)
    monitor = rendered.one("PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "p"
    spec = monitor["spec"]
    assert spec["podMetricsEndpoints"] == [{"port": "management", "path": "/metrics", "interval": "15s"}]
    pod = rendered.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= pod.items()
    assert {port["name"] for port in rendered.container["ports"]} >= {"management"}


def test_a_service_monitor_finds_its_port_at_one_service_alone() -> None:
    rendered = render({"metrics": {"serviceMonitor": {"enabled": True, "scrapeTimeout": "5s"}}})
    spec = rendered.one("ServiceMonitor")["spec"]
    (endpoint,) = spec["endpoints"]
    assert endpoint == {"port": "management", "path": "/metrics", "scrapeTimeout": "5s"}
    services = [thing for thing in rendered.objects if thing["kind"] == "Service"]
    selected = [
        thing
        for thing in services
        if spec["selector"]["matchLabels"].items() <= thing["metadata"]["labels"].items()
    ]
    ports = [
        port for thing in selected for port in thing["spec"]["ports"] if port["name"] == endpoint["port"]
    ]
    assert len(selected) == 2
    assert len(ports) == 1


def test_alerts_and_dashboard_ask_about_this_services_pods() -> None:
    rendered = render(ALL)
    found = expressions(rendered)
    assert len(found) > 15
    pods = ("mnist-7d9f8b6c5d-x2x4z", "mnist-two-7d9f8b6c5d-x2x4z", "my-mnist-7d9f8b6c5d-x2x4z")
    for expression in found:
        for selector in selectors(promql_parser.parse(expression)):
            matchers = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
            assert matchers["namespace"] == "default", expression
            if "deployment" in matchers:
                assert matchers["deployment"] == "mnist"
            else:
                assert [bool(re.fullmatch(matchers["pod"], pod)) for pod in pods] == [True, False, False]


def test_alerts_and_dashboard_use_metrics_that_exist(tmp_path: Path) -> None:
    used = {
        selector.name
        for expression in expressions(render(ALL))
        for selector in selectors(promql_parser.parse(expression))
    }
    assert len(used) > 8
    server = Server(tmp_path, None, (), {})
    try:
        server.wait_ready()
        text = server.management("/metrics").text
    finally:
        server.end()
    told = {
        name + suffix
        for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, flags=re.MULTILINE)
        for suffix in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))
    }
    assert used - told == KUBE_STATE_METRICS


def test_there_is_an_alert_for_each_kind_of_failure() -> None:
    rules = alerts(render(ALL))
    assert rules.keys() == {
        "GpuInferenceNoReadyPod",
        "GpuInferencePodWaitsForGpu",
        "GpuInferenceSlow",
        "GpuInferenceRefusesRequests",
    }
    assert all(rule["labels"]["service"] == "mnist" for rule in rules.values())
    assert rules["GpuInferenceNoReadyPod"]["labels"]["severity"] == "critical"


def test_nothing_waits_for_a_gpu_that_it_does_not_ask_for() -> None:
    assert "GpuInferencePodWaitsForGpu" not in alerts(render(ALL | {"deployment": {"gpu_cores": 0}}))


@pytest.mark.parametrize(
    ("timeout_ms", "threshold"), [(60_000, 48.0), (1_000, 0.8), (300_000, 240.0), (3_600_000, 299.0)]
)
def test_slow_is_about_four_fifths_of_the_scoring_timeout(timeout_ms: int, threshold: float) -> None:
    rules = alerts(render(ALL | {"deployment": {"scoring_timeout_ms": timeout_ms}}))
    expression: Any = promql_parser.parse(rules["GpuInferenceSlow"]["expr"])
    assert expression.rhs.val == threshold


def test_further_rules_and_labels_of_alerts_are_added() -> None:
    further = {"record": "a:b", "expr": "sum(up)"}
    rule = {"enabled": True, "rules": [further], "alertLabels": {"team": "vision", "severity": "page"}}
    rendered = render({"metrics": {"prometheusRule": rule}})
    first, second = rendered.one("PrometheusRule")["spec"]["groups"]
    assert second["rules"] == [further]
    assert first["name"] != second["name"]
    assert {found["labels"]["severity"] for found in first["rules"]} == {"page"}
    assert {found["labels"]["team"] for found in first["rules"]} == {"vision"}


def test_grafana_finds_and_accepts_the_dashboard() -> None:
    rendered = render(ALL)
    config_map = rendered.one("ConfigMap", "mnist-dashboard")
    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
    found = dashboard(rendered)
    assert found["title"] == "default / mnist"
    assert 0 < len(found["uid"]) <= 40
    panels = found["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert panel["datasource"]["uid"] == "${datasource}"
    (variable,) = found["templating"]["list"]
    assert (variable["name"], variable["type"]) == ("datasource", "datasource")


def test_dashboards_of_two_services_are_two() -> None:
    uids = {
        dashboard_of["uid"]
        for dashboard_of in (
            dashboard(render(ALL)),
            dashboard(render(ALL, namespace="other")),
        )
    }
    assert len(uids) == 2


def test_the_dashboards_file_holds_only_placeholders_that_are_filled() -> None:
    text = (CHART / "files" / "dashboard.json").read_text()
    assert "{PODS}" in text
    assert not re.search(r"PODS|DEPLOYMENT|UID|TITLE", json.dumps(dashboard(render(ALL))))
