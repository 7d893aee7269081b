"""Turns the two files of `az ml model deploy` (Azure ML v1) into values of the chart.

`deploymentconfig.json` becomes `deployment.*`; of `inferenceconfig.json`, the environment variables become
`extraEnv` and Docker's shmSize `sharedMemory` (the rest is about the image). Whatever could not be carried
over is told, never dropped silently.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gpu_inference import clients
from gpu_inference.errors import GpuInferenceError
from gpu_inference.helm import REFUSED_BY_TEMPLATES, Helm
from gpu_inference.resources import chart_directory

Document = Mapping[str, Any]

# Where the SDK's parser (deploy_config_dict_to_obj) reads each parameter.
_PARAMETERS = {
    "autoScaler.autoscaleEnabled": "autoscale_enabled",
    "autoScaler.minReplicas": "autoscale_min_replicas",
    "autoScaler.maxReplicas": "autoscale_max_replicas",
    "autoScaler.refreshPeriodInSeconds": "autoscale_refresh_seconds",
    "autoScaler.targetUtilization": "autoscale_target_utilization",
    "numReplicas": "num_replicas",
    "containerResourceRequirements.cpu": "cpu_cores",
    "containerResourceRequirements.cpuLimit": "cpu_cores_limit",
    "containerResourceRequirements.memoryInGB": "memory_gb",
    "containerResourceRequirements.memoryInGBLimit": "memory_gb_limit",
    "gpuCores": "gpu_cores",
    "authEnabled": "auth_enabled",
    "tokenAuthEnabled": "token_auth_enabled",
    "keys.primaryKey": "primary_key",
    "keys.secondaryKey": "secondary_key",
    "scoringTimeoutMs": "scoring_timeout_ms",
    "maxConcurrentRequestsPerContainer": "replica_max_concurrent_requests",
    "maxQueueWaitMs": "max_request_wait_time",
    "livenessProbeRequirements.initialDelaySeconds": "initial_delay_seconds",
    "livenessProbeRequirements.periodSeconds": "period_seconds",
    "livenessProbeRequirements.timeoutSeconds": "timeout_seconds",
    "livenessProbeRequirements.successThreshold": "success_threshold",
    "livenessProbeRequirements.failureThreshold": "failure_threshold",
    "namespace": "namespace",
    "computeTargetName": "compute_target_name",
    "dataCollection.storageEnabled": "collect_model_data",
    "appInsightsEnabled": "enable_app_insights",
}
_AUTOSCALER_OPTIONS = (
    "autoscale_min_replicas",
    "autoscale_max_replicas",
    "autoscale_refresh_seconds",
    "autoscale_target_utilization",
)
# v1's, where nothing is given.
_AUTOSCALER_MAXIMUM = 10
# Keys that people write although Azure ML never read them there.
_NEVER_READ = {
    "containerResourceRequirements.gpu": "GPUs are given as gpuCores, at the top level",
    "sslEnabled": "TLS is a matter of what stands in front of the Service",
    "blobfuseEnabled": "set deployment.blobfuse_enabled yourself",
}
# What v1 had a place for in the workspace, the value that names one in a cluster, and an example.
_NEEDS_A_PLACE = {
    "dataCollection.storageEnabled": (
        "dataCollection.volume",
        "a volume, such as {persistentVolumeClaim: {claimName: NAME}}",
    ),
    "appInsightsEnabled": (
        "telemetry.otlpEndpoint",
        "an OpenTelemetry collector's URL, such as http://otel-collector.monitoring:4318",
    ),
}
# Shows the form of a subject; no namespace may be called so.
_NOBODY = "system:serviceaccount:NAMESPACE:NAME"
# As Docker reads sizes, in bytes.
_UNITS = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_OF_THE_IMAGE = (
    *("entryScript", "sourceDirectory", "environment", "runtime", "condaFile"),
    *("extraDockerFileSteps", "extraDockerfileSteps", "schemaFile", "enableGpu", "cudaVersion"),
    *("baseImage", "baseImageRegistry", "description"),
)


@dataclass(frozen=True)
class Conversion:
    """What a conversion gives."""

    values: dict[str, Any]
    warnings: tuple[str, ...]
    """One sentence for each thing that a person should know or decide."""


def convert(
    deployment_config: Path | Document,
    inference_config: Path | Document | None = None,
    *,
    gpu_count: int | None = None,
    helm: Path | None = None,
) -> Conversion:
    """Return chart values that deploy the service as these files did.

    The chart checks them, where there is a Helm to render it with; nothing is fetched for that.

    Args:
        deployment_config: a `deploymentconfig.json`, or its content; YAML is read as well.
        inference_config: an `inferenceconfig.json`, or its content.
        gpu_count: GPUs that the service may use; as many as its replicas need unless given.
        helm: the Helm to check the values with; the one on PATH or in the cache unless given.

    Raises:
        GpuInferenceError: a file cannot be read, is not for AKS, or asks for what the chart cannot do.
    """
    name, content = _read(deployment_config, "deploymentconfig.json")
    _require_aks(name, content)
    flat = dict(_flattened(name, content))
    warnings = [
        _not_carried_over(name, key) for key in flat if key not in _PARAMETERS and key != "computeType"
    ]
    deployment = {_PARAMETERS[key]: value for key, value in flat.items() if key in _PARAMETERS}
    warnings += _scaled_as_by_v1(name, deployment)
    if "secondary_key" in deployment and not deployment.get("primary_key"):
        del deployment["secondary_key"]
        warnings.append(
            f"{name}: keys.secondaryKey is left out: Azure ML ignored it without keys.primaryKey."
        )

    warnings += _without_a_place(name, flat, deployment)

    values: dict[str, Any] = {"deployment": deployment}
    if deployment.get("token_auth_enabled"):
        values["tokenAuth"] = {"clusterIssuer": True, "allowedSubjects": [_NOBODY]}
        warnings.append(
            f"{name}: tokenAuthEnabled becomes tokens of the cluster's ServiceAccounts instead of Azure ML's:"
            f" nobody may score until tokenAuth.allowedSubjects names who, in place of {_NOBODY}."
        )
    if gpu_count is not None:
        values["cluster"] = {"gpu_count": gpu_count}
    elif needed := _gpus_needed(deployment):
        values["cluster"] = {"gpu_count": needed}
        warnings.append(
            f"cluster.gpu_count is {needed}, as many GPUs as the replicas need; give --gpu-count if the"
            " service may use another number."
        )
    if inference_config is not None:
        inference_name, inference = _read(inference_config, "inferenceconfig.json")
        unknown = [key for key in inference if key not in _OF_THE_IMAGE]
        warnings += [_not_carried_over(inference_name, key) for key in unknown]
        if variables := list(_variables(inference_name, inference)):
            values["extraEnv"] = variables
        if size := _shared_memory_gb(inference_name, inference):
            values["sharedMemory"] = {"sizeGb": size}
            warnings.append(
                f"sharedMemory.sizeGb is {size:g}, from environment.docker.shmSize: each pod's memory is as"
                " much larger. Leave it out if the script's libraries share no memory between processes."
            )
    program = helm or clients.helm_on_hand()
    if program is None:
        warnings.append(
            f"{name}: the values are not checked, because there is no Helm here;"
            " gpu-inference deploy does it."
        )
    else:
        _check(name, values, Helm(program))
    return Conversion(values, tuple(warnings))


def _check(name: str, values: Mapping[str, Any], helm: Helm) -> None:
    namespace = values["deployment"].get("namespace")
    try:
        # Any name of a release will do. A namespace that is none is refused by the chart.
        helm.template(
            "service",
            chart_directory(),
            values,
            namespace=namespace if isinstance(namespace, str) else "default",
        )
    except GpuInferenceError as error:
        mistakes = str(error).removeprefix(f"Helm: {REFUSED_BY_TEMPLATES}").strip()
        raise GpuInferenceError(f"{name} cannot be deployed:\n{mistakes}") from error


def values_text(values: Mapping[str, Any]) -> str:
    """Return values as a file."""
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)


def _read(source: Path | Document, called: str) -> tuple[str, Document]:
    """Return what to call a document, and the document."""
    if not isinstance(source, Path):
        return called, source
    try:
        text = source.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise GpuInferenceError(f"The file {source} does not exist.") from error
    except UnicodeDecodeError as error:
        raise GpuInferenceError(f"{source} is not UTF-8 text: {error}.") from error
    except OSError as error:
        raise GpuInferenceError(f"{source} cannot be read: {error.strerror}.") from error
    try:
        content = json.loads(text)
    except ValueError:
        # Some of these files are YAML, and YAML also forgives the comma at the end that JSON does not.
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise GpuInferenceError(f"{source} is neither JSON nor YAML: {error}") from error
    if not isinstance(content, dict):
        raise GpuInferenceError(f"{source} should be a JSON object or a YAML mapping.")
    return str(source), content


def _require_aks(name: str, content: Document) -> None:
    compute_type = content.get("computeType")
    if compute_type is None:
        raise GpuInferenceError(
            f"Error parsing {name}: Need to specify computeType in --deploy-config-file",
            'Add "computeType": "aks".',
        )
    match str(compute_type).lower():
        case "aks":
            return
        case "aci" | "aksendpoint" | "local":
            raise GpuInferenceError(
                f"Error parsing {name}: computeType {compute_type} is another kind of service than an"
                " AksWebservice; only aks can be converted."
            )
        case _:
            raise GpuInferenceError(f"Error parsing {name}: unknown deployment type: {compute_type}")


def _flattened(name: str, content: Document) -> Iterator[tuple[str, Any]]:
    """Yield each key with its dotted path; null is left out, as None is the same as not given."""
    sections = {path.partition(".")[0] for path in _PARAMETERS if "." in path}
    for key, value in content.items():
        if value is None:
            continue
        if key not in sections:
            yield key, value
        elif isinstance(value, Mapping):
            yield from ((f"{key}.{nested}", given) for nested, given in value.items() if given is not None)
        else:
            raise GpuInferenceError(f"Error parsing {name}: {key} should be a mapping, not {value!r}.")


def _not_carried_over(name: str, key: str) -> str:
    why = _NEVER_READ.get(key)
    return f"{name}: {key} is left out: Azure ML did not read it" + (f"; {why}." if why else ".")


def _scaled_as_by_v1(name: str, deployment: dict[str, Any]) -> Iterator[str]:
    """Turn the autoscaler on where v1 did so by itself; yield what a person should know about it."""
    enabled = deployment.get("autoscale_enabled")
    if not enabled:
        # The SDK took 0 for not given.
        for option in _AUTOSCALER_OPTIONS:
            if not deployment.get(option):
                deployment.pop(option, None)
    if enabled is None and deployment.keys().isdisjoint(("num_replicas", *_AUTOSCALER_OPTIONS)):
        enabled = deployment["autoscale_enabled"] = True
        yield f"{name} has no numReplicas, for which v1 used an autoscaler: so does the chart."
    if enabled:
        yield (
            "The autoscaler needs KEDA in the cluster, or a metric of yours:"
            " see autoscaling.engine in the chart's README."
        )


def _without_a_place(name: str, flat: Document, deployment: dict[str, Any]) -> Iterator[str]:
    """Leave out what v1 sent to places of its own, and yield which value names a place in a cluster."""
    for key, (place, example) in _NEEDS_A_PLACE.items():
        parameter = _PARAMETERS[key]
        if flat.get(key) is True:
            del deployment[parameter]
            yield (
                f"{name}: {key} is left out, because v1's place for that does not exist here: to have it, set"
                f" deployment.{parameter} to true and {place} to {example}."
            )


def _gpus_needed(deployment: Document) -> int | None:
    """Return the GPUs of all replicas; None where that is not a number (the values' check then says why)."""
    replicas, each = deployment.get("num_replicas"), deployment.get("gpu_cores", 1)
    if deployment.get("autoscale_enabled"):
        replicas = deployment.get("autoscale_max_replicas", _AUTOSCALER_MAXIMUM)
    if not (isinstance(replicas, int) and isinstance(each, int)):
        return None
    return replicas * each if replicas > 0 and each > 0 else None


def _variables(name: str, inference: Document) -> Iterator[dict[str, str]]:
    environment = inference.get("environment")
    given = environment.get("environmentVariables") if isinstance(environment, Mapping) else None
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise GpuInferenceError(f"{name}: environment.environmentVariables should map names to texts.")
    for variable, value in given.items():
        if not isinstance(value, str):
            raise GpuInferenceError(
                f"{name}: the environment variable {variable} is not a text but {value!r}.",
                "Put its value between quotation marks.",
            )
        yield {"name": str(variable), "value": value}


def _shared_memory_gb(name: str, inference: Document) -> float | None:
    """Return environment.docker.shmSize, which Docker reads as a number of bytes with a unit, in Gi."""
    environment = inference.get("environment")
    docker = environment.get("docker") if isinstance(environment, Mapping) else None
    given = docker.get("shmSize") if isinstance(docker, Mapping) else None
    if given is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([bkmgt]?)(?:i?b)?", str(given).strip().lower())
    if found is None:
        raise GpuInferenceError(
            f'{name}: environment.docker.shmSize is {given!r}, but should be a size such as "2g" or "512m".'
        )
    return float(found[1]) * _UNITS[found[2] or "b"] / _UNITS["g"]
