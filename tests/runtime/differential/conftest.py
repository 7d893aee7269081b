"""The two processes that servers are forked from, one pair for each pytest process."""

from collections.abc import Iterator

import pytest
from tests.runtime.differential.sides import INCUMBENT, OURS, Zygote


@pytest.fixture(scope="session")
def zygotes() -> Iterator[list[Zygote]]:
    """The incumbent's and ours."""
    started = [Zygote(side) for side in (INCUMBENT, OURS)]
    yield started
    for zygote in started:
        zygote.end()
