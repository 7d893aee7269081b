"""The check itself: `python -m gpu`, which check.sh starts in an environment that it makes."""

import argparse
import datetime
import os
import platform
import signal
import sys
import tempfile
import time
from pathlib import Path

from . import failures, report, throughput
from .card import Card
from .findings import Check
from .works import NETWORKS

_OUTPUT = Path(__file__).parents[2] / "dist" / "gpu"


def main() -> int:
    """Return 0 where all is as expected, 1 where something is not, 2 where there is no GPU."""
    options = _parser().parse_args()
    # What ends this program early still ends the servers, and writes what was found so far.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    card = None
    if not options.cpu:
        try:
            card = Card()
        except Exception as error:
            print(
                f"There is no GPU that can be used ({error}); --cpu tries the check without one.",
                file=sys.stderr,
            )
            return 2
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        check = Check(card, Path(work), time.monotonic() + options.seconds)
        began = time.monotonic()
        complete = False
        facts = _facts(card)

        def write() -> None:
            told = dict(facts)
            if check.bare:
                told["PyTorch"] = next(iter(check.bare.values())).versions
            told["took"] = f"{time.monotonic() - began:.0f} s" + ("" if complete else ", not complete")
            report.write(check, told, options.output)

        try:
            failures.run(check)
            write()
            for network in NETWORKS:
                throughput.measure(check, network)
                write()
            complete = True
        except KeyboardInterrupt:
            print("Ended early.", file=sys.stderr)
        finally:
            write()
    wrong = [finding for finding in check.findings if finding.ok is False]
    print(
        f"{options.output / 'report.md'}: {len(wrong)} of {len(check.findings)} findings are not as expected"
    )
    return 1 if wrong or not complete else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/gpu/check.sh", description=__doc__)
    parser.add_argument("--cpu", action="store_true", help="the same in short, on the CPU")
    parser.add_argument(
        "--seconds", type=float, default=420.0, help="after which no step is begun (%(default)s)"
    )
    parser.add_argument("--work", type=Path, help="where temporary files go")
    parser.add_argument(
        "--output", type=Path, default=Path(os.environ.get("OUT") or _OUTPUT), help="the folder of the report"
    )
    return parser


def _facts(card: Card | None) -> dict[str, str]:
    facts = {"card": "none (CPU)"}
    if card:
        facts = {"card": card.name, "driver": card.driver, "GPU memory": f"{card.memory_mib:.0f} MiB"}
    return facts | {
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, {platform.machine()}",
        "Python": platform.python_version(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": "tests/gpu/check.sh" + ("" if card else " --cpu"),
    }


if __name__ == "__main__":
    sys.exit(main())
