"""Compares a run with the stored one, and puts a run's table into the documents."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.findings import Finding

from gpu_inference.errors import GpuInferenceError

MARGIN = 0.6
"""A run may reach this part of what the stored one reached: short slices move, and machines differ."""
STORED = Path(__file__).parent / "results" / "stored.json"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def worse(findings: Sequence[Finding], stored: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each number that is well below the stored one, or is gone."""
    now = {_name(finding.row, finding.what): finding for finding in findings}
    sentences = []
    for old in stored["goals"]:
        name = _name(old["row"], old["what"])
        if old["value"] is None or name not in now:
            continue
        value = now[name].value
        if value is None:
            sentences.append(f"{name}: {now[name].reached}; stored: {old['reached']}.")
        elif value < MARGIN * old["value"]:
            sentences.append(
                f"{name}: {now[name].reached}, less than {MARGIN:g} of the stored {old['reached']}."
            )
    return sentences


def read_stored() -> dict[str, Any]:
    """Return the stored run.

    Raises:
        GpuInferenceError: there is none.
    """
    if not STORED.exists():
        raise GpuInferenceError("No run is stored to compare with.", "python -m tests.bench --store")
    content: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))
    return content


def store(folder: Path) -> None:
    """Make the newest run the stored one."""
    STORED.parent.mkdir(exist_ok=True)
    shutil.copy(folder / "summary.json", STORED)


def put_between_markers(page: Path, content: str) -> None:
    """Replace what stands between a page's two markers.

    Raises:
        GpuInferenceError: the page has no such markers.
    """
    text = page.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise GpuInferenceError(f"{page} does not have {BEGIN} and {END} in this order.")
    page.write_text(f"{head}{BEGIN}\n{content.strip()}\n{END}{tail}", encoding="utf-8")


def _name(row: int, what: str) -> str:
    return f"{row} {what}"
