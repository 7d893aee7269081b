"""A network in a bare loop: what there is to reach, without a server. Also the answers that are right.

As a program it does the work and writes lines of JSON. The process that measures must not do it: it would
have a CUDA context then.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .card import Card, Use, Watch
from .works import ROWS, Work

SIZES = (1, 8, 64)


class BareError(Exception):
    """The program failed; the text is what it wrote."""


@dataclass
class Bare:
    """What a network does by itself."""

    title: str = ""
    """Which network it is."""
    versions: str = ""
    """Of PyTorch and CUDA."""
    rows_per_second: dict[int, float] = field(default_factory=dict)
    """By the number of rows that one call scores, from NumPy's memory to NumPy's memory."""
    texts_per_second: float = float("nan")
    """`run()` of a body with one row: JSON in, a list out."""
    uses: dict[int, Use | None] = field(default_factory=dict)
    """Of the GPU, by the number of rows."""
    expected: list[list[float]] = field(default_factory=list)
    """The scores of each of the rows."""


def measure(
    network: str, environment: dict[str, str], seconds: float, card: Card | None, patience: float
) -> Bare:
    """Run a network in a loop for so many seconds with each number of rows.

    Raises:
        BareError: it failed, or was killed after `patience` seconds.
    """
    bare = Bare()
    process = subprocess.Popen(
        [sys.executable, "-m", "gpu.bare", network, str(seconds)],
        env={**os.environ, **environment, "GPU_CHECK_NETWORK": network},
        stdout=subprocess.PIPE,
        text=True,
    )
    killer = threading.Timer(patience, process.kill)
    killer.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            # The script may write something too.
            if line.startswith("{"):
                _take(json.loads(line), bare, process.stdout, card)
        if process.wait() or not bare.expected:
            raise BareError(f"{network} in a bare loop ended with status {process.returncode}")
    finally:
        killer.cancel()
        process.kill()
        process.wait()
    return bare


def _take(told: dict[str, Any], bare: Bare, lines: Any, card: Card | None) -> None:
    if "title" in told:
        bare.title, bare.versions = told["title"], told["versions"]
    elif "size" in told:
        with Watch(card) as watch:
            # The program may end, or be killed, meanwhile.
            rate = json.loads(next(lines, "{}")).get("rate", float("nan"))
        bare.rows_per_second[told["size"]] = rate
        bare.uses[told["size"]] = watch.use()
    elif "texts" in told:
        bare.texts_per_second = told["texts"]
    else:
        bare.expected = told["expected"]


# From here on: the program.


def main() -> None:
    import torch

    from .services import score

    seconds = float(sys.argv[2])
    work = Work(sys.argv[1], score.SMALL)
    score.init()
    _tell(
        title=score.network.title,
        versions=f"{torch.__version__}, CUDA {torch.version.cuda or 'none'}",
    )
    for size in SIZES:
        batch = work.batch(size)
        _rate(lambda batch=batch: score.predict(batch), min(seconds, 1.0))  # type: ignore[misc]
        _tell(size=size)
        _tell(rate=size * _rate(lambda batch=batch: score.predict(batch), seconds))  # type: ignore[misc]
    text = work.text(0)
    _tell(texts=_rate(lambda: score.run(text), seconds))
    rows = work.batch(ROWS)
    _tell(expected=[score.predict(rows[number : number + 1])[0].tolist() for number in range(ROWS)])


def _tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def _rate(function: Callable[[], Any], seconds: float) -> float:
    """How often a second the function can be called."""
    count, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        function()
        count += 1
    return count / (time.monotonic() - began)


if __name__ == "__main__":
    main()
