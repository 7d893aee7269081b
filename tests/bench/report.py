"""Turns what was measured into the table of goals, the table of all servers, and files."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.arithmetic import Spread
from tests.bench.findings import Finding
from tests.bench.overload import LoadPoint
from tests.bench.plan import ALL_RIVALS, CONTENDERS, GOALS, Goal
from tests.bench.slices import Measured, Slice

# What a process must have used of the whole to be told apart in the table.
_SMALL_PART = 0.02
# Lines of the table of goals that are about requests a second.
_THROUGHPUT = {1, 2, 3, 4, 5, 6, 7, 9, 10, 11}


@dataclass
class Results:
    """Everything of one run."""

    machine: dict[str, str]
    command: str
    versions: dict[str, str]
    """Of each server: its version, or why it is not there."""
    conditions: list[str]
    """What else ran, and how it is known that the clients were not what limited."""
    measured: Measured
    findings: list[Finding] = field(default_factory=list)
    load_points: list[LoadPoint] = field(default_factory=list)
    seconds: float = 0.0


def judge(goal: Goal, measured: Measured) -> Finding:
    """Hold one ratio to its goal."""
    wanted = f"{goal.goal:g}x"
    reason = measured.missing.get((goal.group, goal.contender)) or measured.missing.get(
        (goal.group, "incumbent")
    )
    ratio = measured.ratio(goal.group, goal.contender, goal.measure)
    if reason or not ratio.count:
        return Finding(
            goal.row, goal.what, wanted, f"not measured: {reason or 'no slices'}", None, spike=goal.spike
        )
    reached, met = f"{ratio.median:.2f}x ({ratio.low:.2f}-{ratio.high:.2f})", ratio.median >= goal.goal
    own = measured.of(goal.group, goal.contender)
    if goal.measure == "cpu":
        statuses = sorted({status for one in own for status in one.statuses})
        reached += f", answers {', '.join(map(str, statuses)) or 'none'}"
        met = met and bool(statuses) and all(400 <= status < 500 for status in statuses)
    elif failures := _added(one.bad for one in own):
        reached += f"; failed: {_listed(failures)}"
        met = False
    return Finding(
        goal.row,
        goal.what,
        wanted,
        reached,
        met,
        value=ratio.median,
        peer=_best_peer(goal, measured),
        cpu=_cpu(goal, measured),
        spike=f"{goal.spike} ({goal.rival})",
    )


def judged(measured: Measured, rows: set[int] | None) -> list[Finding]:
    """Hold every ratio of some rows (of all: None) to its goal."""
    return [judge(goal, measured) for goal in GOALS if rows is None or goal.row in rows]


def _best_peer(goal: Goal, measured: Measured) -> str:
    names = [*ALL_RIVALS, "PyTriton binary"]
    ratios = [(measured.ratio(goal.group, name, goal.measure).median, name) for name in names]
    present = [pair for pair in ratios if not math.isnan(pair[0])]
    if not present:
        return "-"
    ratio, name = max(present)
    return f"{name} {ratio:.2f}x"


def _cpu(goal: Goal, measured: Measured) -> str:
    ours, theirs = (
        measured.spread(goal.group, name, "cpu_us").median for name in (goal.contender, "incumbent")
    )
    return f"{ours:.0f} / {theirs:.0f}"


def goals_table(findings: Sequence[Finding]) -> str:
    """Return the table of goals as Markdown."""
    lines = [
        "| # | work | goal | reached | met | best peer | CPU µs: ours / incumbent | prototype (peer) |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for finding in sorted(findings, key=lambda one: one.row):
        met = {True: "yes", False: "no", None: "-"}[finding.met]
        cells = [
            str(finding.row),
            finding.what,
            finding.goal,
            finding.reached,
            met,
            finding.peer,
            finding.cpu,
            finding.spike,
        ]
        lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join(lines)


def brief(results: Results) -> str:
    """Return what the README shows: how many requests a second, as times the incumbent's, and one plot."""
    machine = results.machine
    lines = [
        "Requests a second as times those of v1's own server, in one run of `make bench` "
        f"({machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}, "
        f"Python {machine['python']}, commit {machine['commit']}). "
        "c: connections; 1c, 2c: cores of the server.",
        "",
        "| work | here | best of KServe and PyTriton |",
        "| --- | --- | --- |",
    ]
    lines += [
        f"| {_cell(finding.what)} | {finding.value:.1f}x | {finding.peer} |"
        for finding in sorted(results.findings, key=lambda one: one.row)
        if finding.value is not None and finding.row in _THROUGHPUT
    ]
    lines += ["", "![Throughput by connections](docs/performance/throughput-by-connections.svg)"]
    return "\n".join(lines) + "\n"


def servers_table(measured: Measured) -> str:
    """Return a table of every contender in every group as Markdown."""
    lines = [
        "| work | server | x incumbent (quartiles) | requests/s | p50 ms | p99 ms | CPU µs | failed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    groups = dict.fromkeys([one.group for one in measured.slices] + [group for group, _ in measured.missing])
    for group in groups:
        for name in CONTENDERS:
            if reason := measured.missing.get((group, name)):
                lines.append(f"| {group} | {name} | {_cell(f'not measured: {reason}')} | | | | | |")
            elif own := measured.of(group, name):
                ratio = measured.ratio(group, name)
                rate, p50, p99, cpu = (
                    measured.spread(group, name, field_name).median
                    for field_name in ("rate", "p50_us", "p99_us", "cpu_us")
                )
                cells = [
                    group,
                    name,
                    f"{ratio.median:.2f} ({ratio.low:.2f}-{ratio.high:.2f})",
                    f"{rate:,.0f}",
                    _milliseconds(p50),
                    _milliseconds(p99),
                    f"{cpu:,.0f}{_parts(own)}",
                    _listed(_added(one.bad for one in own)),
                ]
                lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join(lines)


def load_table(points: Sequence[LoadPoint]) -> str:
    """Return the curve of offered loads as Markdown."""
    lines = [
        "| server | offered / capacity | offered/s | answered/s | of capacity | p50 ms | p99 ms |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for point in points:
        cells = [
            point.contender,
            f"{point.times_capacity:g}",
            f"{point.offered:,.0f}",
            f"{point.goodput:,.0f}",
            f"{point.share_of_peak:.0%}",
            _milliseconds(point.p50_us),
            _milliseconds(point.p99_us),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def document(results: Results) -> str:
    """Return the whole report as Markdown."""
    parts = [heading(results), goals_table(results.findings), servers_table(results.measured)]
    if results.load_points:
        parts.append(load_table(results.load_points))
    return "\n\n".join(parts) + "\n"


def heading(results: Results) -> str:
    """Return what a reader must know before the figures."""
    machine = results.machine
    return "\n".join(
        [
            f"`{results.command}` on {machine['processor']}, {machine['cores']} cores, "
            f"Linux {machine['kernel']}, Python {machine['python']}, "
            f"commit {machine['commit']}; {results.seconds:.0f} s.",
            "",
            *(f"- {name}: {version}" for name, version in results.versions.items()),
            *(f"- {line}" for line in results.conditions),
        ]
    )


def write(results: Results, folder: Path) -> Path:
    """Write table, slices and summary; return the table's file."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [json.dumps(one.as_json(), ensure_ascii=False) for one in results.measured.slices]
    rows += [json.dumps({"load_point": asdict(point)}, ensure_ascii=False) for point in results.load_points]
    (folder / "slices.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "summary.json").write_text(
        json.dumps(summary(results), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    (folder / "brief.md").write_text(brief(results), encoding="utf-8")
    table = folder / "report.md"
    table.write_text(document(results), encoding="utf-8")
    return table


def summary(results: Results) -> dict[str, Any]:
    """Return what is stored of a run to compare later ones with."""
    return {
        "machine": results.machine,
        "command": results.command,
        "versions": results.versions,
        "goals": [asdict(finding) for finding in sorted(results.findings, key=lambda one: one.row)],
    }


def _parts(slices: Sequence[Slice]) -> str:
    """Return how the processor time is divided among processes, where more than one has a part in it."""
    medians = []
    for place in range(max(len(one.cpu_parts_us) for one in slices)):
        parts = [one.cpu_parts_us[place] for one in slices if place < len(one.cpu_parts_us)]
        medians.append(Spread.of(parts).median)
    worth = [part for part in medians if part >= _SMALL_PART * sum(medians)]
    return f" ({' + '.join(f'{part:,.0f}' for part in worth)})" if len(worth) > 1 else ""


def _milliseconds(microseconds: float) -> str:
    return "-" if math.isnan(microseconds) else f"{microseconds / 1000:.2f}"


def _added(counts: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for what, count in one.items():
            total[what] = total.get(what, 0) + count
    return total


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{what}: {count}" for what, count in sorted(counts.items()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
