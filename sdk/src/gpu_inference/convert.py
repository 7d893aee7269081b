"""Converts the two files of `az ml model deploy` (Azure ML v1) into values of the chart.

`deploymentconfig.json` becomes `deployment.*`. From `inferenceconfig.json`, the environment variables become
`extraEnv` and Docker's shmSize becomes `sharedMemory`; its other keys describe the image. Every setting that
cannot be converted produces a warning.
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
from gpu_inference.helm import TEMPLATE_ERROR_PREFIX, Helm
from gpu_inference.resources import chart_directory

Document = Mapping[str, Any]

# Path in the file that the SDK's parser (deploy_config_dict_to_obj) reads each parameter from.
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
# v1's default for autoscale_max_replicas.
_AUTOSCALER_MAXIMUM = 10
# Keys that appear in real files although Azure ML never read them there.
_NEVER_READ = {
    "containerResourceRequirements.gpu": "GPUs are given as gpuCores, at the top level",
    "sslEnabled": "TLS is terminated in front of the Service, by an ingress or a gateway",
    "blobfuseEnabled": "set deployment.blobfuse_enabled yourself",
}
# Data that v1 sent to the workspace: the value that sets a destination in a cluster, and an example.
_NEEDS_DESTINATION = {
    "dataCollection.storageEnabled": (
        "dataCollection.volume",
        "a volume, such as {persistentVolumeClaim: {claimName: NAME}}",
    ),
    "appInsightsEnabled": (
        "telemetry.otlpEndpoint",
        "an OpenTelemetry collector's URL, such as http://otel-collector.monitoring:4318",
    ),
}
# A placeholder in the form of a subject. No namespace can have an upper-case name, so it matches nobody.
_PLACEHOLDER_SUBJECT = "system:serviceaccount:NAMESPACE:NAME"
# Docker's size suffixes, in bytes.
_UNITS = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_IMAGE_KEYS = (
    *("entryScript", "sourceDirectory", "environment", "runtime", "condaFile"),
    *("extraDockerFileSteps", "extraDockerfileSteps", "schemaFile", "enableGpu", "cudaVersion"),
    *("baseImage", "baseImageRegistry", "description"),
)


@dataclass(frozen=True)
class Conversion:
    """The result of `convert`."""

    values: dict[str, Any]
    """Values of the chart."""
    warnings: tuple[str, ...]
    """One sentence for each setting that was dropped, changed or needs a decision."""


def convert(
    deployment_config: Path | Document,
    inference_config: Path | Document | None = None,
    *,
    gpu_count: int | None = None,
    helm: Path | None = None,
) -> Conversion:
    """Return chart values that deploy the same service as these files.

    The values are checked by rendering the chart if Helm is on this machine; Helm is not downloaded for that.

    Args:
        deployment_config: path of a `deploymentconfig.json`, or its parsed content; YAML works too.
        inference_config: path of an `inferenceconfig.json`, or its parsed content.
        gpu_count: GPUs that the service may use. Default: the number that its replicas need.
        helm: the Helm that renders the chart. Default: the one on PATH or in the cache.

    Raises:
        GpuInferenceError: a file cannot be read, is not for AKS, or has a setting that the chart rejects.

    Example:
        conversion = convert(Path("deploymentconfig.json"), Path("inferenceconfig.json"), gpu_count=4)
        Path("values.yaml").write_text(values_text(conversion.values))
        for warning in conversion.warnings:
            print(warning)
    """
    name, content = _read(deployment_config, "deploymentconfig.json")
    _require_aks(name, content)
    flat = dict(_flattened(name, content))
    warnings = [_ignored_key(name, key) for key in flat if key not in _PARAMETERS and key != "computeType"]
    deployment = {_PARAMETERS[key]: value for key, value in flat.items() if key in _PARAMETERS}
    warnings += _apply_v1_autoscaling(name, deployment)
    if "secondary_key" in deployment and not deployment.get("primary_key"):
        del deployment["secondary_key"]
        warnings.append(
            f"{name}: keys.secondaryKey is left out: Azure ML ignored it without keys.primaryKey."
        )

    warnings += _drop_without_destination(name, flat, deployment)

    values: dict[str, Any] = {"deployment": deployment}
    if deployment.get("token_auth_enabled"):
        values["tokenAuth"] = {"clusterIssuer": True, "allowedSubjects": [_PLACEHOLDER_SUBJECT]}
        warnings.append(
            f"{name}: tokenAuthEnabled means tokens of the cluster's ServiceAccounts here, not of Azure ML."
            " All requests are rejected until you list who may score in tokenAuth.allowedSubjects, instead of"
            f" {_PLACEHOLDER_SUBJECT}."
        )
    if gpu_count is not None:
        values["cluster"] = {"gpu_count": gpu_count}
    elif needed := _gpus_needed(deployment):
        values["cluster"] = {"gpu_count": needed}
        warnings.append(
            f"cluster.gpu_count is {needed}, the number of GPUs that the replicas need; set another one"
            " with --gpu-count."
        )
    if inference_config is not None:
        inference_name, inference = _read(inference_config, "inferenceconfig.json")
        unknown = [key for key in inference if key not in _IMAGE_KEYS]
        warnings += [_ignored_key(inference_name, key) for key in unknown]
        if variables := list(_variables(inference_name, inference)):
            values["extraEnv"] = variables
        if size := _shared_memory_gb(inference_name, inference):
            values["sharedMemory"] = {"sizeGb": size}
            warnings.append(
                f"sharedMemory.sizeGb is {size:g}, from environment.docker.shmSize: each pod needs {size:g}"
                " Gi more memory. Remove it if the script's libraries share no memory between processes."
            )
    program = helm or clients.available_helm()
    if program is None:
        warnings.append(
            f"{name}: the values were not checked, because Helm is not installed here;"
            " gpu-inference deploy checks them."
        )
    else:
        _check(name, values, Helm(program))
    return Conversion(values, tuple(warnings))


def _check(name: str, values: Mapping[str, Any], helm: Helm) -> None:
    namespace = values["deployment"].get("namespace")
    try:
        # The release name does not matter. The chart itself rejects a namespace that is not a string.
        helm.template(
            "service",
            chart_directory(),
            values,
            namespace=namespace if isinstance(namespace, str) else "default",
        )
    except GpuInferenceError as error:
        problems = str(error).removeprefix(f"Helm: {TEMPLATE_ERROR_PREFIX}").strip()
        raise GpuInferenceError(f"{name} cannot be deployed:\n{problems}") from error


def values_text(values: Mapping[str, Any]) -> str:
    """Return values as the text of a YAML file."""
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)


def _read(source: Path | Document, default_name: str) -> tuple[str, Document]:
    """Return the name that messages use for a document, and its content."""
    if not isinstance(source, Path):
        return default_name, source
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
        # Some of these files are YAML. YAML also accepts the trailing comma that JSON rejects.
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
                f"Error parsing {name}: computeType {compute_type} is not an AksWebservice;"
                " only aks can be converted."
            )
        case _:
            raise GpuInferenceError(f"Error parsing {name}: unknown deployment type: {compute_type}")


def _flattened(name: str, content: Document) -> Iterator[tuple[str, Any]]:
    """Yield each key as a dotted path with its value; skip null, which means the same as a missing key."""
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


def _ignored_key(name: str, key: str) -> str:
    why = _NEVER_READ.get(key)
    return f"{name}: {key} is left out: Azure ML did not read it" + (f"; {why}." if why else ".")


def _apply_v1_autoscaling(name: str, deployment: dict[str, Any]) -> Iterator[str]:
    """Enable the autoscaler where v1 enabled it by default; yield warnings about it."""
    enabled = deployment.get("autoscale_enabled")
    if not enabled:
        # The SDK treated 0 as not set.
        for option in _AUTOSCALER_OPTIONS:
            if not deployment.get(option):
                deployment.pop(option, None)
    if enabled is None and deployment.keys().isdisjoint(("num_replicas", *_AUTOSCALER_OPTIONS)):
        enabled = deployment["autoscale_enabled"] = True
        yield f"{name} has no numReplicas; v1 used an autoscaler in that case, and so does the chart."
    if enabled:
        yield (
            "The autoscaler needs KEDA in the cluster, or a metric that you provide:"
            " see autoscaling.engine in the chart's README."
        )


def _drop_without_destination(name: str, flat: Document, deployment: dict[str, Any]) -> Iterator[str]:
    """Drop settings for data that v1 sent to the workspace; yield which value sets a destination instead."""
    for key, (destination, example) in _NEEDS_DESTINATION.items():
        parameter = _PARAMETERS[key]
        if flat.get(key) is True:
            del deployment[parameter]
            yield (
                f"{name}: {key} is left out, because there is no Azure ML workspace to send the data to."
                f" To enable it, set deployment.{parameter} to true and {destination} to {example}."
            )


def _gpus_needed(deployment: Document) -> int | None:
    """Return the GPUs of all replicas, or None if the input is invalid (the values' check reports why)."""
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
        raise GpuInferenceError(f"{name}: environment.environmentVariables should map names to strings.")
    for variable, value in given.items():
        if not isinstance(value, str):
            raise GpuInferenceError(
                f"{name}: the environment variable {variable} is not a string but {value!r}.",
                "Put its value in quotation marks.",
            )
        yield {"name": str(variable), "value": value}


def _shared_memory_gb(name: str, inference: Document) -> float | None:
    """Return environment.docker.shmSize (a number of bytes with a unit, as Docker reads it) in GiB."""
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
