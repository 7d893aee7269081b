"""Clients that hold what they do not use: stalled uploads, idle connections, abandoned requests."""

import contextlib
import math
import socket
import time

from tests.bench.arithmetic import Histogram
from tests.bench.findings import Finding
from tests.bench.load import Generator, Phase, PhaseResult
from tests.bench.servers import Server, Spec, Starter
from tests.bench.workloads import Requests

from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Progress

STALLED = IDLE = 1000
_GOAL = 1.2
_USUAL_LOAD = 0.5
_CONNECTIONS = 8
_ABANDONED = 50
# How long one call of the counting script takes, and how long its clients wait before they hang up.
_CALL_SECONDS = 0.02
_PATIENCE_SECONDS = 0.1


class ClingingTrial:
    """Measures what such clients cost the others."""

    def __init__(self, starter: Starter, generator: Generator, progress: Progress) -> None:
        self._starter = starter
        self._generator = generator
        self._progress = progress

    def stalled(self, rounds: int, seconds: float) -> list[Finding]:
        """Compare the p99 of others with and without the clinging clients; see what the incumbent does."""
        what = f"{STALLED:,} stalled uploads + {IDLE:,} idle connections: p99 of the others"
        goal = f"≤ {_GOAL}x of without"
        with self._progress.step("stalled uploads and idle connections"):
            try:
                return [self._ours(what, goal, rounds, seconds), self._incumbents()]
            except GpuInferenceError as error:
                return [Finding(13, what, goal, f"not measured: {error}", None)]

    def abandoned(self) -> list[Finding]:
        """Count the calls that are made for clients that have hung up, of ours and of the incumbent."""
        with self._progress.step("abandoned requests"):
            made = {}
            for program in ("ours", "incumbent"):
                try:
                    made[program] = self._calls_for_nobody(Spec(program, "counting"))
                except (GpuInferenceError, OSError) as error:
                    return [Finding(13, "abandoned requests", "-", f"not measured: {program} {error}", None)]
        begun = round(_PATIENCE_SECONDS / _CALL_SECONDS)
        return [
            Finding(
                13,
                f"{_ABANDONED} requests abandoned after {_PATIENCE_SECONDS:g} s: calls made for them",
                f"≤ {begun + 2} (what had begun)",
                f"{made['ours']} (incumbent {made['incumbent']})",
                made["ours"] <= begun + 2,
            )
        ]

    def _ours(self, what: str, goal: str, rounds: int, seconds: float) -> Finding:
        with self._starter.serving(Spec("ours", "numpy")) as (server, requests):
            peak = self._generator.load(
                server.port, requests.files, _CONNECTIONS, [Phase(1.0)], warmup_seconds=0.5
            )
            rate = peak.phases[0].rate * _USUAL_LOAD
            without, beside, closed = [], [], 0
            for seed in range(rounds):
                without.append(self._others(server, requests, rate, seconds, seed))
                with self._generator.holding(server.port, requests.files[0], STALLED, IDLE) as held:
                    beside.append(self._others(server, requests, rate, seconds, seed))
                closed += held["closed"] + held["refused"]
        before, after = (_merged(results).percentile(99) for results in (without, beside))
        failed = sum(sum(result.bad.values()) for result in beside)
        ratio = after / before if before else float("nan")
        reached = f"{ratio:.2f}x ({after / 1000:.1f} of {before / 1000:.1f} ms)"
        if math.isnan(ratio):
            reached = "none of the others was answered"
        if failed:
            reached += f"; {failed} requests failed"
        if closed:
            reached += f"; the server closed {closed} of the connections"
        value = None if math.isnan(ratio) else 1 / ratio
        return Finding(13, what, goal, reached, ratio <= _GOAL and not failed, value)

    def _incumbents(self) -> Finding:
        with (
            self._starter.serving(Spec("incumbent", "numpy")) as (server, requests),
            self._generator.holding(server.port, requests.files[0], 1, 0),
        ):
            result = self._others(server, requests, 50, 1.0, 0)
        reached = f"{result.good} of {result.good + sum(result.bad.values())} requests answered"
        return Finding(13, "the incumbent beside one stalled upload", "-", reached, None)

    def _others(
        self, server: Server, requests: Requests, rate: float, seconds: float, seed: int
    ) -> PhaseResult:
        result = self._generator.load(
            server.port,
            requests.files,
            _CONNECTIONS,
            [Phase(seconds, rate)],
            warmup_seconds=0.3,
            timeout_seconds=3,
            drain_seconds=3,
            seed=seed + 1,
        )
        return result.phases[0]

    def _calls_for_nobody(self, spec: Spec) -> int:
        with self._starter.serving(spec) as (server, requests):
            request = requests.files[0].read_bytes()
            _, before = server.exchange(request)
            with contextlib.ExitStack() as gone:
                for _ in range(_ABANDONED):
                    client = gone.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
                    client.sendall(request)
                time.sleep(_PATIENCE_SECONDS)
            _, after = server.exchange(request)
            return int(after) - int(before) - 1


def _merged(results: list[PhaseResult]) -> Histogram:
    return Histogram.merged(result.accepted for result in results)
