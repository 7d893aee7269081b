"""Loads the server with each network in each mode, beside the same network in a bare loop."""

from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import numpy as np

from . import bare
from .findings import Check, Slice
from .load import Load, load
from .servers import Server
from .works import MODES, TOLERANCE, Mode, Work, distance, scores

CONNECTIONS = (1, 8, 64)
_AT_ONCE = 16
_ROUNDS = 4


def measure(check: Check, network: str) -> None:
    """Measure one network: bare, then behind the server in each mode."""
    on_gpu = check.card is not None
    step = f"{network}: bare"

    def run_bare() -> None:
        seconds, patience = (2.0, 90.0) if on_gpu else (0.3, 40.0)
        check.bare[network] = bare.measure(network, check.environment, seconds, check.card, patience)

    check.make(step, 40 if on_gpu else 10, run_bare)
    if network not in check.bare:
        return
    work = Work(network, small=not on_gpu)
    # Modes with the same settings share a server.
    for settings, modes in groupby(MODES, lambda mode: mode.settings):
        group = list(modes)
        names = " and ".join(mode.name for mode in group)

        def run_server(settings: dict[str, str] = settings, group: list[Mode] = group) -> None:
            _measure_server(check, work, settings, group)

        check.make(f"{network}: {names}", (35 if on_gpu else 10) * len(group), run_server)


def _measure_server(check: Check, work: Work, settings: dict[str, str], modes: list[Mode]) -> None:
    warm, seconds = (1.0, 3.0) if check.card else (0.3, 1.0)
    name = f"{work.network}-{modes[0].name}"
    with check.server(name, "score.py", GPU_CHECK_NETWORK=work.network, **settings) as server:
        print(f"  ready after {server.start_seconds:.1f} s")
        for mode in modes:
            _compare(check, server, work, mode)
            for connections in CONNECTIONS:
                before = _batches(server)
                result = load(
                    server.port, work.requests(mode), connections, warm, seconds, check.work, check.card
                )
                requests, calls = (now - then for now, then in zip(_batches(server), before, strict=True))
                batch = requests / calls if calls and settings else None
                check.slices.append(Slice(work.network, mode.name, connections, result, batch))
                print(f"  {mode.name}, c={connections}: {_shown(result)}")


def _shown(result: Load) -> str:
    others = f", others: {result.others}" if result.others else ""
    return f"{result.per_second:.1f}/s, p99 {result.p99_ms:.1f} ms{others}"


def _batches(server: Server) -> tuple[float, float]:
    """Requests that were answered so far, and calls that were made for them."""
    metrics = server.metrics()
    name = "gpu_inference_batch_requests"
    return metrics.get(f"{name}_sum", 0.0), metrics.get(f"{name}_count", 0.0)


def _compare(check: Check, server: Server, work: Work, mode: Mode) -> None:
    """Ask for several rows at once, when they could be mixed up, and compare with the bare network."""
    expected = [np.array([row]) for row in check.bare[work.network].expected]
    requests = work.requests(mode)
    numbers = [number for _ in range(_ROUNDS * _AT_ONCE // len(requests)) for number in range(len(requests))]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(lambda number: server.exchange(requests[number]), numbers))
    distances = [
        distance(scores(answer.body, mode), expected[number])
        for number, answer in zip(numbers, answers, strict=True)
        if answer.status == 200
    ]
    right = sum(each <= TOLERANCE for each in distances)
    worst = f", the worst score off by {max(distances):.0e} of the largest" if distances else ""
    others = sorted({answer.status for answer in answers} - {200})
    check.found(
        f"{work.network}: {mode.name}",
        f"{len(numbers)} answers, {_AT_ONCE} at once, are those of the bare network",
        f"{right} are{worst}" + (f"; also {others} came" if others else ""),
        right == len(numbers),
    )
