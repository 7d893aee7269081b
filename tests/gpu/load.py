"""Loads a server from processes of its own: each connection sends when its last answer is there."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

from .card import Card, Use, Watch

_MOST_PROCESSES = 8
_LINGER_SECONDS = 30.0


class LoadError(Exception):
    """The clients failed; the text is what they wrote."""


@dataclass(frozen=True)
class Load:
    """What came of loading a server for some seconds."""

    per_second: float
    """Answers with 200."""
    p50_ms: float
    p99_ms: float
    others: dict[str, int]
    """Other answers by status, and `broken` connections."""
    client_busy: float
    """The share of a core that the busiest client process used: near 1, the clients were the limit."""
    use: Use | None
    """Of the GPU meanwhile."""


def load(
    port: int,
    requests: list[bytes],
    connections: int,
    warm: float,
    seconds: float,
    work: Path,
    card: Card | None,
) -> Load:
    """Send requests over so many connections; count after the time for warming up.

    Raises:
        LoadError: a client failed.
    """
    for number, request in enumerate(requests):
        (work / f"request-{number}").write_bytes(request)
    count = min(connections, _MOST_PROCESSES, max(1, (os.cpu_count() or 1) // 2))
    shares = [connections // count + (number < connections % count) for number in range(count)]
    clients = [_client(port, share, len(requests), work) for share in shares]
    try:
        for client in clients:
            assert client.stdout is not None
            # It has imported what it needs, and read the requests.
            if client.stdout.readline() != "ready\n":
                raise LoadError(client.communicate(timeout=_LINGER_SECONDS)[1])
        begin = time.monotonic() + warm
        for client in clients:
            assert client.stdin is not None
            client.stdin.write(f"{begin} {begin + seconds}\n")
            client.stdin.flush()
        time.sleep(warm)
        with Watch(card) as watch:
            time.sleep(seconds)
        told = []
        for client in clients:
            text, errors = client.communicate(timeout=_LINGER_SECONDS)
            if client.returncode:
                raise LoadError(errors)
            told.append(json.loads(text))
    finally:
        for client in clients:
            client.kill()
            client.wait()
    return _summed_up(told, seconds, watch.use())


def _client(port: int, connections: int, count: int, work: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "gpu.load", str(port), str(connections), str(count), str(work)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _summed_up(told: list[dict[str, Any]], seconds: float, use: Use | None) -> Load:
    times = sorted(each for client in told for each in client["seconds"])
    others: dict[str, int] = {}
    for client in told:
        for status, number in client["others"].items():
            others[status] = others.get(status, 0) + number
    return Load(
        per_second=len(times) / seconds,
        p50_ms=percentile(times, 50) * 1000,
        p99_ms=percentile(times, 99) * 1000,
        others=others,
        client_busy=max(client["busy"] for client in told),
        use=use,
    )


def percentile(ordered: list[float], percent: int) -> float:
    """The smallest of the ordered numbers that so many percent do not exceed; NaN of none."""
    if not ordered:
        return float("nan")
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


# From here on: the client process.


class _Counted:
    """What the connections of this process count, within a window of time."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin = begin
        self.end = end
        self.seconds: list[float] = []
        self.others: dict[str, int] = {}

    def answered(self, status: str, sent: float) -> None:
        now = time.monotonic()
        if not self.begin <= now < self.end:
            return
        if status == "200":
            self.seconds.append(now - sent)
        else:
            self.others[status] = self.others.get(status, 0) + 1


class _Connection(asyncio.Protocol):
    """One connection; sends the next request when an answer is whole."""

    def __init__(self, requests: Iterator[bytes], counted: _Counted) -> None:
        self._requests = requests
        self._counted = counted
        self.broken = asyncio.Event()
        self._buffer = bytearray()
        self._sent = 0.0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        self._counted.answered("broken", self._sent)
        self.broken.set()

    def _send(self) -> None:
        self._buffer.clear()
        self._sent = time.monotonic()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        _, _, rest = head.partition(b"\r\ncontent-length:")
        if len(self._buffer) >= end + 4 + int(rest.partition(b"\r\n")[0]):
            self._counted.answered(head[9:12].decode(), self._sent)
            self._send()


def _same(connection: _Connection) -> _Connection:
    return connection


async def _keep_asking(port: int, requests: Iterator[bytes], counted: _Counted) -> None:
    while True:
        connection = _Connection(requests, counted)
        try:
            await asyncio.get_running_loop().create_connection(partial(_same, connection), "127.0.0.1", port)
        except OSError:
            counted.answered("broken", 0.0)
            await asyncio.sleep(0.05)
            continue
        await connection.broken.wait()


async def _ask(port: int, connections: int, requests: list[bytes], counted: _Counted) -> float:
    """Ask until the window ends; return how much of a core that took within it."""
    tasks = [
        asyncio.create_task(_keep_asking(port, cycle(requests[first:] + requests[:first]), counted))
        for first in (number % len(requests) for number in range(connections))
    ]
    await asyncio.sleep(counted.begin - time.monotonic())
    before = time.process_time()
    await asyncio.sleep(counted.end - time.monotonic())
    busy = (time.process_time() - before) / (counted.end - counted.begin)
    for task in tasks:
        task.cancel()
    return busy


def main() -> None:
    port, connections, count = map(int, sys.argv[1:4])
    requests = [Path(sys.argv[4], f"request-{number}").read_bytes() for number in range(count)]
    print("ready", flush=True)
    begin, end = map(float, sys.stdin.readline().split())
    counted = _Counted(begin, end)
    busy = asyncio.run(_ask(port, connections, requests, counted))
    print(json.dumps({"seconds": counted.seconds, "others": counted.others, "busy": busy}))


if __name__ == "__main__":
    main()
