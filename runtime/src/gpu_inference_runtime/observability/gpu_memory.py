"""How full the GPUs' memory is, from NVIDIA's management library where there is one, whoever uses it.

A pod sees its own GPUs alone, so that this is what the service's processes take, and what is left of it.
"""

import ctypes
import importlib
import logging
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

# Part of the driver; a container has it where its runtime puts it in (docs/decisions.md 84).
_LIBRARY = "libnvidia-ml.so.1"

log = logging.getLogger("gpu_inference")


class GpuMemory(Collector):
    """Bytes used and in all, of each GPU or MIG device, by its UUID. Nothing where there is no driver."""

    def __init__(self) -> None:
        self._asked = False
        self._nvml: Any = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the two metrics as they are now."""
        if not self._asked:
            self._asked = True
            self._nvml = _nvml()
        if self._nvml is None:
            return
        used = GaugeMetricFamily(
            "gpu_inference_gpu_memory_used_bytes", "Memory in use, by any process", labels=["gpu"]
        )
        total = GaugeMetricFamily(
            "gpu_inference_gpu_memory_total_bytes", "Memory that the GPU has", labels=["gpu"]
        )
        for uuid, memory in _memories(self._nvml):
            used.add_metric([uuid], memory.used)
            total.add_metric([uuid], memory.total)
        yield used
        yield total


def _nvml() -> Any:
    """Return the library's Python module, ready for use; None without the library or its driver."""
    try:
        # A module of some megabytes, for those that have the library alone.
        ctypes.CDLL(_LIBRARY)
        nvml = importlib.import_module("pynvml")
    except (OSError, ImportError):
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        log.warning("GPU memory is not in the metrics: %s is there but says %s", _LIBRARY, error)
        return None
    return nvml


def _memories(nvml: Any) -> Iterator[tuple[str, Any]]:
    """Yield UUID and memory of all that can be asked; a GPU that has failed is left out."""
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            device = nvml.nvmlDeviceGetHandleByIndex(index)
            parts = list(_mig_devices(nvml, device))
            for part in parts or [device]:
                yield nvml.nvmlDeviceGetUUID(part), nvml.nvmlDeviceGetMemoryInfo(part)
        except nvml.NVMLError:
            continue


def _mig_devices(nvml: Any, device: Any) -> Iterator[Any]:
    """Yield the parts of a GPU that is cut up: it is them that a pod has, not the whole."""
    try:
        if nvml.nvmlDeviceGetMigMode(device)[0] != nvml.NVML_DEVICE_MIG_ENABLE:
            return
        count = nvml.nvmlDeviceGetMaxMigDeviceCount(device)
    except nvml.NVMLError:
        # A GPU that cannot be cut.
        return
    for index in range(count):
        try:
            yield nvml.nvmlDeviceGetMigDeviceHandleByIndex(device, index)
        except nvml.NVMLError:
            # Room for a part that does not exist, or is another pod's.
            continue
