"""The server's two listening sockets, on all IPv4 and IPv6 addresses of the machine."""

import errno
import logging
import os
import socket

from gpu_inference_runtime.settings import Settings

# Errors of systems without IPv6: no such address family, or no such address.
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
# gunicorn's default. Connections may wait there while the front starts.
_BACKLOG = 2048

log = logging.getLogger("gpu_inference")


class PortError(Exception):
    """A required port cannot be opened; the text is one sentence that names it."""


def open_ports(settings: Settings) -> tuple[socket.socket, socket.socket | None]:
    """Return the socket for scoring, and the one for probes and metrics (None if there is none).

    v1's bare server had only one port. Failing to open the second one is therefore only an error if the port
    was set, or if the front end is `azureml`, because a cluster then probes it.

    Raises:
        PortError: a port is in use or not permitted.
    """
    scoring = _open("port for scoring", settings.port)
    if settings.management_port is None:
        return scoring, None
    try:
        return scoring, _open("health port", settings.management_port)
    except PortError as error:
        if settings.front_end == "azureml" or settings.health_port_was_given:
            scoring.close()
            raise
        log.warning(
            "%s There is no /live, no /ready and no /metrics. Set HEALTH_PORT to another port.", error
        )
        return scoring, None


def _open(what: str, port: int) -> socket.socket:
    try:
        return listen_everywhere(port)
    except OSError as error:
        raise PortError(f"The {what} {port} cannot be opened: {os.strerror(error.errno or 0)}.") from None


def listen_everywhere(port: int) -> socket.socket:
    """Return a socket that listens on a port, on every address.

    Raises:
        OSError: the port is in use or not permitted.
    """
    try:
        return _listen(socket.AF_INET6, "::", port)
    except OSError as error:
        if error.errno not in _NO_IPV6:
            raise
    return _listen(socket.AF_INET, "0.0.0.0", port)


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Whether an IPv6 socket accepts IPv4 by default depends on the machine (docs/decisions.md 57).
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
