"""NVIDIA's library as its Python module calls it: a GPU, one that is cut in two, one that has failed."""
# ruff: noqa: N802, ARG002

import ctypes
from typing import Any

_WHOLE, _CUT = 10, 11
# What the library answers.
_NOT_SUPPORTED, _NOT_FOUND, _GPU_IS_LOST = 3, 6, 15


class NvmlLibrary:
    """Stands in for `ctypes.CDLL`. A device's address is all that tells one from another."""

    init_status = 0

    def __init__(self, name: str) -> None:
        assert name == "libnvidia-ml.so.1"

    def nvmlInitWithFlags(self, flags: int) -> int:
        return self.init_status

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = 3
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: Any, device: Any) -> int:
        _put(device, _WHOLE + index.value)
        return _GPU_IS_LOST if index.value == 2 else 0

    def nvmlDeviceGetMigMode(self, device: Any, current: Any, pending: Any) -> int:
        current._obj.value = 1
        return 0 if _address(device) == _CUT else _NOT_SUPPORTED

    def nvmlDeviceGetMaxMigDeviceCount(self, device: Any, count: Any) -> int:
        count._obj.value = 3
        return 0

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: Any, index: Any, part: Any) -> int:
        _put(part, 20 + index.value)
        return _NOT_FOUND if index.value == 1 else 0

    def nvmlDeviceGetUUID(self, device: Any, uuid: Any, length: Any) -> int:
        uuid.value = f"GPU-{_address(device)}".encode()
        return 0

    def nvmlDeviceGetMemoryInfo(self, device: Any, memory: Any) -> int:
        memory._obj.total, memory._obj.used = _address(device) * 2**30, 2**30
        return 0


def _put(device: Any, address: int) -> None:
    ctypes.cast(device, ctypes.POINTER(ctypes.c_void_p))[0] = ctypes.c_void_p(address)


def _address(device: Any) -> int:
    return int(ctypes.cast(device, ctypes.c_void_p).value or 0)
