"""Requests, right and wrong in every way, as bytes over real sockets (longer: tests/soak)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime.fuzz.properties import Fuzzed
from tests.runtime.fuzz.runs import fuzz_anything, fuzz_right_requests, try_each_oddity
from tests.runtime.fuzz.targets import KINDS
from tests.runtime.server_process import StartServer

# Together some seconds.
_ANYTHING = 60
_RIGHT = 20


@pytest.fixture(params=KINDS)
def fuzzed(request: pytest.FixtureRequest, start_server: StartServer, tmp_path: Path) -> Iterator[Fuzzed]:
    kind = KINDS[request.param]
    fuzzed = Fuzzed(kind, kind.start(start_server, tmp_path / "keys"))
    yield fuzzed
    fuzzed.check_rest()


def test_whatever_is_sent_the_server_answers_well_and_serves_on(fuzzed: Fuzzed) -> None:
    try_each_oddity(fuzzed)
    fuzz_right_requests(fuzzed, _RIGHT)
    fuzz_anything(fuzzed, _ANYTHING)
