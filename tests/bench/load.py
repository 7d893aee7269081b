"""Runs the load generator and gives its results types."""

import base64
import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.arithmetic import Histogram

from gpu_inference.errors import GpuInferenceError
from gpu_inference.process import end_group

CLIENT_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Phase:
    """How long requests are sent, and how many a second (0: each connection sends when it has its answer)."""

    seconds: float
    rate: float = 0.0


@dataclass(frozen=True)
class PhaseResult:
    """What became of the requests of one phase."""

    seconds: float
    statuses: dict[int, int]
    errors: dict[str, int]
    accepted: Histogram
    refused: Histogram
    retry_after: int
    """Refusals (503) that carry Retry-After."""
    unanswered: int

    @property
    def good(self) -> int:
        """Answers with a status of 2xx."""
        return sum(count for status, count in self.statuses.items() if 200 <= status < 300)

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.good / self.seconds

    @property
    def bad(self) -> dict[str, int]:
        """Everything else, by status or kind of error."""
        other = {str(status): count for status, count in self.statuses.items() if not 200 <= status < 300}
        unanswered = {"unanswered": self.unanswered} if self.unanswered else {}
        return other | self.errors | unanswered


@dataclass(frozen=True)
class Moment:
    """What became of the requests that were due in one tenth of a second."""

    accepted: int
    other: int
    slowest_us: float
    completed: int
    """Good answers that came in it, whenever they were due."""


@dataclass(frozen=True)
class LoadResult:
    """What a run of the generator counted."""

    phases: list[PhaseResult]
    moments: list[Moment]
    answers: dict[int, bytes]
    """The first good answer to each request, by the request's place in the list."""
    total: int
    """Every answer, those of warm-up and drain included."""
    connects: int
    cpu_seconds: float
    elapsed: float

    @property
    def share(self) -> float:
        """How much of one core the generator used."""
        return self.cpu_seconds / self.elapsed


class Generator:
    """The clients. They run on the given cores alone."""

    def __init__(self, program: Path, core: int) -> None:
        self._program = program
        self._core = core

    def load(
        self,
        port: int,
        requests: Sequence[Path],
        connections: int,
        phases: Sequence[Phase],
        *,
        warmup_seconds: float = 0.2,
        timeout_seconds: float = CLIENT_PATIENCE_SECONDS,
        drain_seconds: float = 5.0,
        shared_cores: bool = False,
        seed: int = 1,
    ) -> LoadResult:
        """Send requests in turn over so many connections; an open loop has no more connections than that.

        Raises:
            GpuInferenceError: the generator fails.
        """
        job = {
            "port": port,
            "requests": [str(path) for path in requests],
            "connections": connections,
            "warmup_seconds": warmup_seconds,
            "phases": [{"seconds": phase.seconds, "rate": phase.rate} for phase in phases],
            "timeout_seconds": timeout_seconds,
            "drain_seconds": drain_seconds,
            "seed": seed,
        }
        longest = warmup_seconds + sum(phase.seconds for phase in phases) + drain_seconds + 30
        command = self._command("load", shared_cores)
        with _started(command) as process:
            said, complaint = process.communicate(json.dumps(job).encode(), longest)
        if process.returncode:
            raise GpuInferenceError(f"The load generator failed: {complaint.decode().strip()}")
        return _result(json.loads(said))

    @contextmanager
    def holding(self, port: int, request: Path, stalled: int, idle: int) -> Iterator[dict[str, int]]:
        """Keep stalled uploads and idle connections within the block; after it their outcome is known."""
        job = {"port": port, "stalled": stalled, "idle": idle, "request": str(request), "seconds": 120}
        outcome: dict[str, int] = {}
        with _started(self._command("hold")) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
            if process.stdout.readline() != b"held\n":
                raise GpuInferenceError("The load generator could not hold connections.")
            yield outcome
            said, _ = process.communicate(timeout=30)
            outcome.update(json.loads(said))

    def ceiling(self, request: Path, connections: int, seconds: float, core: int) -> LoadResult:
        """Measure the generator itself, against a server that does nothing on another core."""
        with _started(["taskset", "--cpu-list", str(core), str(self._program), "answer"]) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps({"seconds": seconds + 1}).encode())
            process.stdin.close()
            port = int(process.stdout.readline())
            return self.load(port, [request], connections, [Phase(seconds)], drain_seconds=1)

    def _command(self, what: str, shared_cores: bool = False) -> list[str]:
        pinned = [] if shared_cores else ["taskset", "--cpu-list", str(self._core)]
        return [*pinned, str(self._program), what]


@contextmanager
def _started(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            end_group(process)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def _result(said: dict[str, Any]) -> LoadResult:
    answers = {
        place: base64.b64decode(body) for place, body in enumerate(said["answers"]) if body is not None
    }
    return LoadResult(
        phases=[_phase(phase) for phase in said["phases"]],
        moments=[
            Moment(one["accepted"], one["other"], one["slowest_us"], one["completed"])
            for one in said["moments"]
        ],
        answers=answers,
        total=said["total"],
        connects=said["connects"],
        cpu_seconds=said["cpu_seconds"],
        elapsed=said["elapsed"],
    )


def _phase(said: dict[str, Any]) -> PhaseResult:
    return PhaseResult(
        seconds=said["seconds"],
        statuses={int(status): count for status, count in said["statuses"].items()},
        errors=said["errors"],
        accepted=Histogram.of(said["accepted_us"]),
        refused=Histogram.of(said["refused_us"]),
        retry_after=said["retry_after"],
        unanswered=said["unanswered"],
    )
