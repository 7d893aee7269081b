"""The GPU as NVIDIA's management library (NVML) sees it, which makes no CUDA context."""

import contextlib
import importlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from types import TracebackType
from typing import Any

_SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class Use:
    """How a GPU was used for a while."""

    utilisation: float
    """Mean share of the time in which a kernel ran, percent."""
    memory_mib: float
    """The most memory in use, by any process."""


class Card:
    """The first GPU.

    Raises:
        Exception: there is no driver or no GPU.
    """

    def __init__(self) -> None:
        self._nvml: Any = importlib.import_module("pynvml")
        self._nvml.nvmlInit()
        self._device = self._nvml.nvmlDeviceGetHandleByIndex(0)
        self.name = str(self._nvml.nvmlDeviceGetName(self._device))
        self.driver = str(self._nvml.nvmlSystemGetDriverVersion())
        self.memory_mib = self._nvml.nvmlDeviceGetMemoryInfo(self._device).total / 2**20

    def used_mib(self) -> float:
        """Memory in use, by any process."""
        used: int = self._nvml.nvmlDeviceGetMemoryInfo(self._device).used
        return used / 2**20

    def utilisation(self) -> float:
        """Share of the last moments in which a kernel ran, percent."""
        return float(self._nvml.nvmlDeviceGetUtilizationRates(self._device).gpu)

    def pids(self) -> list[int]:
        """The processes with a CUDA context; in a sandbox perhaps none, or by other numbers."""
        return [process.pid for process in self._nvml.nvmlDeviceGetComputeRunningProcesses(self._device)]


class Watch:
    """Looks at the card while a block runs. Without a card it sees nothing."""

    def __init__(self, card: Card | None) -> None:
        self._card = card
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._samples: list[tuple[float, float]] = []

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        # What this kind of card cannot tell is left out.
        with contextlib.suppress(Exception):
            while self._card is not None and not self._over.wait(_SAMPLE_SECONDS):
                self._samples.append((self._card.utilisation(), self._card.used_mib()))

    def use(self) -> Use | None:
        """What was seen; None where nothing was."""
        return _summed_up(self._samples) if self._samples else None


def _summed_up(samples: Sequence[tuple[float, float]]) -> Use:
    return Use(fmean(share for share, _ in samples), max(memory for _, memory in samples))
