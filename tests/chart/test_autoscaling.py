"""The autoscaler: if there is one, what it aims at, how far it may go, and who sets the number of pods."""

from typing import Any

import pytest
from tests.chart.rendering import HELMS, HelmMajor, Object, RefusedError, Rendered, notes, render

ENGINES = {
    "keda": {},
    "hpa": {"engine": "hpa", "externalMetric": {"name": "busy", "selector": {"service": "mnist"}}},
}


def autoscaled(engine: str = "keda", gpus: int = 4, /, **deployment: Any) -> dict[str, Any]:
    return {
        "deployment": {"autoscale_enabled": True, **deployment},
        "cluster": {"gpu_count": gpus},
        "autoscaling": ENGINES[engine],
    }


def limits(rendered: Rendered) -> tuple[int, int]:
    """Return the fewest and the most pods that the autoscaler of whichever engine may ask for."""
    (kind,) = autoscalers(rendered)
    spec = rendered.one(kind)["spec"]
    if kind == "ScaledObject":
        return spec["minReplicaCount"], spec["maxReplicaCount"]
    return spec["minReplicas"], spec["maxReplicas"]


def trigger(rendered: Rendered) -> Object:
    (trigger,) = rendered.one("ScaledObject")["spec"]["triggers"]
    found: Object = trigger
    return found


def autoscalers(rendered: Rendered) -> set[str]:
    return {kind for kind, _ in rendered.names} & {"ScaledObject", "HorizontalPodAutoscaler"}


@pytest.mark.parametrize(
    "deployment", [{}, {"num_replicas": 1}, {"autoscale_enabled": False, "num_replicas": 1}]
)
def test_without_being_asked_for_there_is_no_autoscaler(deployment: dict[str, Any]) -> None:
    rendered = render({"deployment": deployment})
    assert not autoscalers(rendered)
    assert rendered.one("Deployment")["spec"]["replicas"] == 1
    assert "gpu-inference/replicas" not in rendered.one("Deployment")["metadata"].get("annotations", {})


@pytest.mark.parametrize(("engine", "kind"), [("keda", "ScaledObject"), ("hpa", "HorizontalPodAutoscaler")])
def test_one_engine_scales_the_services_deployment(engine: str, kind: str) -> None:
    rendered = render(autoscaled(engine))
    assert autoscalers(rendered) == {kind}
    assert rendered.one(kind)["spec"]["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": rendered.one("Deployment")["metadata"]["name"],
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_the_number_of_pods_is_left_to_the_autoscaler(engine: str) -> None:
    deployment = render(autoscaled(engine)).one("Deployment")
    assert "replicas" not in deployment["spec"]
    assert deployment["metadata"]["annotations"]["gpu-inference/replicas"] == "autoscaler"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("gpus", "deployment", "expected"),
    [
        (4, {}, (1, 4)),
        (7, {"gpu_cores": 2}, (1, 3)),
        (40, {}, (1, 10)),
        (0, {"gpu_cores": 0}, (1, 10)),
        (4, {"autoscale_min_replicas": 2, "autoscale_max_replicas": 3}, (2, 3)),
        (40, {"autoscale_max_replicas": 40}, (1, 40)),
    ],
)
def test_the_limits_are_v1s_and_never_above_the_gpus(
    engine: str, gpus: int, deployment: dict[str, Any], expected: tuple[int, int]
) -> None:
    assert limits(render(autoscaled(engine, gpus, **deployment))) == expected


@pytest.mark.parametrize(
    ("percent", "slots", "expected"),
    [
        (None, 1, "0.7"),
        (None, 10, "7"),
        (75, 3, "2.25"),
        (1, 1, "0.01"),
        (100, 4, "4"),
        (105, 1, "1.05"),
        (500, 1, "5"),
        (33, 3, "0.99"),
    ],
)
def test_the_target_is_the_utilisation_times_the_slots_of_a_pod(
    percent: int | None, slots: int, expected: str
) -> None:
    given = {"replica_max_concurrent_requests": slots}
    given |= {} if percent is None else {"autoscale_target_utilization": percent}
    assert trigger(render(autoscaled(**given)))["metadata"]["targetValue"] == expected
    (metric,) = render(autoscaled("hpa", **given)).one("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert metric["external"]["target"] == {"type": "AverageValue", "averageValue": expected}


def test_keda_adds_up_the_busy_slots_of_every_pod() -> None:
    asked = trigger(render(autoscaled(), namespace="vision"))
    assert (asked["type"], asked["metricType"]) == ("metrics-api", "AverageValue")
    metadata = asked["metadata"]
    assert metadata["aggregateFromKubeServiceEndpoints"] == "true"
    assert metadata["aggregationType"] == "sum"
    assert metadata["format"] == "prometheus"
    assert metadata["valueLocation"] == "gpu_inference_busy_slots_average"
    assert metadata["url"] == "http://mnist-metrics.vision.svc:9090/metrics"


def test_keda_finds_the_pods_behind_a_headless_service() -> None:
    rendered = render(autoscaled())
    service = rendered.one("Service", "mnist-metrics")["spec"]
    assert service["clusterIP"] == "None"
    # It counts a pod once for each of its addresses, so that there must be one.
    assert service["ipFamilyPolicy"] == "SingleStack"
    assert service["selector"] == rendered.one("Deployment")["spec"]["selector"]["matchLabels"]
    # Of the URL it takes the port only if the Service has it too.
    (port,) = service["ports"]
    assert port["port"] == 9090
    ports = {port["name"]: port["containerPort"] for port in rendered.container["ports"]}
    assert ports[port["targetPort"]] == 9090


def test_the_service_of_the_requests_does_not_lead_to_the_metrics() -> None:
    (port,) = render(autoscaled()).one("Service", "mnist")["spec"]["ports"]
    assert port["targetPort"] == "http"


def test_nothing_reads_metrics_through_a_service_without_keda() -> None:
    assert ("Service", "mnist-metrics") not in render(autoscaled("hpa")).names | render().names


@pytest.mark.parametrize(("given", "expected"), [({}, 1), ({"autoscale_refresh_seconds": 30}, 30)])
def test_keda_looks_as_often_as_v1s_parameter_says(given: dict[str, int], expected: int) -> None:
    assert render(autoscaled(**given)).one("ScaledObject")["spec"]["pollingInterval"] == expected


@pytest.mark.parametrize(("given", "expected"), [({}, 60), ({"scaleDownStabilizationSeconds": 0}, 0)])
def test_both_engines_go_down_after_the_same_time(given: dict[str, int], expected: int) -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": expected}}
    for engine in ENGINES:
        values = autoscaled(engine)
        values["autoscaling"] = {**ENGINES[engine], **given}
        rendered = render(values)
        (kind,) = autoscalers(rendered)
        spec = rendered.one(kind)["spec"]
        found = spec.get("advanced", {}).get("horizontalPodAutoscalerConfig", spec)["behavior"]
        assert found == behavior


def test_the_engine_hpa_looks_at_the_metric_of_the_values() -> None:
    (metric,) = render(autoscaled("hpa")).one("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert metric["type"] == "External"
    assert metric["external"]["metric"] == {
        "name": "busy",
        "selector": {"matchLabels": {"service": "mnist"}},
    }


def test_a_window_longer_than_kubernetes_allows_is_refused() -> None:
    values = autoscaled()
    values["autoscaling"] = {"scaleDownStabilizationSeconds": 3601}
    with pytest.raises(RefusedError) as refused:
        render(values)
    (mistake,) = refused.value.mistakes
    assert "scaleDownStabilizationSeconds" in mistake
    assert "3,600" in mistake


@pytest.mark.parametrize(
    ("deployment", "sentence"),
    [
        (
            {"autoscale_enabled": True, "num_replicas": 1},
            "Invalid configuration, autoscale enabled and num_replicas provided.",
        ),
        (
            {"autoscale_enabled": False},
            "Invalid configuration, autoscale disabled but num_replicas not provided.",
        ),
        (
            {"autoscale_max_replicas": 1},
            "Invalid configuration, autoscale_max_replicas provided without enabling autoscaling.",
        ),
        (
            {"autoscale_enabled": True, "autoscale_min_replicas": 3, "autoscale_max_replicas": 2},
            "Invalid configuration, autoscale_min_replicas cannot be greater than autoscale_max_replicas.",
        ),
    ],
)
def test_what_the_sdk_refused_is_refused_in_its_words(deployment: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RefusedError) as refused:
        render({"deployment": deployment, "cluster": {"gpu_count": 4}})
    assert refused.value.mistakes == [sentence]


@pytest.mark.parametrize("helm", HELMS)
def test_null_parameters_are_the_same_as_none_given(helm: HelmMajor) -> None:
    nulls: dict[str, Any] = dict.fromkeys(
        (
            "num_replicas",
            "autoscale_min_replicas",
            "autoscale_max_replicas",
            "autoscale_refresh_seconds",
            "autoscale_target_utilization",
        )
    )
    assert limits(render(autoscaled(**nulls), helm=helm)) == (1, 4)
    assert not autoscalers(render({"deployment": {**nulls, "autoscale_enabled": None}}, helm=helm))


def test_the_notes_tell_what_the_autoscaler_needs() -> None:
    text = notes(autoscaled())
    assert "1 to 4 pods" in text
    assert "needs KEDA 2.20 or newer in the cluster" in text
    assert "--force-conflicts" in text
    assert "KEDA" not in notes(autoscaled("hpa"))
    assert "--force-conflicts" not in notes({"deployment": {"num_replicas": 1}})
