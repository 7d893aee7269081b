"""Asks a single pod whether it accepts a key, without scoring anything."""

import http.client
from types import TracebackType
from typing import Self

from gpu_inference.service.endpoint import SCORING_PORT
from gpu_inference.service.objects import Objects
from gpu_inference.service.port_forward import PortForward

# The server looks at the key before the size (docs/interfaces.md): who has the right one is told that this is
# too much. As the body never comes, run() could not be called in any case (docs/decisions.md 20).
_TOO_MANY_BYTES = 2**50
_ANSWER_SECONDS = 10
_UNAUTHORIZED = 401


class KeyProbe:
    """Reaches pods one by one through the API server: a Service would choose the pod by itself."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._forwards: dict[str, PortForward] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for forward in self._forwards.values():
            forward.close()

    def accepts(self, pod: str, key: str) -> bool | None:
        """Return whether the pod accepts the key; None when it does not answer."""
        if pod not in self._forwards:
            self._forwards[pod] = PortForward(
                self._objects.api, self._objects.namespace, lambda: pod, SCORING_PORT
            )
        return accepts(self._forwards[pod].address, key)


def accepts(address: str, key: str) -> bool | None:
    """Return whether the scoring server at `host:port` accepts a key; None when it does not answer."""
    connection = http.client.HTTPConnection(address, timeout=_ANSWER_SECONDS)
    try:
        connection.putrequest("POST", "/score")
        connection.putheader("Content-Length", str(_TOO_MANY_BYTES))
        connection.putheader("Authorization", f"Bearer {key}")
        connection.endheaders()
        return connection.getresponse().status != _UNAUTHORIZED
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
