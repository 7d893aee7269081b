"""The one thread on which everything of the user's runs, one call after the other.

Scripts were written for a server that never overlapped calls, and some libraries (TensorFlow 1's default
graph, sqlite3) tie what `init()` makes to the thread that made it.
"""

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class ScriptThread:
    """Runs calls in the order in which they were submitted.

    The thread is a daemon: a call that never ends does not keep the process from ending.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._busy = False
        threading.Thread(target=self._serve, name="script", daemon=True).start()

    @property
    def busy(self) -> bool:
        """Whether a call is running now."""
        return self._busy

    def submit(self, call: Callable[[], T]) -> "Future[T]":
        """Queue a call; it sees the submitter's context variables (the request id of the log lines)."""
        future: Future[T] = Future()
        context = contextvars.copy_context()
        self._calls.put((future, lambda: context.run(call)))
        return future

    def _serve(self) -> None:
        while True:
            future, call = self._calls.get()
            if not future.set_running_or_notify_cancel():
                continue
            self._busy = True
            try:
                result = call()
            # A script that calls sys.exit() in run() has failed one request; it does not end the thread.
            except BaseException as error:
                self._busy = False
                future.set_exception(error)
            else:
                self._busy = False
                future.set_result(result)
