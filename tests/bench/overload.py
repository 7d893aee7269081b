"""More requests than can be answered: how many are still answered, and how soon the others are told."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.findings import Finding
from tests.bench.load import Generator, LoadResult, Moment, Phase
from tests.bench.servers import MODES, Server, Spec, Starter
from tests.bench.workloads import Requests

from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Progress

TIMES_CAPACITY = 3.0
QUEUE_SECONDS = int(MODES["front end"]["GPU_INFERENCE_MAX_QUEUE_WAIT_MS"]) / 1000
LOADS = (0.25, 0.5, 0.75, 0.9, 1.1, 1.5, 3.0)
"""Offered loads of the curve, in parts of a server's own capacity."""
_USUAL_LOAD = 0.5
_BEFORE_SECONDS, _OVERLOAD_SECONDS, _AFTER_SECONDS = 2.0, 4.0, 3.0
_MOMENT_SECONDS = 0.1
_MOST_CONNECTIONS = 2000
_CLIENT_SECONDS = 5.0
# Enough to keep a server busy, and few enough that none waits for the queue's deadline.
_BUSY_CONNECTIONS = 16
_FAST_REFUSAL_US = 10_000.0


@dataclass(frozen=True)
class LoadPoint:
    """What a server did at one offered load."""

    contender: str
    times_capacity: float
    offered: float
    goodput: float
    """Good answers a second."""
    share_of_peak: float
    p50_us: float
    p99_us: float


class OverloadTrial:
    """Runs the open loops; each server is alone while it is measured."""

    def __init__(self, starter: Starter, generator: Generator, progress: Progress) -> None:
        self._starter = starter
        self._generator = generator
        self._progress = progress

    def findings(self, model: str, repeats: int) -> list[Finding]:
        """Overload our server with a queue, and say how it bore it."""
        spec = Spec("ours", model, mode="front end")
        what = f"{TIMES_CAPACITY:.0f}x overload, {model}"
        try:
            with self._progress.step(what), self._starter.serving(spec) as (server, requests):
                results = []
                for repeat in range(repeats):
                    peak = self._peak(server, requests)
                    results.append((peak, self._overloaded(server, requests, peak, repeat)))
        except GpuInferenceError as error:
            return [Finding(12, what, "goodput ≥ 95 %", f"not measured: {error}", None)]
        return _judged(what, results)

    def curve(self, specs: Sequence[tuple[str, Spec]], seconds: float) -> list[LoadPoint]:
        """Measure latency and goodput by offered load, for plots."""
        points = []
        for name, spec in specs:
            try:
                with (
                    self._progress.step(f"offered load: {name}"),
                    self._starter.serving(spec) as (server, requests),
                ):
                    peak = self._peak(server, requests)
                    for times in LOADS:
                        points.append(self._point(name, server, requests, times, peak, seconds))
                        # Whatever it still computes for clients that have gone comes first.
                        server.exchange(requests.files[0].read_bytes(), timeout=120)
            except (GpuInferenceError, OSError) as error:
                self._progress.say(f"  {name} is left out of the curve: {error}")
        return points

    def _peak(self, server: Server, requests: Requests) -> float:
        result = self._generator.load(
            server.port, requests.files, _BUSY_CONNECTIONS, [Phase(1.5)], warmup_seconds=0.5
        )
        if not result.phases[0].good:
            raise GpuInferenceError(f"no good answer: {result.phases[0].bad}")
        return result.phases[0].rate

    def _overloaded(self, server: Server, requests: Requests, peak: float, repeat: int) -> LoadResult:
        phases = [
            Phase(_BEFORE_SECONDS, _USUAL_LOAD * peak),
            Phase(_OVERLOAD_SECONDS, TIMES_CAPACITY * peak),
            Phase(_AFTER_SECONDS, _USUAL_LOAD * peak),
        ]
        return self._generator.load(
            server.port,
            requests.files,
            _MOST_CONNECTIONS,
            phases,
            warmup_seconds=0.3,
            timeout_seconds=_CLIENT_SECONDS,
            drain_seconds=_CLIENT_SECONDS + 1,
            seed=repeat + 1,
        )

    def _point(
        self, name: str, server: Server, requests: Requests, times: float, peak: float, seconds: float
    ) -> LoadPoint:
        result = self._generator.load(
            server.port,
            requests.files,
            _MOST_CONNECTIONS,
            [Phase(seconds, times * peak)],
            warmup_seconds=0.5,
            timeout_seconds=_CLIENT_SECONDS,
            drain_seconds=_CLIENT_SECONDS + 1,
        )
        goodput = sum(moment.completed for moment in result.moments) / seconds
        latency = result.phases[0].accepted
        return LoadPoint(
            contender=name,
            times_capacity=times,
            offered=times * peak,
            goodput=goodput,
            share_of_peak=goodput / peak,
            p50_us=latency.percentile(50),
            p99_us=latency.percentile(99),
        )


def seconds_until_normal(moments: Sequence[Moment], overload_ends: int, longest_us: float) -> float:
    """Return how long after the overload the last refusal, failure or slow answer was due.

    Args:
        moments: tenths of a second of the whole run.
        overload_ends: the first of them after the overload.
        longest_us: what counts as slow.
    """
    last = overload_ends
    for place in range(overload_ends, len(moments)):
        if moments[place].other or moments[place].slowest_us > longest_us:
            last = place + 1
    return (last - overload_ends) * _MOMENT_SECONDS


def _judged(what: str, results: Sequence[tuple[float, LoadResult]]) -> list[Finding]:
    begins = round(_BEFORE_SECONDS / _MOMENT_SECONDS)
    ends = begins + round(_OVERLOAD_SECONDS / _MOMENT_SECONDS)
    goodputs, slowest_refusals, p99_refusals, p99_accepted, normal = [], [], [], [], []
    refused = told = other = 0
    for peak, result in results:
        before, overload, _ = result.phases
        completed = sum(moment.completed for moment in result.moments[begins:ends])
        goodputs.append(completed / _OVERLOAD_SECONDS / peak)
        refused += overload.refused.total
        told += overload.retry_after
        other += sum(overload.bad.values()) - overload.refused.total
        slowest_refusals.append(overload.refused.percentile(100))
        p99_refusals.append(overload.refused.percentile(99))
        p99_accepted.append(overload.accepted.percentile(99))
        slow = max(5 * before.accepted.percentile(99), 20_000.0)
        normal.append(seconds_until_normal(result.moments, ends, slow))
    goodput = min(goodputs)
    all_told = refused > 0 and other == 0 and told == refused
    fast = all_told and max(slowest_refusals) < _FAST_REFUSAL_US
    refusals = f"{told} of {refused + other} by 503 + Retry-After"
    if refused:
        refusals += f", p99 {max(p99_refusals) / 1000:.1f} ms, slowest {max(slowest_refusals) / 1000:.1f} ms"
    accepted = max(p99_accepted)
    return [
        Finding(12, f"{what}: goodput", "≥ 95 % of peak", f"{goodput:.0%}", goodput >= 0.95, goodput),
        Finding(12, f"{what}: refusals", "every one 503 + Retry-After, < 10 ms", refusals, fast),
        Finding(
            12,
            f"{what}: p99 of the accepted",
            f"≤ {QUEUE_SECONDS * 1000:.0f} ms (the queue's deadline)",
            "none accepted" if math.isnan(accepted) else f"{accepted / 1000:.0f} ms",
            accepted <= QUEUE_SECONDS * 1e6,
        ),
        Finding(12, f"{what}: normal again after", "≤ 1 s", f"{max(normal):.1f} s", max(normal) <= 1.0),
    ]
