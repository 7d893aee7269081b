"""How long the long runs go on and from which seed: said at the start, so that a run can be had again."""

import os
import random

import pytest
from tests.runtime.conftest import start_server

__all__ = ["start_server"]


def pytest_configure() -> None:
    # In the environment, so that every worker of a run has the same one.
    os.environ.setdefault("SOAK_SEED", str(random.randrange(10**9)))


def pytest_report_header() -> str:
    seed = os.environ["SOAK_SEED"]
    seconds, requests = _number("SOAK_SECONDS", 600), _number("SOAK_REQUESTS", 100_000)
    return f"soak: SOAK_SEED={seed} SOAK_SECONDS={seconds} SOAK_REQUESTS={requests}"


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name, default))


@pytest.fixture
def soak_seed() -> int:
    return int(os.environ["SOAK_SEED"])


@pytest.fixture
def soak_seconds() -> int:
    """How long each part goes on fuzzing: its servers together."""
    return _number("SOAK_SECONDS", 600)


@pytest.fixture
def soak_requests() -> int:
    """How many requests of each kind a server's memory is watched for."""
    return _number("SOAK_REQUESTS", 100_000)
