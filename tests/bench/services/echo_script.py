"""An entry script that returns the body: what a server costs without a model."""


def init() -> None:
    pass


def run(raw_data: str) -> str:
    return raw_data
