"""Runs the coroutines of `async def init` and `async def run` on one event loop.

The loop lives as long as the process, because clients and locks that `init()` makes belong to their loop.
"""

import inspect
import threading
from typing import TYPE_CHECKING, Any, Awaitable, Optional

if TYPE_CHECKING:
    import asyncio

NOT_AWAITABLE = frozenset({str, list, dict, tuple, float, int, bool, type(None)})
"""Types that most scripts return. A check with `inspect.isawaitable` would cost a plain function too much."""


class EventLoop:
    """The script's event loop, made when first needed: most scripts are not asynchronous.

    Args:
        overlapping: whether calls of `run()` may overlap. The loop then has a thread of its own; otherwise it
            runs on the thread of the call, like the rest of the script.
    """

    def __init__(self, *, overlapping: bool = False) -> None:
        self._overlapping = overlapping
        self._making = threading.Lock()
        self._loop: "Optional[asyncio.AbstractEventLoop]" = None

    def prepare(self, *functions: Any) -> None:
        """Make the loop now if one of the functions is asynchronous.

        A plain `init()` that gets the current loop from asyncio then gets the one that runs `run()`.
        """
        if any(inspect.iscoroutinefunction(inspect.unwrap(function)) for function in functions):
            self._ensure_loop()

    def resolve(self, result: Any) -> Any:
        """Return the result of an awaitable; any other value as it is."""
        return self._wait(result) if inspect.isawaitable(result) else result

    def _wait(self, awaitable: "Awaitable[Any]") -> Any:
        import asyncio

        loop = self._ensure_loop()
        if self._overlapping:
            future = asyncio.run_coroutine_threadsafe(_as_coroutine(awaitable), loop)
            try:
                return future.result()
            finally:
                # Has an effect only if the timeout's signal ended the wait.
                future.cancel()
        task = loop.create_task(_as_coroutine(awaitable))
        try:
            return loop.run_until_complete(task)
        except BaseException:
            # The timeout's signal may arrive between two steps of the loop. Cancel the task: otherwise it
            # would keep running beside the next call.
            if not task.done():
                task.cancel()
                loop.run_until_complete(asyncio.wait([task]))
            raise

    def _ensure_loop(self) -> "asyncio.AbstractEventLoop":
        import asyncio

        with self._making:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                if self._overlapping:
                    threading.Thread(target=self._loop.run_forever, name="event loop", daemon=True).start()
                asyncio.set_event_loop(self._loop)
            return self._loop


async def _as_coroutine(awaitable: "Awaitable[Any]") -> Any:
    return await awaitable
