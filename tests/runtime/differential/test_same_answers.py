"""The same scripts and requests against the incumbent and our server (bare mode): the same answers."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.runtime.differential.cases import CASES
from tests.runtime.differential.cases.case import Case
from tests.runtime.differential.comparing import as_wanted, differences, lines
from tests.runtime.differential.exchange import send
from tests.runtime.differential.sides import Running, Zygote, running
from tests.runtime.differential.wanted_differences import WANTED

_LOG_TAIL = 4500


def _answers(server: Running, case: Case) -> list[list[str]]:
    if not server.wait_until_ready():
        return [[f"no server: exit status {server.exit_status}"] for _ in case.asks]
    return [lines(send(ask, server.port), server.folder) for ask in case.asks]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answers_are_the_incumbents_but_for_wanted_differences(
    case: Case, zygotes: Sequence[Zygote], tmp_path: Path
) -> None:
    with running(zygotes, case, tmp_path) as servers, ThreadPoolExecutor() as pool:
        theirs, ours = pool.map(lambda server: _answers(server, case), servers)
        logs = "\n".join(f"--- {server.name}\n{server.log[-_LOG_TAIL:]}" for server in servers)
    found = {
        ask.name: differences(before, after)
        for ask, before, after in zip(case.asks, theirs, ours, strict=True)
    }
    wanted = WANTED.get(case.name, {})
    assert set(wanted) <= set(found), f"There is no such request in {case.name!r}: {set(wanted) - set(found)}"
    wrong = []
    for name, shown in found.items():
        expected = list(wanted[name].lines) if name in wanted else []
        if not as_wanted(shown, expected):
            wrong.append(f"{name!r} differs in\n" + "".join(f"    {line!r},\n" for line in shown))
            if expected:
                wrong.append("  but was wanted to in\n" + "".join(f"    {line!r},\n" for line in expected))
    if wrong:
        pytest.fail(f"{case.name}\n{''.join(wrong)}{logs}", pytrace=False)


def test_wanted_differences_are_of_cases_that_exist() -> None:
    assert set(WANTED) <= {case.name for case in CASES}
