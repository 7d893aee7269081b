"""The fuzzing of tests/runtime/fuzz for long, from a seed: a failure names the seed of its round."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runtime.fuzz.openapi import fuzz_operations
from tests.runtime.fuzz.properties import Fuzzed
from tests.runtime.fuzz.runs import fuzz_anything, fuzz_right_requests
from tests.runtime.fuzz.targets import LONG_KINDS
from tests.runtime.server_process import StartServer

_EXAMPLES = 100


def for_seconds(seconds: float, seed: int, fuzz: Callable[[int], None]) -> None:
    """Fuzz round after round, each with the next seed, until the time is over."""
    end = time.monotonic() + seconds
    round_seed = seed
    while True:
        print(f"Round from seed {round_seed}")
        fuzz(round_seed)
        if time.monotonic() > end:
            return
        round_seed += 1


@pytest.mark.parametrize("name", LONG_KINDS)
def test_whatever_is_sent_for_long_the_server_answers_well_and_serves_on(
    start_server: StartServer, tmp_path: Path, name: str, soak_seed: int, soak_seconds: int
) -> None:
    kind = LONG_KINDS[name]
    fuzzed = Fuzzed(kind, kind.start(start_server, tmp_path / "keys"))

    def fuzz(seed: int) -> None:
        fuzz_right_requests(fuzzed, _EXAMPLES, seed)
        fuzz_anything(fuzzed, 4 * _EXAMPLES, seed)

    for_seconds(soak_seconds / len(LONG_KINDS), soak_seed, fuzz)
    fuzzed.check_rest()


def test_the_server_answers_as_its_specification_says_for_long(
    start_server: StartServer, tmp_path: Path, soak_seed: int, soak_seconds: int
) -> None:
    kind = LONG_KINDS["schema with keys"]
    fuzzed = Fuzzed(kind, kind.start(start_server, tmp_path / "keys"))
    for_seconds(soak_seconds, soak_seed, lambda seed: fuzz_operations(fuzzed, _EXAMPLES, seed))
    fuzzed.check_rest()
