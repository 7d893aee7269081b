"""Asks a service all the time while a test does something to its pods, and keeps every outcome.

What counts is design's own rule for "no failed request": no connection error and no status but 200, from
clients that keep their connection and clients that do not. A client that keeps its connection asks more often
than a drain lasts: one that is idle for longer finds its connection closed, and has to look before it sends
(urllib3 does).
"""

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import requests

from gpu_inference.service import Service

# A hang is a failure; a busy machine is not.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Outcome:
    """What one request came to."""

    client: str
    began: float
    """Seconds since the load began."""
    seconds: float
    status: int | None
    """None: no answer."""
    text: str
    """The answer, or the error."""


# Sends a request with each call, and returns the answer's status and text.
Client = Callable[[], tuple[int, str]]


class Load:
    """Clients that each send a request, wait for the answer, and pause; as a context manager.

    It begins when every client has been answered once, and ends when each has been answered once more: no
    test can pass because its load had stopped.

    Args:
        uri: where to.
        headers: of each request; asked anew for each where it is a function (of the client's number).
        body: of each request.
        keep_alive: clients that keep their connection, half of them `requests.Session`, half `http.client`.
        one_shot: clients that make a connection for each request, likewise.
        pause_seconds: between an answer and the client's next request.
    """

    def __init__(
        self,
        uri: str,
        headers: Mapping[str, str] | Callable[[int], Mapping[str, str]],
        *,
        body: str = '{"data": [1, 2, 3]}',
        keep_alive: int = 4,
        one_shot: int = 2,
        pause_seconds: float = 0.1,
    ) -> None:
        self.outcomes: list[Outcome] = []
        self._uri = uri
        self._headers = headers
        self._body = body.encode()
        self._pause_seconds = pause_seconds
        self._stop = threading.Event()
        self._began = time.monotonic()
        kinds: list[tuple[str, Callable[[int], Client]]] = [
            ("requests, kept alive", self._kept_session),
            ("http.client, kept alive", self._kept_connection),
            ("requests, one shot", self._new_session),
            ("http.client, one shot", self._new_connection),
        ]
        chosen = [kinds[i % 2] for i in range(keep_alive)] + [kinds[2 + i % 2] for i in range(one_shot)]
        self._names = [f"{i} ({name})" for i, (name, _) in enumerate(chosen)]
        self._threads = [
            threading.Thread(target=self._ask, args=(self._names[i], make(i)), name=f"load {i}", daemon=True)
            for i, (_, make) in enumerate(chosen)
        ]

    @classmethod
    def on(cls, service: Service, **options: Any) -> Self:
        """Return a load on a service, with its primary key; see the class for the options."""
        headers = {"Authorization": f"Bearer {service.get_keys()[0]}", "Content-Type": "application/json"}
        return cls(service.scoring_uri, headers, **options)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.wait_for_an_answer_to_each()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.wait_for_an_answer_to_each()
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(PATIENCE_SECONDS)

    @property
    def failures(self) -> list[Outcome]:
        """The outcomes that a user would have noticed."""
        return [outcome for outcome in list(self.outcomes) if outcome.status != 200]

    @property
    def seconds(self) -> float:
        """Time since the load began: what `Outcome.began` is compared with."""
        return time.monotonic() - self._began

    def assert_no_failures(self) -> None:
        """Fail, with the failures, when there was one."""
        shown = "\n".join(map(str, self.failures[:20]))
        assert not self.failures, f"{len(self.failures)} of {len(self.outcomes)} requests failed:\n{shown}"

    def wait_for_an_answer_to_each(self) -> None:
        """Return when each client has got an answer to a request that it sends from now on.

        Raises:
            AssertionError: a client gets none.
        """
        since = self.seconds
        deadline = time.monotonic() + PATIENCE_SECONDS
        while missing := set(self._names) - {
            outcome.client for outcome in list(self.outcomes) if outcome.began >= since
        }:
            assert time.monotonic() < deadline, f"No more answers for {sorted(missing)}: {self.failures[:20]}"
            time.sleep(0.02)

    def _ask(self, name: str, client: Client) -> None:
        while not self._stop.is_set():
            began = self.seconds
            status: int | None = None
            try:
                status, text = client()
            # Whatever a client can raise, in its own words.
            except Exception as error:
                text = f"{type(error).__name__}: {error}"
            self.outcomes.append(Outcome(name, began, self.seconds - began, status, text))
            self._stop.wait(self._pause_seconds)

    def _headers_of(self, number: int) -> dict[str, str]:
        return dict(self._headers(number) if callable(self._headers) else self._headers)

    def _kept_session(self, number: int) -> Client:
        session = _session()
        return lambda: self._by_session(session, number)

    def _new_session(self, number: int) -> Client:
        def ask() -> tuple[int, str]:
            with _session() as session:
                return self._by_session(session, number)

        return ask

    def _by_session(self, session: requests.Session, number: int) -> tuple[int, str]:
        answer = session.post(
            self._uri, self._body, headers=self._headers_of(number), timeout=PATIENCE_SECONDS
        )
        return answer.status_code, answer.text

    def _kept_connection(self, number: int) -> Client:
        connection = self._connection()
        return lambda: self._by_connection(connection, number)

    def _new_connection(self, number: int) -> Client:
        return lambda: self._by_connection(self._connection(), number, Connection="close")

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self._uri).netloc, timeout=PATIENCE_SECONDS)

    def _by_connection(
        self, connection: http.client.HTTPConnection, number: int, **more: str
    ) -> tuple[int, str]:
        try:
            connection.request(
                "POST", urlsplit(self._uri).path, self._body, {**self._headers_of(number), **more}
            )
            with connection.getresponse() as answer:
                return answer.status, answer.read().decode()
        except Exception:
            # It opens itself again with the next request.
            connection.close()
            raise


def _session() -> requests.Session:
    session = requests.Session()
    # Neither a proxy nor an entry in ~/.netrc of whoever runs the tests.
    session.trust_env = False
    return session


@contextmanager
def load_without_failures(service: Service, **options: Any) -> Iterator[Load]:
    """Ask a service while the block runs; fail when a request failed."""
    with Load.on(service, **options) as load:
        yield load
    load.assert_no_failures()
