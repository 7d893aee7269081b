"""Ports of this machine for the tests' own servers: two tests that run at once never get the same one.

The kernel's own choice (port 0) does not give that: between the question and the server's start it gives the
port to the next one that asks, or to a connection. These ports lie below those that the kernel chooses from,
and below Kubernetes' node ports.
"""

import itertools
import os
import socket

_FIRST = 10_000
_PER_WORKER = 1_000
_MOST_WORKERS = 20


def _own_ports() -> list[int]:
    """Return the ports of this worker of pytest-xdist. Runs side by side begin at different ones."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _MOST_WORKERS
    first = _FIRST + worker * _PER_WORKER
    begin = os.getpid() % _PER_WORKER
    return [first + (begin + number) % _PER_WORKER for number in range(_PER_WORKER)]


_ports = itertools.cycle(_own_ports())


def free_ports(count: int) -> list[int]:
    """Return so many different ports of 127.0.0.1 on which nothing listens.

    Raises:
        RuntimeError: so many are not free.
    """
    each_once = itertools.islice(_ports, _PER_WORKER)
    found = list(itertools.islice(filter(_is_free, each_once), count))
    if len(found) < count:
        raise RuntimeError(f"Less than {count} of the {_PER_WORKER} ports of this worker are free.")
    return found


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False
