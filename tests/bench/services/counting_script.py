"""An entry script whose calls take 20 ms and are counted: how many were made for clients that hung up."""

import time

calls = 0


def init() -> None:
    pass


def run(raw_data: str) -> int:  # noqa: ARG001
    global calls
    calls += 1
    time.sleep(0.02)
    return calls
