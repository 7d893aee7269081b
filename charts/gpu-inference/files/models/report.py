"""What the scripts beside this one have in common: how they tell what they do, and what went wrong."""


class FetchError(Exception):
    """A person has to change something; never contains a URL's query or a header."""


def megabytes(size: int) -> str:
    """Return a size as people read it."""
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size:,} bytes"


def say(line: str) -> None:
    """Write a line to the log at once."""
    print(line, flush=True)
