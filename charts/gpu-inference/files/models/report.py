"""What the scripts beside this one have in common: how they tell what they do, and what went wrong."""


class FetchError(Exception):
    """Why it cannot be fetched; never contains a URL's query or a header."""

    def __init__(self, message: str, *, final: bool = True) -> None:
        super().__init__(message)
        self.final = final
        """Whether a person has to change something: trying again cannot help."""


def megabytes(size: int) -> str:
    """Return a size as people read it."""
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size:,} bytes"


def say(line: str) -> None:
    """Write a line to the log at once."""
    print(line, flush=True)
