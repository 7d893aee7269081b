"""deploymentconfig.json and inferenceconfig.json of Azure ML v1 become values that the chart deploys."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpu_inference.cli import main
from gpu_inference.convert import convert
from gpu_inference.errors import GpuInferenceError

SAMPLE = Path(__file__).parents[2] / "model-samples" / "mnist-tf"
ALL_KEYS: dict[str, Any] = {
    "computeType": "AKS",
    "autoScaler": {"autoscaleEnabled": False},
    "dataCollection": {"storageEnabled": False},
    "authEnabled": True,
    "tokenAuthEnabled": False,
    "containerResourceRequirements": {"cpu": 2, "memoryInGB": 4, "cpuLimit": 3, "memoryInGBLimit": 5.5},
    "appInsightsEnabled": False,
    "scoringTimeoutMs": 1000,
    "maxConcurrentRequestsPerContainer": 2,
    "maxQueueWaitMs": 2000,
    "numReplicas": 3,
    "keys": {"primaryKey": "first", "secondaryKey": "second"},
    "gpuCores": 2,
    "livenessProbeRequirements": {
        "periodSeconds": 5,
        "initialDelaySeconds": 20,
        "timeoutSeconds": 3,
        "successThreshold": 2,
        "failureThreshold": 4,
    },
    "namespace": "vision",
    "computeTargetName": "my-aks",
}


def config(**changes: Any) -> dict[str, Any]:
    return {"computeType": "aks", "numReplicas": 1} | changes


def refusal(deployment: dict[str, Any], inference: dict[str, Any] | None = None) -> str:
    with pytest.raises(GpuInferenceError) as refused:
        convert(deployment, inference)
    return str(refused.value)


def test_the_sample_becomes_values_that_deploy_it() -> None:
    values = convert(SAMPLE / "deploymentconfig.json", SAMPLE / "inferenceconfig.json").values
    assert values == {
        "deployment": {
            "num_replicas": 3,
            "gpu_cores": 1,
            "cpu_cores": 2,
            "memory_gb": 4,
            "auth_enabled": True,
            "scoring_timeout_ms": 15000,
            "max_request_wait_time": 5000,
        },
        "cluster": {"gpu_count": 3},
        "extraEnv": [{"name": "GPU_INFERENCE_TENSORFLOW_V1", "value": "true"}],
    }


def test_every_key_that_the_sdk_read_is_carried_over() -> None:
    conversion = convert(ALL_KEYS)
    assert conversion.values["deployment"] == {
        "autoscale_enabled": False,
        "collect_model_data": False,
        "auth_enabled": True,
        "token_auth_enabled": False,
        "cpu_cores": 2,
        "memory_gb": 4,
        "cpu_cores_limit": 3,
        "memory_gb_limit": 5.5,
        "enable_app_insights": False,
        "scoring_timeout_ms": 1000,
        "replica_max_concurrent_requests": 2,
        "max_request_wait_time": 2000,
        "num_replicas": 3,
        "primary_key": "first",
        "secondary_key": "second",
        "gpu_cores": 2,
        "period_seconds": 5,
        "initial_delay_seconds": 20,
        "timeout_seconds": 3,
        "success_threshold": 2,
        "failure_threshold": 4,
        "namespace": "vision",
        "compute_target_name": "my-aks",
    }
    assert conversion.values["cluster"] == {"gpu_count": 6}


def test_the_pool_is_as_large_as_the_replicas_need_and_that_is_told() -> None:
    conversion = convert(config(numReplicas=4))
    assert conversion.values["cluster"] == {"gpu_count": 4}
    (warning,) = conversion.warnings
    assert "cluster.gpu_count is 4" in warning


def test_a_given_pool_is_taken_and_the_cap_holds() -> None:
    assert convert(config(numReplicas=3), gpu_count=4).values["cluster"] == {"gpu_count": 4}
    with pytest.raises(GpuInferenceError, match="needs 3 GPUs, but"):
        convert(config(numReplicas=3), gpu_count=2)


def test_an_autoscaler_keeps_all_its_parameters_and_gets_gpus_for_its_most_replicas() -> None:
    scaler = {
        "autoscaleEnabled": True,
        "minReplicas": 2,
        "maxReplicas": 6,
        "refreshPeriodInSeconds": 10,
        "targetUtilization": 50,
    }
    conversion = convert({"computeType": "aks", "autoScaler": scaler, "gpuCores": 2})
    assert conversion.values == {
        "deployment": {
            "autoscale_enabled": True,
            "autoscale_min_replicas": 2,
            "autoscale_max_replicas": 6,
            "autoscale_refresh_seconds": 10,
            "autoscale_target_utilization": 50,
            "gpu_cores": 2,
        },
        "cluster": {"gpu_count": 12},
    }
    assert any("needs KEDA" in warning for warning in conversion.warnings)


def test_without_a_number_of_replicas_there_is_an_autoscaler_as_v1_had_it() -> None:
    conversion = convert({"computeType": "aks"})
    assert conversion.values["deployment"] == {"autoscale_enabled": True}
    # v1's maximum, each with the one GPU that it gave.
    assert conversion.values["cluster"] == {"gpu_count": 10}
    assert any("has no numReplicas" in warning for warning in conversion.warnings)


def test_an_autoscalers_zeros_are_not_given_as_they_were_to_azure_ml() -> None:
    scaler = {"autoscaleEnabled": False, "minReplicas": 0, "maxReplicas": 0}
    assert convert(config(autoScaler=scaler)).values["deployment"] == {
        "autoscale_enabled": False,
        "num_replicas": 1,
    }


def test_a_service_on_cpu_says_nothing_about_the_pool() -> None:
    assert "cluster" not in convert(config(gpuCores=0, numReplicas=4)).values


def test_what_needs_a_place_in_the_cluster_is_left_out_with_the_values_that_name_one() -> None:
    conversion = convert(config(gpuCores=0, dataCollection={"storageEnabled": True}, appInsightsEnabled=True))
    assert conversion.values["deployment"].keys().isdisjoint(("collect_model_data", "enable_app_insights"))
    rows, traces = conversion.warnings
    assert "dataCollection.storageEnabled is left out" in rows
    assert "set deployment.collect_model_data to true and dataCollection.volume to a volume" in rows
    assert "appInsightsEnabled is left out" in traces
    assert "set deployment.enable_app_insights to true and telemetry.otlpEndpoint to" in traces


@pytest.mark.parametrize(
    ("given", "size"),
    [("2g", 2.0), ("512m", 0.5), ("1.5GB", 1.5), ("1073741824", 1.0), (2**31, 2.0), ("1048576 kb", 1.0)],
)
def test_dockers_shared_memory_becomes_the_pods_and_its_cost_is_told(given: Any, size: float) -> None:
    conversion = convert(config(gpuCores=0), {"environment": {"docker": {"shmSize": given}}})
    assert conversion.values["sharedMemory"] == {"sizeGb": size}
    [warning] = conversion.warnings
    assert f"sharedMemory.sizeGb is {size:g}" in warning


@pytest.mark.parametrize("docker", [{}, {"shmSize": None}, {"shmSize": "0"}])
def test_without_a_size_of_shared_memory_nothing_is_said_about_it(docker: dict[str, Any]) -> None:
    conversion = convert(config(gpuCores=0), {"environment": {"docker": docker}})
    assert "sharedMemory" not in conversion.values
    assert conversion.warnings == ()


def test_a_size_of_shared_memory_that_docker_could_not_read_is_refused() -> None:
    given = {"environment": {"docker": {"shmSize": "two"}}}
    assert "environment.docker.shmSize is 'two', but should be a size" in refusal(config(), given)


@pytest.mark.parametrize("auth", [{}, {"authEnabled": False}, {"authEnabled": None}], ids=str)
def test_tokens_become_those_of_the_cluster_and_who_may_score_has_to_be_said(auth: dict[str, Any]) -> None:
    conversion = convert(config(gpuCores=0, tokenAuthEnabled=True, **auth))
    assert conversion.values["deployment"]["token_auth_enabled"] is True
    assert conversion.values["tokenAuth"] == {
        "clusterIssuer": True,
        # Nobody: no namespace may have capital letters.
        "allowedSubjects": ["system:serviceaccount:NAMESPACE:NAME"],
    }
    (warning,) = conversion.warnings
    assert "requests are rejected until you list who may score in tokenAuth.allowedSubjects" in warning


def test_null_is_the_same_as_not_given() -> None:
    nulls = dict.fromkeys(("autoScaler", "gpuCores", "keys", "sslEnabled"))
    assert (
        convert(config(**nulls, containerResourceRequirements={"cpu": None})).values
        == convert(config()).values
    )


def test_what_azure_ml_did_not_read_is_named() -> None:
    odd = config(sslEnabled=True, numReplica=3, containerResourceRequirements={"gpu": 1, "cpu": 1})
    warnings = convert(odd, {"entryScript": "score.py", "entryscript": "x"}).warnings
    for key, hint in {
        "sslEnabled": "in front of the Service",
        "numReplica": "Azure ML did not read it",
        "containerResourceRequirements.gpu": "gpuCores, at the top level",
        "entryscript": "Azure ML did not read it",
    }.items():
        assert any(f" {key} is left out" in warning and hint in warning for warning in warnings), key
    assert len(warnings) == 5


def test_a_second_key_without_a_first_is_left_out_as_azure_ml_did() -> None:
    conversion = convert(config(keys={"secondaryKey": "second"}))
    assert "secondary_key" not in conversion.values["deployment"]
    assert any("keys.secondaryKey is left out" in warning for warning in conversion.warnings)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"computeType": None}, "Need to specify computeType in --deploy-config-file"),
        ({"computeType": "batch"}, "unknown deployment type: batch"),
        ({"computeType": "ACI"}, "only aks can be converted"),
        ({"autoScaler": {"autoscaleEnabled": True}}, "autoscale enabled and num_replicas provided."),
        (
            {
                "numReplicas": None,
                "autoScaler": {"autoscaleEnabled": True, "minReplicas": 5, "maxReplicas": 3},
            },
            "autoscale_min_replicas cannot be greater than autoscale_max_replicas.",
        ),
        ({"autoScaler": {"maxReplicas": 3}}, "autoscale_max_replicas provided without enabling autoscaling."),
        (
            {"numReplicas": None, "autoScaler": {"autoscaleEnabled": False}},
            "autoscale disabled but num_replicas not provided.",
        ),
        ({"autoScaler": 3}, "autoScaler should be a mapping, not 3."),
        ({"numReplicas": 0}, "Invalid configuration, num_replicas must be greater than zero."),
        ({"numReplicas": "3"}, "deployment.num_replicas must be a whole number, at most 2147483647."),
        (
            {"tokenAuthEnabled": True, "authEnabled": True},
            "Invalid configuration, auth_enabled and token_auth_enabled cannot both be true.",
        ),
        (
            {"dataCollection": {"storageEnabled": "yes"}},
            "deployment.collect_model_data must be true or false.",
        ),
    ],
)
def test_what_cannot_be_deployed_is_refused_with_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(config(**changes))


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"THREADS": 4}, "the environment variable THREADS is not a string but 4."),
        (["A=b"], "environmentVariables should map names to strings."),
        ({"SERVICE_NAME": "x"}, "extraEnv must not set SERVICE_NAME"),
    ],
)
def test_variables_that_the_chart_cannot_set_are_refused(variables: Any, sentence: str) -> None:
    assert sentence in refusal(config(), {"environment": {"environmentVariables": variables}})


@pytest.mark.parametrize(
    "text",
    [
        '\ufeff{"computeType": "aks", "numReplicas": 2}',
        '{"computeType": "aks", "numReplicas": 2,}',
        "computeType: AKS\nnumReplicas: 2\n",
        '{\n\t"computeType": "aks",\n\t"numReplicas": 2\n}',
    ],
)
def test_a_file_may_be_json_or_yaml_as_people_wrote_them(text: str, tmp_path: Path) -> None:
    path = tmp_path / "deploymentconfig.json"
    path.write_text(text, encoding="utf-8")
    assert convert(path).values["deployment"] == {"num_replicas": 2}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{'a", "is neither JSON nor YAML"),
        (b"[1]", "should be a JSON object or a YAML mapping"),
        (b"\xff\xfe{", "is not UTF-8 text"),
        (None, "does not exist"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "deploymentconfig.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GpuInferenceError, match=f"deploymentconfig.json {sentence}"):
        convert(path)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(GpuInferenceError, match="cannot be read"):
        convert(tmp_path)


def test_the_command_writes_values_to_stdout_and_warnings_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = [str(SAMPLE / name) for name in ("deploymentconfig.json", "inferenceconfig.json")]
    assert main(["convert", *files, "--gpu-count", "4"]) == 0
    printed = capsys.readouterr()
    assert yaml.safe_load(printed.out)["cluster"] == {"gpu_count": 4}
    assert printed.err == ""
    assert main(["convert", files[0]]) == 0
    assert "cluster.gpu_count is 3" in capsys.readouterr().err


def test_the_command_fails_with_a_sentence_and_writes_no_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "deploymentconfig.json"
    path.write_text(json.dumps(config(computeType="local")))
    assert main(["convert", str(path)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "only aks can be converted" in printed.err


def test_without_helm_the_values_are_given_unchecked_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("GPU_INFERENCE_CACHE_DIR", str(tmp_path))
    conversion = convert(config(numReplicas="3"), gpu_count=3)
    assert conversion.values["deployment"]["num_replicas"] == "3"
    assert conversion.warnings == (
        "deploymentconfig.json: the values were not checked, because Helm is not installed here;"
        " gpu-inference deploy checks them.",
    )
