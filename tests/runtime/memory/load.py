"""Many requests over a few connections that stay open, with as little work for the client as can be."""

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BufferedReader

from tests.runtime.server_process import PATIENCE_SECONDS

CONNECTIONS = 4


def request(
    body: bytes,
    content_type: str = "application/json",
    method: str = "POST",
    target: str = "/score",
    key: str = "",
) -> bytes:
    """Return a request's bytes."""
    lines = [f"{method} {target} HTTP/1.1", "Host: x", f"Content-Type: {content_type}"]
    lines += [f"Content-Length: {len(body)}"] + ([f"Authorization: Bearer {key}"] if key else [])
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def send_all(port: int, requests: Sequence[bytes], count: int, statuses: Sequence[int]) -> None:
    """Send `count` of the requests in turn, `CONNECTIONS` at once; each answer has one of the statuses."""

    def client(number: int) -> None:
        mine = range(number, count, CONNECTIONS)
        connection = None
        for each in mine:
            if connection is None:
                connection = _Connection(port)
            status, goes_on = connection.ask(requests[each % len(requests)])
            assert status in statuses, f"{status} instead of {statuses}"
            if not goes_on:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(client, range(CONNECTIONS)))


class _Connection:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file: BufferedReader = self._socket.makefile("rb")

    def ask(self, data: bytes) -> tuple[int, bool]:
        """Return the answer's status, and whether the connection goes on."""
        self._socket.sendall(data)
        status = int(self._file.readline().split()[1])
        headers = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        if headers.get(b"transfer-encoding") == b"chunked":
            while (size := int(self._file.readline(), 16)) > 0:
                self._file.read(size + 2)
            self._file.readline()
        else:
            self._file.read(int(headers[b"content-length"]))
        return status, headers.get(b"connection") != b"close"

    def close(self) -> None:
        self._file.close()
        self._socket.close()
