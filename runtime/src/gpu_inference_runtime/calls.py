"""Has calls made on the script's thread within the scoring timeout, and counts those that outlive it."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, wait

from gpu_inference_runtime import scoring
from gpu_inference_runtime.messages import Answer
from gpu_inference_runtime.script_thread import ScriptThread
from gpu_inference_runtime.settings import Settings
from gpu_inference_runtime.slots import Slots
from gpu_inference_runtime.state import State

log = logging.getLogger("gpu_inference")


class Calls:
    """Calls of `run()`. A slot, taken by the caller, is given back when the call really ends."""

    def __init__(self, settings: Settings, script: ScriptThread, slots: Slots, state: State) -> None:
        self._settings = settings
        self._script = script
        self._slots = slots
        self._state = state

    def answer(self, call: Callable[[], Answer]) -> Answer:
        """Return what the call returns, or the answer that tells that it took too long."""
        future = self._script.submit(call)
        future.add_done_callback(lambda _: self._slots.give_back())
        timeout_ms = self._settings.scoring_timeout_ms
        wait((future,), timeout_ms / 1000)
        if future.done():
            return future.result()
        if not future.cancel():
            self._watch_overdue(future)
        log.error("Scoring timeout after %d ms", timeout_ms)
        return scoring.timeout_answer(timeout_ms, self._settings.front_end)

    def _watch_overdue(self, future: Future[Answer]) -> None:
        self._state.call_overdue()
        future.add_done_callback(lambda _: self._state.overdue_call_ended())
