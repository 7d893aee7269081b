"""What the steps of the check share: where they run, how long they may, and what they have found."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .bare import Bare
from .card import Card
from .load import Load
from .servers import Server

NO_GPU = "not run: no GPU"


@dataclass(frozen=True)
class Finding:
    """Something that was looked at."""

    step: str
    expected: str
    seen: str
    ok: bool | None = None
    """None where it was not run, or is there to be known."""


@dataclass(frozen=True)
class Slice:
    """A server under load for some seconds."""

    network: str
    mode: str
    connections: int
    load: Load
    batch: float | None
    """Requests that one call of `run()` answered on average; None without batching."""


@dataclass
class Check:
    """One run of the check.

    Args:
        card: None for a run on the CPU.
        work: a folder for logs and requests.
        end: when all has to be over, by the monotonic clock.
    """

    card: Card | None
    work: Path
    end: float
    bare: dict[str, Bare] = field(default_factory=dict)
    slices: list[Slice] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What every script is told."""
        return {"GPU_CHECK_DEVICE": "cpu" if self.card is None else "cuda"}

    def left(self) -> float:
        """Seconds that are left."""
        return self.end - time.monotonic()

    def server(self, name: str, script: str, **settings: str) -> Server:
        """A server with one of the services; used as a context."""
        return Server(name, script, self.work, self.environment | settings)

    def found(self, step: str, expected: str, seen: str, ok: bool | None = None) -> None:
        self.findings.append(Finding(step, expected, seen, ok))
        print(f"  {'not as expected: ' if ok is False else ''}{expected}: {seen}")

    def make(self, step: str, needed: float, function: Callable[[], None]) -> None:
        """Make a step if there is time for it. One that fails does not end the check."""
        print(f"{step} ({self.left():.0f} s left)")
        if self.left() < needed:
            self.found(
                step, "there is time for the step", f"not run: {self.left():.0f} of {needed:.0f} s left"
            )
            return
        try:
            function()
        except Exception as error:
            self.found(step, "the step can be made", f"{type(error).__name__}: {error}", False)

    def as_json(self) -> dict[str, Any]:
        return {
            "bare": {network: asdict(bare) for network, bare in self.bare.items()},
            "slices": [asdict(each) for each in self.slices],
            "findings": [asdict(each) for each in self.findings],
        }
