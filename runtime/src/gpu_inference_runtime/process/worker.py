"""gunicorn's threaded worker and what a service in a cluster needs besides: draining, closing when told."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

from gpu_inference_runtime.process.state import State
from gpu_inference_runtime.web import protocol_errors

# How long a client may send nothing in the middle of a request, or take nothing of its answer, seconds.
_STALL_SECONDS = 30.0
# How long, and for how many bytes, a client may go on sending a body that was refused.
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 256 * 1024 * 1024

log = logging.getLogger("gpu_inference")


class DrainingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no type information
    """Serves connections from a pool of threads; after SIGTERM goes on accepting for the drain time."""

    alive: bool
    wsgi: Callable[..., Any]
    # Set before the fork.
    state: State

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._in_hand = threading.local()
        self._drain_ends: float | None = None

    # Stopping

    def init_signals(self) -> None:
        """Handle signals from now on, and a SIGTERM that came since the fork.

        Until here this process has gunicorn's handlers of its main process, which put a signal into a queue
        that is only read there.
        """
        inherited = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
        super().init_signals()
        queued = getattr(inherited, "SIG_QUEUE", None)
        while queued is not None and not queued.empty():
            if queued.get_nowait() == signal.SIGTERM:
                self.handle_exit(signal.SIGTERM, None)

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ARG002  (a signal handler's arguments)
        """SIGTERM: begin to drain. Runs as a signal handler, so it takes no lock and logs nothing.

        Also called by the thread that serves HTTP, perhaps at the same time: twice does no harm.
        """
        if self._drain_ends is None:
            # A service that never was ready has nobody to wait for.
            seconds = self.app.settings.drain_seconds if self.state.ready else 0.0
            self._drain_ends = time.monotonic() + seconds
            self.state.draining = True
            self.state.past_init = True
            self.method_queue.defer(lambda: None)

    def handle_quit(self, sig: int, frame: Any) -> None:  # noqa: ARG002
        """SIGINT and SIGQUIT: end at once, even while calls of the script go on."""
        self.state.past_init = True
        os._exit(0)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Serve what comes within the timeout, and notice the end of the drain time."""
        if self._drain_ends is None or not self.alive:
            super().wait_for_and_dispatch_events(timeout)
            return
        left = self._drain_ends - time.monotonic()
        super().wait_for_and_dispatch_events(min(timeout, max(left, 0.0)))
        if time.monotonic() >= self._drain_ends:
            self._close_listeners()
            log.info("Drained: no new connections are accepted any more")
            self.alive = False
            if not self.state.ready:
                self.app.service.close()
            # Connections on which nothing was ever sent would otherwise be waited for.
            for connection in self.pending_conns:
                connection.timeout = 0.0

    def _close_listeners(self) -> None:
        """Take the connections that the kernel has already accepted, then let it refuse all others.

        gunicorn keeps its sockets open to the last request's end, and the kernel accepting: such connections
        would wait for nothing and then be reset.
        """
        self.set_accept_enabled(True)
        for listener in self.sockets:
            before = -1
            while before != self.nr_conns:
                before = self.nr_conns
                self.accept(listener)
        self.set_accept_enabled(False)
        for listener in self.sockets:
            listener.close()

    # Answering

    def load_wsgi(self) -> None:
        """Load the application and listen to the `Connection: close` of its answers."""
        super().load_wsgi()
        application = self.wsgi

        def closing(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            # gunicorn's own, whose bound method this is.
            self._in_hand.response = getattr(start_response, "__self__", None)

            def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
                # gunicorn drops this header of an application, as WSGI asks for, and decides by the request.
                if self.state.draining or ("Connection", "close") in headers:
                    self._in_hand.request.force_close()
                return start_response(status, headers, exc_info)

            result: Iterable[bytes] = application(environ, start)
            return result

        self.wsgi = closing

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer one request, on a thread of the pool."""
        self._in_hand.request = req
        self._in_hand.response = None
        conn.sock.settimeout(_STALL_SECONDS)
        goes_on = super().handle_request(req, conn)
        self._in_hand.answered = True
        if goes_on and _lacks_some(self._in_hand.response, req.method):
            # The client would wait for the rest.
            log.warning("An answer was shorter than its Content-Length: the connection is closed")
            return False
        return goes_on

    def handle(self, conn: Any) -> Any:
        """Serve a connection until it is idle or ends; an ending one is closed here, not in the main loop.

        gunicorn waits for the client's own close in its main loop, where up to 2 s for one connection
        would be 2 s for all.
        """
        conn.init = partial(_prepare, conn)
        self._in_hand.answered = False
        goes_on = super().handle(conn)
        # It refers to the connection: only the garbage collector would free both, and the last body.
        del conn.init
        if not goes_on:
            util.close_graceful(conn.sock, _LINGER_SECONDS, _LINGER_BYTES)
        return goes_on

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:  # noqa: ARG002
        """Answer a request that is not proper HTTP, unless it is what nobody read of an answered one."""
        if not self._in_hand.answered:
            protocol_errors.refuse(client, exc)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Take a connection back from the pool: closed ones are only counted."""
        if not fs.cancelled() and fs.exception() is None and not fs.result():
            self.nr_conns -= 1
            return
        super().finish_request(conn, fs)


def _lacks_some(response: Any, method: str) -> bool:
    """Whether an answer that was sent has less of a body than its head said."""
    if response is None or response.response_length is None or method == "HEAD":
        return False
    return response.status_code not in (204, 304) and response.sent < response.response_length


def _prepare(connection: Any) -> None:
    """Make a connection ready for its next request: gunicorn would wait for ever for the rest of its head."""
    # Scripts, and gunicorn's list of trusted proxies, know an IPv4 address without the prefix that it has
    # on a socket for both kinds.
    connection.client = (connection.client[0].removeprefix("::ffff:"), *connection.client[1:])
    TConn.init(connection)
    connection.sock.settimeout(_STALL_SECONDS)
