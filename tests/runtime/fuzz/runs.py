"""Runs of hypothesis against one server: derandomized and short, or with a seed and as long as wanted."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.runtime.fuzz.messages import Sent, anything, each_oddity, right_requests
from tests.runtime.fuzz.properties import Fuzzed

_QUIET = (
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.large_base_example,
)


def for_all(
    strategy: st.SearchStrategy[Any],
    check: Callable[[Any], None],
    examples: int,
    from_seed: int | None = None,
) -> None:
    """Try so many examples; without a seed always the same ones. The smallest failing one is reported."""
    run = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=from_seed is None,
        suppress_health_check=_QUIET,
        report_multiple_bugs=False,
        # Nothing is explained: that takes as many runs again.
        phases=(Phase.generate, Phase.shrink),
    )(given(strategy)(lambda example: check(example)))
    (run if from_seed is None else seed(from_seed)(run))()


def try_each_oddity(fuzzed: Fuzzed) -> None:
    """Send requests that are right but for one part, every oddity once."""
    for sent in each_oddity():
        _check(fuzzed, sent)


def fuzz_anything(fuzzed: Fuzzed, examples: int, from_seed: int | None = None) -> None:
    """Send requests that anything may be wrong with."""
    for_all(anything(), lambda sent: _check(fuzzed, sent), examples, from_seed)


def _check(fuzzed: Fuzzed, sent: Sent) -> None:
    found = fuzzed.send(sent)
    if b"\r\n\r\n" in sent.data.lstrip():
        assert found, f"No answer to {sent.data!r}"
    fuzzed.check_usual_request()


def fuzz_right_requests(fuzzed: Fuzzed, examples: int, from_seed: int | None = None) -> None:
    """Send requests that nothing is wrong with, in every framing: each gets its own answer, in order."""

    def check(case: tuple[Sent, list[bytes]]) -> None:
        sent, bodies = case
        found = fuzzed.send(sent)
        assert len(found) == len(bodies), (sent, found)
        for body, answer in zip(bodies, found, strict=True):
            fuzzed.kind.check(body, answer)
        fuzzed.check_usual_request()

    for_all(right_requests(), check, examples, from_seed)
