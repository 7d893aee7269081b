"""The smallest entry script: gives back what it is sent."""


def init() -> None:
    """Nothing to load."""


def run(raw_data: str) -> str:
    """Return the body as it came."""
    return raw_data
