"""Tells in which lines two answers differ, once what differs from one request to the next is left out."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.runtime.differential.exchange import Reply
from tests.runtime.differential.wanted_differences import EVERYWHERE, Everywhere

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_MILLISECONDS = re.compile(r"\d+\.\d{3}")
_SAYS_ENOUGH = re.compile("no server: |status: |body: ")
_LONGEST_BODY = 2000
# Their order changes from one process to the next.
_SETS = ("Allow", "Access-Control-Allow-Methods")


def lines(reply: Reply, folder: Path) -> list[str]:
    """Return an answer line by line, from status to body; ids are numbers, times and folders words."""
    ids: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        return ids.setdefault(match[0], f"<id {len(ids) + 1}>")

    found = [f"status: {reply.status}", f"reason: {reply.reason}"]
    for name, value in reply.headers:
        if name == "Date":
            value = "<date>"
        elif name == "x-ms-server-version":
            value = re.sub(r"^gpu-inference/\d+\.\d+\.\d+$", "gpu-inference", value)
        elif name in _SETS:
            value = ", ".join(sorted(value.split(", ")))
        elif name == "x-ms-run-fn-exec-ms" and _MILLISECONDS.fullmatch(value):
            value = "<ms>"
        found.append(f"{name}: {_UUID.sub(number, value)}")
    text = reply.body.decode("latin-1").replace(str(folder), "{root}")
    found.append(f"body: {_UUID.sub(number, text)}")
    return found


def differences(incumbent: list[str], ours: list[str]) -> list[str]:
    """Return the lines of the incumbent's answer that ours lacks (-), then those that only ours has (+)."""
    if len(incumbent) == 1 or len(ours) == 1:
        # One of them did not start: of the other, status and body say enough.
        incumbent, ours = ([line for line in each if _SAYS_ENOUGH.match(line)] for each in (incumbent, ours))
    before, after = Counter(incumbent), Counter(ours)
    gone, come = [*(before - after).elements()], [*(after - before).elements()]
    for everywhere in EVERYWHERE:
        own = shown(everywhere, incumbent, ours)
        if own is not None:
            come.remove(own)
            gone = [line for line in gone if line != everywhere.incumbent]
    # What says nothing more where the other differs.
    for line, other in (("status: ", "reason: "), ("body: ", "Content-Length: ")):
        if any(each.startswith(line) for each in gone):
            gone, come = ([each for each in some if not each.startswith(other)] for some in (gone, come))
    return [_short(f"-{line}") for line in gone] + [_short(f"+{line}") for line in come]


def shown(everywhere: Everywhere, incumbent: Sequence[str], ours: Sequence[str]) -> str | None:
    """Return our line by which two answers show a difference that any may show; None where they do not."""
    if everywhere.incumbent and (everywhere.incumbent not in incumbent or everywhere.incumbent in ours):
        return None
    own = (line for line in ours if line not in incumbent and re.fullmatch(everywhere.ours, line))
    return next(own, None)


def as_wanted(found: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether these are the lines that are wanted, in whatever order; … at an end stands for the rest."""
    return len(found) == len(wanted) and all(
        line == expected or (expected.endswith("…") and line.startswith(expected[:-1]))
        for line, expected in zip(sorted(found), sorted(wanted), strict=True)
    )


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST_BODY else f"{line[:_LONGEST_BODY]}… ({len(line)} characters)"
