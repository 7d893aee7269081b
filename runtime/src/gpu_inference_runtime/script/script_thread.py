"""The thread on which everything of the user's runs, one call after the other: the process' main thread.

Scripts were written for a server that did it so. They set signal handlers, which Python allows there alone,
and some libraries (TensorFlow 1's default graph, sqlite3) tie what `init()` makes to the thread that made it.
"""

import contextvars
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from gpu_inference_runtime.script.interrupts import Interrupts

T = TypeVar("T")

log = logging.getLogger("gpu_inference")


class ScriptThread:
    """Runs calls in the order in which they were submitted, on the thread that calls `serve`.

    Args:
        after_call: called after each of them, on the same thread.
    """

    def __init__(self, after_call: Callable[[], None] = lambda: None) -> None:
        self._after_call = after_call
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._running: set[Future[Any]] = set()
        self._interrupts = Interrupts()
        self._here = threading.local()
        self._variables: dict[contextvars.ContextVar[Any], Any] = {}

    @property
    def busy(self) -> bool:
        """Whether a call is running now."""
        return bool(self._running)

    def submit(self, call: Callable[[], T], context: contextvars.Context | None = None) -> "Future[T]":
        """Queue a call; it sees the context's variables, without one a copy of the submitter's."""
        future: Future[T] = Future()
        within = contextvars.copy_context() if context is None else context
        self._calls.put((future, lambda: within.run(call)))
        return future

    def in_script(self, function: Callable[[], T]) -> T:
        """Run the script's own code, as part of a call: what `interrupt` may end with a TimeoutError."""
        return self._interrupts.run(self._here.future, function)

    def with_variables(self, call: Callable[[], T]) -> T:
        """Call the script, as part of a call, with the context variables that its earlier calls have set.

        Under v1 all calls shared one context: `numpy.seterr` or decimal's precision, set in `init()`, hold
        in `run()`. The request's own variables, in the context that was submitted, are not kept.
        """
        of_request = frozenset(contextvars.copy_context())
        for variable, value in self._variables.items():
            if variable not in of_request:
                variable.set(value)
        try:
            return call()
        finally:
            now = contextvars.copy_context()
            self._variables = {name: value for name, value in now.items() if name not in of_request}

    def interrupt(self, future: "Future[Any]") -> None:
        """End a call while it is in the script's code. It may go on: native code, or a handler, can."""
        self._interrupts.interrupt(future)

    def serve(self) -> None:
        """Make the calls on this thread until `stop`."""
        going_on = True
        while going_on:
            try:
                going_on = self._make_next()
            except BaseException:
                # Between two calls only a signal handler of the script's can raise.
                log.exception("A signal handler of the script has failed")

    def serve_in_background(self) -> None:
        """Make calls on one more thread, so that they overlap. It does not keep the process from ending."""
        threading.Thread(target=self.serve, name="script", daemon=True).start()

    def stop(self) -> None:
        """End `serve` on one thread when it has nothing left to do."""
        self._calls.put(None)

    def _make_next(self) -> bool:
        """Make the next call, whose result is its caller's alone afterwards; return whether there was one."""
        job = self._calls.get()
        if job is None:
            return False
        future, call = job
        if not future.set_running_or_notify_cancel():
            return True
        self._here.future = future
        self._running.add(future)
        try:
            result = call()
        # A script that calls sys.exit() in run() has failed one request; it does not end the thread.
        except BaseException as error:
            self._running.discard(future)
            future.set_exception(error)
        else:
            self._running.discard(future)
            future.set_result(result)
        self._here.future = None
        self._after_call()
        return True
