"""An entry script whose calls last as long as they are told to, and give back what they are sent."""

import json
import time


def init() -> None:
    """Nothing to load."""


def run(raw_data: str) -> object:
    """Work for the body's `seconds`, then return the body."""
    data = json.loads(raw_data)
    time.sleep(data["seconds"])
    return data
