"""Measures in short slices, interleaved and shuffled, so that what moves the machine moves every server."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from tests.bench.arithmetic import Spread, nearest_ratios
from tests.bench.load import Generator, Phase
from tests.bench.plan import CONTENDERS, Group, servers_of
from tests.bench.servers import Server, Spec, Starter
from tests.bench.workloads import Requests, Workloads

from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Progress

WARMUP_SECONDS = 0.2
# Before the first slice of a contender: its caches, its pools, its compiled functions.
_FIRST_SECONDS = 0.5
# A slow server with many connections gets a longer slice: each connection must have its turn, and twice.
_TURNS = 2
_LONGEST_WARMUP_SECONDS, _LONGEST_SECONDS = 6.0, 12.0
# What is still under way at the end of a slice must not burden the next one.
_DRAIN_SECONDS = 60.0


@dataclass(frozen=True)
class Slice:
    """One second or so of one contender."""

    group: str
    contender: str
    at: float
    """When it ended, by the monotonic clock."""
    rate: float
    """Good answers a second; where refusals are asked for, answers a second."""
    p50_us: float
    p99_us: float
    cpu_us: float
    """Processor time of the server for each answer."""
    cpu_parts_us: list[float]
    """The same of each of its processes, the busiest first."""
    statuses: dict[int, int]
    bad: dict[str, int]
    generator_share: float
    """How much of one core the clients used."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return asdict(self) | {"statuses": {str(code): count for code, count in self.statuses.items()}}


@dataclass
class Measured:
    """All slices, and which contenders there is nothing of, with the reason."""

    slices: list[Slice]
    missing: dict[tuple[str, str], str]
    """By group and contender."""

    def of(self, group: str, contender: str) -> list[Slice]:
        """Return the slices of one contender in one group."""
        return [one for one in self.slices if (one.group, one.contender) == (group, contender)]

    def ratio(self, group: str, contender: str, measure: str = "rate") -> Spread:
        """Compare a contender with the incumbent: more is better, whatever is measured."""
        name = {"rate": "rate", "p99": "p99_us", "cpu": "cpu_us"}[measure]
        own, base = (
            [(one.at, float(getattr(one, name))) for one in self.of(group, who)]
            for who in (contender, "incumbent")
        )
        return Spread.of(nearest_ratios(own, base, smaller_is_better=measure != "rate"))

    def spread(self, group: str, contender: str, name: str) -> Spread:
        """Return the spread of one field of a contender's slices."""
        return Spread.of(float(getattr(one, name)) for one in self.of(group, contender))


class Slicer:
    """Starts the servers of some groups and measures them in turn."""

    def __init__(
        self, starter: Starter, workloads: Workloads, generator: Generator, progress: Progress, seed: int
    ) -> None:
        self._starter = starter
        self._workloads = workloads
        self._generator = generator
        self._progress = progress
        self._random = random.Random(seed)

    def measure(
        self, groups: Sequence[Group], rounds: int, scale: float, not_installed: dict[str, str]
    ) -> Measured:
        """Measure every group in so many rounds.

        Args:
            groups: what is to be measured.
            rounds: how many slices of each contender.
            scale: how much longer or shorter than planned a slice is.
            not_installed: peers that there are none of here, by program, with the reason.
        """
        measured = Measured([], {})
        for (model, cores), sharing in servers_of(groups).items():
            with self._progress.step(
                f"{model}, {cores}c: {sum(len(group.contenders) for group in sharing)} lines"
            ):
                self._measure_sharing(sharing, rounds, scale, not_installed, measured)
        return measured

    def _measure_sharing(
        self,
        groups: Sequence[Group],
        rounds: int,
        scale: float,
        not_installed: dict[str, str],
        measured: Measured,
    ) -> None:
        rates: dict[tuple[str, str], float] = {}
        specs = {_spec(name, group) for group in groups for name in group.contenders}
        with self._running(sorted(specs, key=lambda spec: spec.label), not_installed) as (servers, failures):
            for group in groups:
                for name in group.contenders:
                    spec = _spec(name, group)
                    tried = failures.get(spec) or self._try(group, name, servers[spec])
                    if isinstance(tried, str):
                        measured.missing[group.name, name] = tried
                    else:
                        rates[group.name, name] = tried
            turns = [
                (number, group) for group in groups for number in range(max(1, round(rounds * group.rounds)))
            ]
            # Round by round, so that a group's slices are spread over the whole time.
            for _, group in sorted(turns, key=lambda turn: (turn[0], self._random.random())):
                for name in self._random.sample(group.contenders, len(group.contenders)):
                    if (group.name, name) not in measured.missing:
                        rate = rates[group.name, name]
                        measured.slices.append(
                            self._slice(group, name, servers[_spec(name, group)], scale, rate)
                        )

    @contextmanager
    def _running(
        self, specs: Sequence[Spec], not_installed: dict[str, str]
    ) -> Iterator[tuple[dict[Spec, Server], dict[Spec, str]]]:
        servers: dict[Spec, Server] = {}
        failures: dict[Spec, str] = {}
        try:
            for spec in specs:
                if reason := not_installed.get(spec.program.split()[0]):
                    failures[spec] = reason
                    continue
                requests = self._workloads.requests("row", spec.form, spec.model)
                servers[spec] = self._starter.start(spec)
                try:
                    servers[spec].wait_for(requests.files[0].read_bytes(), _checked(requests))
                except GpuInferenceError as error:
                    failures[spec] = str(error)
                    servers[spec].stop()
            yield servers, failures
        finally:
            for server in servers.values():
                server.stop()

    def _requests(self, group: Group, name: str) -> Requests:
        contender = CONTENDERS[name]
        form = contender.form or contender.spec(group.model, group.cores).form
        return self._workloads.requests(group.work, form, group.model)

    def _try(self, group: Group, name: str, server: Server) -> float | str:
        """Warm a contender up for a group; tell its rate, or what is wrong with its answers."""
        requests = self._requests(group, name)
        result = self._generator.load(
            server.port,
            requests.files,
            min(group.connections, 64),
            [Phase(_FIRST_SECONDS)],
            timeout_seconds=_DRAIN_SECONDS,
            drain_seconds=_DRAIN_SECONDS,
            shared_cores=group.cores > 1,
        )
        rate = result.total / result.elapsed
        if group.refusal:
            return rate if result.total else "no answers"
        wrong = [place for place, body in result.answers.items() if not requests.check(place, body)]
        if wrong:
            return f"wrong answers, such as {result.answers[wrong[0]][:60]!r}"
        if not result.answers:
            return f"no good answer: {result.phases[0].bad or 'none at all'}"
        return rate

    def _slice(self, group: Group, name: str, server: Server, scale: float, usual_rate: float) -> Slice:
        requests = self._requests(group, name)
        turn = group.connections / usual_rate
        meter = server.cpu()
        result = self._generator.load(
            server.port,
            requests.files,
            group.connections,
            [Phase(max(group.seconds * scale, min(_TURNS * turn, _LONGEST_SECONDS)))],
            warmup_seconds=max(WARMUP_SECONDS, min(turn, _LONGEST_WARMUP_SECONDS)),
            timeout_seconds=_DRAIN_SECONDS,
            drain_seconds=_DRAIN_SECONDS,
            shared_cores=group.cores > 1,
        )
        used = sorted(meter.microseconds(), reverse=True)
        phase = result.phases[0]
        answered = sum(phase.statuses.values())
        return Slice(
            group=group.name,
            contender=name,
            at=time.monotonic(),
            rate=answered / phase.seconds if group.refusal else phase.rate,
            p50_us=phase.accepted.percentile(50),
            p99_us=phase.accepted.percentile(99),
            cpu_us=sum(used) / result.total if result.total else float("nan"),
            cpu_parts_us=[part / result.total for part in used] if result.total else [],
            statuses=phase.statuses,
            bad={} if group.refusal else phase.bad,
            generator_share=result.share,
        )


def _checked(requests: Requests) -> Callable[[bytes], bool]:
    return lambda body: requests.check(0, body)


def _spec(name: str, group: Group) -> Spec:
    return CONTENDERS[name].spec(group.model, group.cores)
