"""What no schema can say: rules between values, in the words of the chart's templates/_validate.tpl.

tests/chart/test_rules.py holds the two to the same sentences.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from gpu_inference.values.env import RELIED_ON_BY_THE_CHART, SET_BY_THE_CHART

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_inference.values.chart import ChartValues

_SERVICE_NAME = re.compile(r"[a-z][-a-z0-9]{1,30}[a-z0-9]")
SERVICE_NAME_MESSAGE = (
    "Error, provided service name is invalid. It must only consist of lowercase letters, numbers, or dashes,"
    " start with a letter, end with a letter or number, and be between 3 and 32 characters long."
)
NOT_YET = "cannot be deployed by this version of the chart"
# The selectors of the Deployment and the Service: a pod without them would serve nothing.
SELECTOR_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component")


def is_service_name(name: str) -> bool:
    """Tell whether Azure ML v1 would have taken this name for a service."""
    return _SERVICE_NAME.fullmatch(name) is not None


def problems(values: ChartValues) -> list[str]:
    """Return one sentence for each rule that the values break."""
    return [*_deployment(values), *_cap(values), *_keys(values), *_pod(values)]


def _deployment(values: ChartValues) -> Iterator[str]:
    given = values.deployment
    if given.autoscale_enabled:
        yield f"deployment.autoscale_enabled: true {NOT_YET}: set deployment.num_replicas instead."
    if given.autoscale_enabled is False and given.num_replicas is None:
        yield "Invalid configuration, autoscale disabled but num_replicas not provided."
    if given.token_auth_enabled:
        yield f"deployment.token_auth_enabled: true {NOT_YET}: use keys (deployment.auth_enabled: true)."
    if given.collect_model_data:
        yield f"deployment.collect_model_data: true {NOT_YET}: leave it out."
    if given.enable_app_insights:
        yield f"deployment.enable_app_insights: true {NOT_YET}: leave it out."
    if given.cpu_cores_limit is not None and given.cpu_cores_limit < given.cpu_cores:
        yield "Invalid configuration, cpu_cores_limit must be greater than or equal to cpu_cores."
    if given.memory_gb_limit is not None and given.memory_gb_limit < given.memory_gb:
        yield "Invalid configuration, memory_gb_limit must be greater than or equal to memory_gb."
    if values.fullname_override and not is_service_name(values.fullname_override):
        yield f'{SERVICE_NAME_MESSAGE} (It is "{values.fullname_override}".)'


def _cap(values: ChartValues) -> Iterator[str]:
    replicas = values.deployment.num_replicas or 1
    per_pod, pool = values.deployment.gpu_cores, values.cluster.gpu_count
    if replicas * per_pod <= pool:
        return
    enough = f"cluster.gpu_count to {replicas * per_pod} if the cluster has that many GPUs for this service"
    if per_pod > pool:
        yield (
            f"deployment.gpu_cores is {per_pod}, but cluster.gpu_count is {pool}, too few for one pod: set"
            f" {enough}, or deployment.gpu_cores to 0 to run on CPU."
        )
    else:
        yield (
            f"deployment.num_replicas {replicas} with deployment.gpu_cores {per_pod} needs"
            f" {replicas * per_pod} GPUs, but cluster.gpu_count is {pool}: set deployment.num_replicas to"
            f" {pool // per_pod} or fewer, or {enough}."
        )


def _keys(values: ChartValues) -> Iterator[str]:
    given = values.deployment
    if given.secondary_key and not given.primary_key:
        yield "deployment.secondary_key is given without deployment.primary_key: give both or neither."
    if values.keys.existing_secret and (given.primary_key or given.secondary_key):
        yield (
            "keys.existingSecret and deployment.primary_key or secondary_key are both given: keep the keys in"
            " one place."
        )


def _pod(values: ChartValues) -> Iterator[str]:
    for name in SELECTOR_LABELS:
        if name in values.pod_labels:
            yield f"podLabels must not set {name}: the chart finds the service's pods by it."
    for name, times in sorted(Counter(variable.name for variable in values.extra_env).items()):
        if name in SET_BY_THE_CHART:
            yield f"extraEnv must not set {name}: the chart sets it from its own values."
        if name in RELIED_ON_BY_THE_CHART:
            yield f"extraEnv must not set {name}: the chart relies on its default."
        if times > 1:
            yield f"extraEnv sets {name} {times} times: keep one."
    for variable in values.extra_env:
        if variable.value is not None and variable.value_from is not None:
            yield f"extraEnv gives {variable.name} both value and valueFrom: keep one."
