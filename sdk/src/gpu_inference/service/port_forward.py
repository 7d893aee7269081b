"""Forwards a local port to a pod through the API server, for pods that this machine cannot reach directly."""

import contextlib
import socket
import threading
from collections.abc import Callable

from kubernetes import client
from kubernetes.stream import portforward

from gpu_inference.errors import GpuInferenceError

_CHUNK_BYTES = 65536


class PortForward:
    """Listens on a free port of 127.0.0.1 and forwards each new connection to a pod.

    Args:
        api: a client for the cluster.
        namespace: the pod's namespace.
        choose_pod: returns the name of a ready pod for a new connection; may raise GpuInferenceError.
        port: the pod's port.
    """

    def __init__(
        self, api: client.ApiClient, namespace: str, choose_pod: Callable[[], str], port: int
    ) -> None:
        self._configuration = api.configuration
        self._namespace = namespace
        self._choose_pod = choose_pod
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        host, port = self._listener.getsockname()
        self.address = f"{host}:{port}"
        """Host and port, as in `127.0.0.1:40123`."""
        threading.Thread(target=self._accept, name="port-forward", daemon=True).start()

    def close(self) -> None:
        """Stop listening; open connections continue until one side closes them."""
        with contextlib.suppress(OSError):
            # close() alone does not wake the thread in accept().
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(connection,), daemon=True).start()

    def _forward(self, connection: socket.socket) -> None:
        # An error closes this connection only; its client may retry.
        with connection, contextlib.suppress(GpuInferenceError, client.ApiException, OSError):
            pod = self._choose_pod()
            # A separate client: `portforward` replaces a method of it while it connects, which would break
            # requests of other threads.
            core = client.CoreV1Api(client.ApiClient(self._configuration))
            forward = portforward(
                core.connect_get_namespaced_pod_portforward,
                pod,
                self._namespace,
                ports=str(self._port),
            )
            remote = forward.socket(self._port)
            sender = threading.Thread(target=_pump, args=(connection, remote), daemon=True)
            sender.start()
            _pump(remote, connection)
            sender.join()
            forward.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK_BYTES):
            sink.sendall(data)
    for end, how in ((sink, socket.SHUT_WR), (source, socket.SHUT_RD)):
        with contextlib.suppress(OSError):
            end.shutdown(how)
