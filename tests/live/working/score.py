"""An entry script that starts as slowly as it is told to, and works as long as each request says."""

import json
import os
import time


def init() -> None:
    """Take the variable's time."""
    time.sleep(float(os.environ.get("INIT_SECONDS", "0")))


def run(raw_data: str) -> object:
    """Work for the body's `seconds`, then return the body."""
    data = json.loads(raw_data)
    time.sleep(data["seconds"])
    return data
