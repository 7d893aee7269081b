"""The command that measures: `python -m tests.bench` (or `make bench`)."""

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench import environments, plots, report, stored
from tests.bench.clinging import ClingingTrial
from tests.bench.load import Generator
from tests.bench.overload import OverloadTrial
from tests.bench.plan import Group, groups
from tests.bench.processes import two_cores
from tests.bench.report import Results
from tests.bench.servers import Spec, Starter
from tests.bench.slices import Slicer
from tests.bench.starting import StartTrial, machine
from tests.bench.workloads import Workloads

from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Progress

OUTPUT = environments.CHECKOUT / "dist" / "bench"
DOCS = environments.CHECKOUT / "docs"
ROUNDS, ROUNDS_FULL = 3, 9
_CEILING_SECONDS = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or use the newest measurement; return the exit status."""
    options = _parser().parse_args(arguments)
    # Servers are ended in `finally` blocks: the signal that ends commands must reach them like Ctrl-C, and
    # Ctrl-C also where a shell has started us in the background.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        if options.write_docs:
            _write_docs()
            return 0
        results = _measure(options)
        print(report.goals_table(results.findings))
        if options.store:
            stored.store(OUTPUT)
        if options.check:
            return _check(results)
    except KeyboardInterrupt:
        print("interrupted; every server has been ended", file=sys.stderr)
        return 130
    except GpuInferenceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds, MLServer too, and the curves")
    parser.add_argument("--only", metavar="ROWS", help="lines of the table of goals, as in 1,2,12")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a usual slice is (1)")
    parser.add_argument("--rounds", type=int, help=f"slices of each server ({ROUNDS}; full {ROUNDS_FULL})")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the slices' order")
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 where a ratio is far below the stored one"
    )
    parser.add_argument("--store", action="store_true", help="make this run the stored one")
    parser.add_argument(
        "--write-docs", action="store_true", help="put the newest run into README.md and docs/"
    )
    return parser


def _measure(options: argparse.Namespace) -> Results:
    began = time.monotonic()
    progress = Progress()
    try:
        server_core, client_core = two_cores()
    except ValueError:
        raise GpuInferenceError(
            "The benchmark needs two cores: one for the server, one for its clients."
        ) from None
    rows = {int(row) for row in options.only.split(",")} if options.only else None
    wanted = [group for group in groups(options.full) if rows is None or rows & set(group.rows)]
    program = environments.generator_program(progress)
    pythons, versions, missing = _peers(wanted, options.full and rows is None, progress)
    os.sched_setaffinity(0, {server_core, client_core})
    shutil.rmtree(OUTPUT / "work", ignore_errors=True)
    workloads = Workloads(OUTPUT / "work")
    starter = Starter(workloads, OUTPUT / "logs", pythons, server_core)
    generator = Generator(program, client_core)
    slicer = Slicer(starter, workloads, generator, progress, options.seed)
    rounds = options.rounds or (ROUNDS_FULL if options.full else ROUNDS)
    proof = [
        f"load average of the machine before: {os.getloadavg()[0]:.1f}",
        *_prove(generator, workloads, server_core),
    ]
    measured = slicer.measure(wanted, rounds, options.seconds, missing)
    results = Results(
        machine=machine(), command=_command(), versions=versions, conditions=proof, measured=measured
    )
    results.findings = report.judged(measured, rows)
    if rows is None or 12 in rows:
        overload = OverloadTrial(starter, generator, progress)
        for model in ("numpy", "gpu"):
            results.findings += overload.findings(model, 3 if options.full else 1)
        specs = [
            ("ours", Spec("ours", "numpy", mode="front end")),
            ("incumbent", Spec("incumbent", "numpy")),
        ]
        if options.full:
            peers = {"KServe": "kserve", "PyTriton": "pytriton", "MLServer": "mlserver"}
            specs += [(name, Spec(peer, "numpy")) for name, peer in peers.items() if peer in pythons]
        results.load_points = overload.curve(specs, options.seconds * (3 if options.full else 1))
    if rows is None or 13 in rows:
        clinging = ClingingTrial(starter, generator, progress)
        results.findings += clinging.stalled(3 if options.full else 2, 2 * options.seconds)
        results.findings += clinging.abandoned()
    if rows is None or 15 in rows:
        results.findings += StartTrial(starter, workloads, generator, progress).findings(
            5 if options.full else 3
        )
    busiest = max((one.generator_share for one in measured.slices), default=0.0)
    results.conditions.append(f"the busiest slice used {busiest:.0%} of the clients' core")
    results.seconds = time.monotonic() - began
    table = report.write(results, OUTPUT)
    plots.write(results, wanted, OUTPUT)
    progress.say(f"{table}: the whole report; beside it slices.jsonl, summary.json and plots")
    return results


def _peers(
    wanted: Sequence[Group], also_alone: bool, progress: Progress
) -> tuple[dict[str, Path], dict[str, str], dict[str, str]]:
    """Return the peers' interpreters, every version, and why a peer is missing."""
    pythons: dict[str, Path] = {}
    versions = {"incumbent": _incumbent_version()}
    missing: dict[str, str] = {}
    for peer in environments.PEERS:
        needed = any(name.lower().startswith(peer) for group in wanted for name in group.contenders)
        if not needed and not also_alone:
            continue
        versions[peer] = environments.peer_version(peer)
        try:
            pythons[peer] = environments.peer_python(peer, progress)
        except GpuInferenceError as error:
            missing[peer] = f"not installed: {error.what.splitlines()[0]}"
            versions[peer] += f", {missing[peer]}"
    return pythons, versions, missing


def _incumbent_version() -> str:
    environments.incumbent_python()
    folders = environments.INCUMBENT.parents[1].glob(
        "lib/*/site-packages/azureml_inference_server_http-*.dist-info"
    )
    return "azureml-inference-server-http " + next(folders).name.removesuffix(".dist-info").rpartition("-")[2]


def _prove(generator: Generator, workloads: Workloads, server_core: int) -> list[str]:
    request = workloads.requests("row", "v1", "echo").files[0]
    result = generator.ceiling(request, 64, _CEILING_SECONDS, server_core)
    cost = result.cpu_seconds / result.total * 1e6
    return [
        f"the load generator costs {cost:.0f} µs a request of 6 kB; against a server that does nothing it "
        f"reaches {result.phases[0].rate:,.0f} requests/s with 64 connections"
    ]


def _command() -> str:
    return " ".join(["python -m tests.bench", *sys.argv[1:]])


def _check(results: Results) -> int:
    sentences = stored.worse(results.findings, stored.read_stored())
    for sentence in sentences:
        print(sentence)
    if not sentences:
        print("Nothing is far below the stored run.")
    return 1 if sentences else 0


def _write_docs() -> None:
    newest = OUTPUT / "report.md"
    if not newest.exists():
        raise GpuInferenceError("Nothing has been measured yet.", "make bench")
    stored.put_between_markers(DOCS / "performance.md", newest.read_text(encoding="utf-8"))
    pictures = DOCS / "performance"
    pictures.mkdir(exist_ok=True)
    for plot in OUTPUT.glob("*.svg"):
        shutil.copy(plot, pictures / plot.name)
    brief = (OUTPUT / "brief.md").read_text(encoding="utf-8")
    stored.put_between_markers(environments.CHECKOUT / "README.md", brief)


if __name__ == "__main__":
    sys.exit(main())
