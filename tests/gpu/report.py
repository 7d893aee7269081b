"""Writes what was found: Markdown to be read and put into docs, JSON to be compared, the servers' logs."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .bare import Bare
from .findings import Check, Finding, Slice
from .works import NETWORKS

_LEGEND = (
    "req/s counts answers with 200. ÷ bare: by the rows per second of the bare loop with batches of c rows."
    " Batch: requests that one call of `run()` answered on average. GPU: share of the time in which a kernel"
    " ran, and the most memory in use, by NVML. Client: share of a core that the busiest client process used;"
    " near 100 %, the clients were the limit."
)
# Of each request that went well there is a line.
_ACCESS = re.compile(r" azmlinfsrv - (\[\S+\] )?[A-Z]+ \S+ 200 ")
_WARNING = re.compile(r"^\S+ \S+ [WE] \[\d+\] ")
_LOG_LINES = 300
_MOST_WARNINGS = 12
_MOST_CHARACTERS = 300


def write(check: Check, facts: dict[str, str], folder: Path) -> None:
    """Write all files; what was written before is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"facts": facts, **check.as_json()}
    (folder / "report.json").write_text(json.dumps(_plain(content), indent=1) + "\n", encoding="utf-8")
    (folder / "report.md").write_text(_markdown(check, facts), encoding="utf-8")
    logs = sorted(check.work.glob("*.log"))
    tails = (f"==> {path.stem} <==\n{_tail(path)}\n" for path in logs)
    (folder / "logs.txt").write_text("".join(tails), encoding="utf-8")


def _plain(value: Any) -> Any:
    """The same as what JSON can hold: no NaN, no tuples."""
    if isinstance(value, dict):
        return {
            str(key): _plain(each)
            for key, each in value.items()
            if key != "expected" or isinstance(each, str)
        }
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _tail(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([line for line in lines if not _ACCESS.search(line)][-_LOG_LINES:])


def _markdown(check: Check, facts: dict[str, str]) -> str:
    parts = [
        f"# GPU check: {facts['card']}",
        "\n".join(f"- {name}: {value}" for name, value in facts.items()),
    ]
    for network, bare in check.bare.items():
        parts += [f"## {network}: {bare.title}", _bare_table(bare)]
        slices = [each for each in check.slices if each.network == network]
        if slices:
            parts.append(_slices_table(slices, bare))
    if check.slices:
        parts.append(_LEGEND)
    parts += ["## Behaviour", _findings_table(check.findings)]
    warnings = list(_warnings(check.work.glob("*.log")))
    if warnings:
        parts += [
            "## Warnings in the logs of the measured servers",
            "\n".join(f"- {each}" for each in warnings),
        ]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _bare_table(bare: Bare) -> str:
    rows = []
    for size, rate in bare.rows_per_second.items():
        use = bare.uses.get(size)
        rows.append(
            [
                f"bare loop, {size} {'row' if size == 1 else 'rows'} a call",
                _number(rate),
                _number(1000 * size / rate),
                *((f"{use.utilisation:.0f} %", f"{use.memory_mib:.0f}") if use else ("-", "-")),
            ]
        )
    texts = bare.texts_per_second
    rows.append(["`run()` in a bare loop, 1 row as JSON", _number(texts), _number(1000 / texts), "-", "-"])
    return _table(["", "rows/s", "ms a call", "GPU", "GPU MiB"], rows)


def _slices_table(slices: Sequence[Slice], bare: Bare) -> str:
    rows = []
    for each in slices:
        load = each.load
        rate = bare.rows_per_second.get(each.connections)
        rows.append(
            [
                each.mode,
                str(each.connections),
                _number(load.per_second),
                f"{load.per_second / rate:.2f}" if rate else "-",
                _number(load.p50_ms),
                _number(load.p99_ms),
                "-" if each.batch is None else f"{each.batch:.1f}",
                *(
                    (f"{load.use.utilisation:.0f} %", f"{load.use.memory_mib:.0f}")
                    if load.use
                    else ("-", "-")
                ),
                f"{load.client_busy * 100:.0f} %",
                ", ".join(f"{count} times {status}" for status, count in load.others.items()) or "none",
            ]
        )
    head = [
        "mode",
        "c",
        "req/s",
        "÷ bare",
        "p50 ms",
        "p99 ms",
        "batch",
        "GPU",
        "GPU MiB",
        "client",
        "not 200",
    ]
    return _table(head, rows)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _findings_table(findings: Sequence[Finding]) -> str:
    words = {True: "yes", False: "**no**", None: "-"}
    return _table(
        ["step", "expected", "seen", "as expected"],
        ([each.step, each.expected, _line(each.seen), words[each.ok]] for each in findings),
    )


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text)[:_MOST_CHARACTERS]


def _warnings(logs: Iterable[Path]) -> Iterable[str]:
    seen: set[tuple[Path, str]] = set()
    for path in sorted(logs):
        if not path.stem.startswith(NETWORKS):
            continue
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            text = _WARNING.sub("", line)
            if text != line and (path, text) not in seen and len(seen) < _MOST_WARNINGS:
                seen.add((path, text))
                yield f"{path.stem}: `{_line(text)}`"
