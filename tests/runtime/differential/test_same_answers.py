"""The same scripts and requests against the incumbent and our server (bare mode): the same answers."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.runtime.differential.cases import CASES
from tests.runtime.differential.cases.case import Case, ask, case, post
from tests.runtime.differential.cases.routes import ECHO
from tests.runtime.differential.comparing import as_wanted, differences, lines, shown
from tests.runtime.differential.exchange import send
from tests.runtime.differential.sides import Running, Zygote, running
from tests.runtime.differential.wanted_differences import EVERYWHERE, WANTED

_LOG_TAIL = 4500


def _answers(server: Running, case: Case) -> list[list[str]]:
    if not server.wait_until_ready():
        return [[f"no server: exit status {server.exit_status}"] for _ in case.asks]
    return [lines(send(ask, server.port), server.folder) for ask in case.asks]


@pytest.mark.parametrize("compared", CASES, ids=lambda compared: compared.name)
def test_answers_differ_from_the_incumbents_only_as_wanted(
    compared: Case, zygotes: Sequence[Zygote], tmp_path: Path
) -> None:
    with running(zygotes, compared, tmp_path) as servers, ThreadPoolExecutor() as pool:
        theirs, ours = pool.map(lambda server: _answers(server, compared), servers)
        logs = "\n".join(f"--- {server.name}\n{server.log[-_LOG_TAIL:]}" for server in servers)
    found = {
        ask.name: differences(before, after)
        for ask, before, after in zip(compared.asks, theirs, ours, strict=True)
    }
    wanted = WANTED.get(compared.name, {})
    assert set(wanted) <= set(found), (
        f"There is no such request in {compared.name!r}: {set(wanted) - set(found)}"
    )
    wrong = []
    for name, differing in found.items():
        expected = list(wanted[name].lines) if name in wanted else []
        if not as_wanted(differing, expected):
            wrong.append(f"{name!r} differs in\n" + "".join(f"    {line!r},\n" for line in differing))
            if expected:
                wrong.append("  but was wanted to in\n" + "".join(f"    {line!r},\n" for line in expected))
    if wrong:
        pytest.fail(f"{compared.name}\n{''.join(wrong)}{logs}", pytrace=False)


def test_differences_of_all_answers_show(zygotes: Sequence[Zygote], tmp_path: Path) -> None:
    asked = case("any script", ECHO, post(b"x"), ask("PUT", "/score", b"x"))
    with running(zygotes, asked, tmp_path) as servers:
        theirs, ours = (_answers(server, asked) for server in servers)
    for everywhere in EVERYWHERE:
        found = [shown(everywhere, before, after) for before, after in zip(theirs, ours, strict=True)]
        assert any(found), everywhere


def test_wanted_differences_are_of_cases_that_exist() -> None:
    assert set(WANTED) <= {case.name for case in CASES}
