"""Collected rows and traces: nothing of them unless asked for, and what the pods get when it is."""

from typing import Any

import pytest
from tests.chart.rendering import RefusedError, render

CLAIM = {"persistentVolumeClaim": {"claimName": "rows"}}
VARIABLES = ("GPU_INFERENCE_MODEL_DATA_", "AML_APP_INSIGHTS", "OTEL_", "GPU_INFERENCE_TRACES")


def collecting(**section: Any) -> dict[str, Any]:
    return {"deployment": {"collect_model_data": True}, "dataCollection": {"volume": CLAIM, **section}}


def traced(**section: Any) -> dict[str, Any]:
    return {
        "deployment": {"enable_app_insights": True},
        "telemetry": {"otlpEndpoint": "http://collector:4318", **section},
    }


@pytest.mark.parametrize(
    "values",
    [{}, {"dataCollection": {"volume": CLAIM}, "telemetry": {"otlpEndpoint": "http://collector:4318"}}],
    ids=["nothing given", "places given, nothing asked for"],
)
def test_unless_asked_for_the_pods_have_nothing_of_it(values: dict[str, Any]) -> None:
    rendered = render(values)
    assert [name for name in rendered.env if name.startswith(VARIABLES)] == []
    assert "model-data" not in [volume["name"] for volume in rendered.pod["volumes"]]
    assert rendered.one("NetworkPolicy") == render().one("NetworkPolicy")


@pytest.mark.parametrize(
    "volume",
    [
        CLAIM,
        {"emptyDir": {"sizeLimit": "2Gi"}},
        {"emptyDir": {}},
        {"csi": {"driver": "blob.csi.azure.com", "volumeAttributes": {"containerName": "modeldata"}}},
        {
            "ephemeral": {
                "volumeClaimTemplate": {
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "resources": {"requests": {"storage": "2Gi"}},
                    }
                }
            }
        },
    ],
    ids=lambda volume: next(iter(volume)),
)
def test_collected_rows_go_to_the_volume_of_the_values(volume: dict[str, Any]) -> None:
    rendered = render(collecting(volume=volume, maxFileSizeMb=2, maxTotalSizeMb=40))
    assert {"name": "model-data", **volume} in rendered.pod["volumes"]
    folder = rendered.env["GPU_INFERENCE_MODEL_DATA_DIR"]
    assert {"name": "model-data", "mountPath": folder} in rendered.container["volumeMounts"]
    assert rendered.env["GPU_INFERENCE_MODEL_DATA_FILE_MB"] == "2"
    assert rendered.env["GPU_INFERENCE_MODEL_DATA_TOTAL_MB"] == "40"


@pytest.mark.parametrize("kind", ["hostPath", "nfs", "secret", "configMap"])
def test_a_volume_that_restricted_pods_cannot_write_to_is_refused(kind: str) -> None:
    with pytest.raises(RefusedError, match=f"must have just one of csi, emptyDir, .* but has {kind}"):
        render(collecting(volume={kind: {}}))


def test_traces_go_to_the_collector_of_the_values() -> None:
    attributes = {"deployment.environment.name": "west & north, 1", "k8s.namespace.name": "other"}
    env = render(
        traced(
            samplingRatio=0.05,
            headersSecret={"name": "collector", "key": "api"},
            resourceAttributes=attributes,
        )
    ).env
    assert {name: value for name, value in env.items() if name.startswith(VARIABLES)} == {
        "AML_APP_INSIGHTS_ENABLED": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": {"secretKeyRef": {"name": "collector", "key": "api"}},
        "OTEL_SERVICE_NAME": "mnist",
        "OTEL_RESOURCE_ATTRIBUTES": (
            "deployment.environment.name=west%20%26%20north%2C%201,"
            "k8s.deployment.name=mnist,k8s.namespace.name=other"
        ),
        "GPU_INFERENCE_TRACES_RATIO": "0.05",
    }
    assert render(traced(serviceName="vision/digits")).env["OTEL_SERVICE_NAME"] == "vision/digits"


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://collector.monitoring:4318", 4318),
        ("http://collector", 80),
        ("https://collector.example.com/otlp", 443),
        ("https://collector.example.com:8443/otlp:1", 8443),
        ("http://[fd00::17]:4318", 4318),
        ("http://[fd00::17]", 80),
    ],
)
def test_the_network_policy_lets_the_pods_reach_the_collectors_port(url: str, port: int) -> None:
    closed = {"networkPolicy": {"allowExternalEgress": False}}
    usual = render(closed).one("NetworkPolicy")["spec"]["egress"]
    rules = render(traced(otlpEndpoint=url) | closed).one("NetworkPolicy")["spec"]["egress"]
    assert [rule for rule in rules if rule not in usual] == [{"ports": [{"port": port, "protocol": "TCP"}]}]


@pytest.mark.parametrize(
    "url",
    ["collector:4318", "grpc://collector:4317", "http://", "http://a b", "http://c:4318?x=y", "http://u:p@c"],
)
def test_an_endpoint_that_is_no_plain_url_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(RefusedError) as refused:
        render(traced(otlpEndpoint=url))
    [sentence] = refused.value.mistakes
    assert sentence.startswith(f'telemetry.otlpEndpoint is "{url}", but must be a URL such as')


@pytest.mark.parametrize("ratio", [-0.1, 1.5])
def test_the_ratio_is_a_share(ratio: float) -> None:
    for skip_schema in (False, True):
        with pytest.raises(RefusedError, match="samplingRatio"):
            render(traced(samplingRatio=ratio), skip_schema=skip_schema)
    assert render(traced(samplingRatio=0)).env["GPU_INFERENCE_TRACES_RATIO"] == "0"


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "GPU_INFERENCE_MODEL_DATA_DIR"])
def test_what_the_chart_sets_is_not_the_users_to_set(name: str) -> None:
    with pytest.raises(RefusedError, match=f"extraEnv must not set {name}"):
        render({"extraEnv": [{"name": name, "value": "x"}]})


def test_the_sdks_further_variables_are_the_users() -> None:
    values = traced() | {"extraEnv": [{"name": "OTEL_EXPORTER_OTLP_CERTIFICATE", "value": "/etc/ca.crt"}]}
    assert render(values).env["OTEL_EXPORTER_OTLP_CERTIFICATE"] == "/etc/ca.crt"


def test_the_place_of_the_rows_is_not_the_users_to_mount() -> None:
    path = "/var/lib/gpu-inference/model-data"
    with pytest.raises(RefusedError) as refused:
        render(
            {
                "extraVolumes": [{"name": "model-data", "emptyDir": {}}],
                "extraVolumeMounts": [{"name": "model-data", "mountPath": path}],
            }
        )
    assert refused.value.mistakes == [
        "extraVolumes must not use the name model-data: it is the chart's own.",
        f"extraVolumeMounts must not use the path {path}: it is the chart's own.",
    ]
