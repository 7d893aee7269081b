"""Awaits what `async def init` and `async def run` return, on one event loop for the life of the process.

One loop, because clients and locks that `init()` makes belong to the loop on which they were made.
"""

import inspect
import threading
from typing import TYPE_CHECKING, Any, Awaitable, Optional

if TYPE_CHECKING:
    import asyncio

NOT_AWAITABLE = frozenset({str, list, dict, tuple, float, int, bool, type(None)})
"""What most scripts return. To ask takes longer than all else that is done for a plain function."""


class EventLoop:
    """The script's event loop, made when it is first needed: most scripts are not asynchronous.

    Args:
        overlapping: whether calls of `run()` may overlap. The loop then has a thread of its own; else it runs
            on the thread of the call, as everything of the script's does.
    """

    def __init__(self, *, overlapping: bool = False) -> None:
        self._overlapping = overlapping
        self._making = threading.Lock()
        self._loop: "Optional[asyncio.AbstractEventLoop]" = None

    def prepare(self, *functions: Any) -> None:
        """Make the loop now where one of the functions is asynchronous.

        A plain `init()` that asks asyncio for "the" loop then gets the one on which `run()` is awaited.
        """
        if any(inspect.iscoroutinefunction(inspect.unwrap(function)) for function in functions):
            self._made()

    def finished(self, result: Any) -> Any:
        """Return what an awaitable comes to; anything else as it is."""
        return self._wait(result) if inspect.isawaitable(result) else result

    def _wait(self, awaitable: "Awaitable[Any]") -> Any:
        import asyncio

        loop = self._made()
        if self._overlapping:
            future = asyncio.run_coroutine_threadsafe(_as_coroutine(awaitable), loop)
            try:
                return future.result()
            finally:
                # Where the timeout's signal ended the wait; else it is done.
                future.cancel()
        task = loop.create_task(_as_coroutine(awaitable))
        try:
            return loop.run_until_complete(task)
        except BaseException:
            # The timeout's signal may strike between the loop's steps. The call is over, so its task must be:
            # it would go on beside the next call.
            if not task.done():
                task.cancel()
                loop.run_until_complete(asyncio.wait([task]))
            raise

    def _made(self) -> "asyncio.AbstractEventLoop":
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
