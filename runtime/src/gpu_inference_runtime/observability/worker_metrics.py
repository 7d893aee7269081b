"""Takes the metrics' text from a worker process to its parent, which answers on the management port."""

import logging
import socket
import threading

from gpu_inference_runtime.observability.metrics import Metrics

# Longer than a worker is busy with anything but code that holds Python's lock.
_PATIENCE_SECONDS = 5.0
_BACKLOG = 16

log = logging.getLogger("gpu_inference")


class WorkerMetrics:
    """A Unix socket that is made before the workers are forked: any of them answers on it.

    Args:
        patience_seconds: for how long to wait for one.
    """

    def __init__(self, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self._patience = patience_seconds
        self._listener = socket.socket(socket.AF_UNIX)
        # The kernel chooses a name, which needs no file.
        self._listener.bind("")
        self._listener.listen(_BACKLOG)

    def offer(self, metrics: Metrics) -> None:
        """Answer with these from now on, in a thread of this process."""
        threading.Thread(target=self._serve, args=(metrics,), name="metrics", daemon=True).start()

    def text(self) -> bytes:
        """Return what a worker says.

        Raises:
            OSError: none answers.
        """
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(self._patience)
            connection.connect(self._listener.getsockname())
            text = b"".join(iter(lambda: connection.recv(65536), b""))
        if not text:
            raise ConnectionError("The worker process ended while it answered.")
        return text

    def _serve(self, metrics: Metrics) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(self._patience)
                try:
                    connection.sendall(metrics.text())
                except OSError:
                    log.warning("The parent process did not take the metrics", exc_info=True)
