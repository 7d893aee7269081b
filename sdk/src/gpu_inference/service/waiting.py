"""Waits for a deployment as the SDK did, with its lines and its error texts."""

import time
from collections.abc import Callable

from gpu_inference.errors import GpuInferenceError
from gpu_inference.service.state import ServiceState

_POLL_SECONDS = 0.5


def wait_until_healthy(
    name: str,
    status: Callable[[], ServiceState],
    *,
    revision: Callable[[], int],
    show_output: bool,
    timeout_sec: float | None,
    unschedulable_sec: float,
    poll_seconds: float = _POLL_SECONDS,
) -> None:
    """Poll `status` until it is Healthy.

    Args:
        name: the service.
        status: asks how it is.
        revision: asks which generation of the Deployment that is about.
        show_output: whether to print each change.
        timeout_sec: longest time to wait, in seconds; None: for ever.
        unschedulable_sec: longest time without a break that it may be Unschedulable, in seconds.
        poll_seconds: time between two polls, in seconds.

    Raises:
        GpuInferenceError: it is Failed, or one of the times is over.
    """
    began = time.monotonic()
    unschedulable_since: float | None = None
    shown: ServiceState | None = None
    while True:
        current = status()
        now = time.monotonic()
        if show_output and current != shown:
            # The reason of a failure is in the error that follows.
            reason = f": {current.error}" if current.error and current.state != "Failed" else ""
            print(f"{current.state}{reason}", flush=True)
            shown = current
        if current.state == "Healthy":
            if show_output:
                print('AKS service creation operation finished, operation "Succeeded"', flush=True)
            return
        if current.state == "Failed":
            raise _unsuccessful(name, current, revision(), current.error)
        if current.state != "Unschedulable":
            unschedulable_since = None
        elif unschedulable_since is None:
            unschedulable_since = now
        elif now - unschedulable_since >= unschedulable_sec:
            tried = time.strftime("%H:%M:%S", time.gmtime(unschedulable_sec))
            raise _unsuccessful(
                name,
                current,
                revision(),
                "Couldn't Schedule because the kubernetes cluster didn't have available resources after "
                f"trying for {tried}\n{current.error}",
            )
        if timeout_sec is not None and now - began >= timeout_sec:
            reason = f" ({current.error})" if current.error else ""
            raise GpuInferenceError(
                f"Deployment polling exceeded timeout override of {timeout_sec:g}s. "
                f"Current status: {current.state}{reason}",
                f"It goes on; see how it is: gpu-inference state {name}",
            )
        time.sleep(poll_seconds)


def _unsuccessful(name: str, current: ServiceState, revision: int, error: str | None) -> GpuInferenceError:
    return GpuInferenceError(
        "Service deployment polling reached non-successful terminal state, current service state: "
        f"{current.state}\n"
        f"Operation ID: {name}/{revision}\n"
        "More information can be found using '.get_logs()'\n"
        "Error:\n"
        f"{error or 'No reason is known.'}"
    )
