"""GPU memory in use, from NVIDIA's management library (NVML), if it is there.

A pod sees only its own GPUs, so this is the memory that the service's processes use.
"""

import ctypes
import importlib
import logging
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

# Part of the driver; the container runtime mounts it (docs/decisions.md 84).
_LIBRARY = "libnvidia-ml.so.1"

log = logging.getLogger("gpu_inference")


class GpuMemory(Collector):
    """Collects bytes used and total of each GPU or MIG device, by UUID; nothing without a driver."""

    def __init__(self) -> None:
        self._asked = False
        self._nvml: Any = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the two metrics."""
        if not self._asked:
            self._asked = True
            self._nvml = _nvml()
        if self._nvml is None:
            return
        used = GaugeMetricFamily(
            "gpu_inference_gpu_memory_used_bytes", "GPU memory in use, by any process", labels=["gpu"]
        )
        total = GaugeMetricFamily("gpu_inference_gpu_memory_total_bytes", "Total GPU memory", labels=["gpu"])
        for uuid, memory in _memories(self._nvml):
            used.add_metric([uuid], memory.used)
            total.add_metric([uuid], memory.total)
        yield used
        yield total


def _nvml() -> Any:
    """Return the initialized Python module of the library; None without the library or its driver."""
    try:
        # Import the module only if the library is there: it costs some megabytes.
        ctypes.CDLL(_LIBRARY)
        nvml = importlib.import_module("pynvml")
    except (OSError, ImportError):
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        log.warning("GPU memory is not in the metrics: %s is installed but fails: %s", _LIBRARY, error)
        return None
    return nvml


def _memories(nvml: Any) -> Iterator[tuple[str, Any]]:
    """Yield UUID and memory of each device; a GPU that fails is left out."""
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            device = nvml.nvmlDeviceGetHandleByIndex(index)
            parts = list(_mig_devices(nvml, device))
            for part in parts or [device]:
                yield nvml.nvmlDeviceGetUUID(part), nvml.nvmlDeviceGetMemoryInfo(part)
        except nvml.NVMLError:
            continue


def _mig_devices(nvml: Any, device: Any) -> Iterator[Any]:
    """Yield the MIG devices of a partitioned GPU: a pod gets those, not the whole GPU."""
    try:
        if nvml.nvmlDeviceGetMigMode(device)[0] != nvml.NVML_DEVICE_MIG_ENABLE:
            return
        count = nvml.nvmlDeviceGetMaxMigDeviceCount(device)
    except nvml.NVMLError:
        # The GPU does not support MIG.
        return
    for index in range(count):
        try:
            yield nvml.nvmlDeviceGetMigDeviceHandleByIndex(device, index)
        except nvml.NVMLError:
            # The device does not exist, or belongs to another pod.
            continue
