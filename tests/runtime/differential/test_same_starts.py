"""What neither server starts with: the same exit status, and a log that names the same error."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.runtime.differential.cases.failed_starts import FAILED_STARTS, FailedStart
from tests.runtime.differential.sides import Zygote, running
from tests.runtime.differential.wanted_starts import STARTS


@pytest.mark.parametrize("start", FAILED_STARTS, ids=lambda start: start.case.name)
def test_a_failed_start_ends_with_the_incumbents_error(
    start: FailedStart, zygotes: Sequence[Zygote], tmp_path: Path
) -> None:
    with running(zygotes, start.case, tmp_path) as servers:
        found = tuple("serves" if server.wait_until_ready() else server.exit_status for server in servers)
        logs = [server.log for server in servers]
    wanted = STARTS.get(start.case.name)
    report = "\n".join(
        f"--- {name}\n{log[-1500:]}" for name, log in zip(("incumbent", "ours"), logs, strict=True)
    )
    if wanted:
        assert found == wanted.exits, report
    else:
        assert found[0] == found[1] != "serves", report
    for text in start.says:
        for ended, log in zip(found, logs, strict=True):
            assert ended == "serves" or text in log, f"{text!r} is not in\n{log[-3000:]}"


def test_wanted_differences_of_starts_are_of_cases_that_exist() -> None:
    assert set(STARTS) <= {start.case.name for start in FAILED_STARTS}
