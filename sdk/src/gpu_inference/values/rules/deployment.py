"""Rules between the parameters of `deployment.*`, in the SDK's words, and the service's name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_inference.values.chart import ChartValues

_SERVICE_NAME = re.compile(r"[a-z][-a-z0-9]{1,30}[a-z0-9]")
SERVICE_NAME_MESSAGE = (
    "Error, provided service name is invalid. It must only consist of lowercase letters, numbers, or dashes,"
    " start with a letter, end with a letter or number, and be between 3 and 32 characters long."
)


def is_service_name(name: str) -> bool:
    """Tell whether Azure ML v1 would have taken this name for a service."""
    return _SERVICE_NAME.fullmatch(name) is not None


def problems(values: ChartValues) -> Iterator[str]:
    """Yield one sentence for each rule that the parameters break."""
    given = values.deployment
    if given.cpu_cores_limit is not None and given.cpu_cores_limit < given.cpu_cores:
        yield "Invalid configuration, cpu_cores_limit must be greater than or equal to cpu_cores."
    if given.memory_gb_limit is not None and given.memory_gb_limit < given.memory_gb:
        yield "Invalid configuration, memory_gb_limit must be greater than or equal to memory_gb."
    if values.fullname_override and not is_service_name(values.fullname_override):
        yield f'{SERVICE_NAME_MESSAGE} (It is "{values.fullname_override}".)'
