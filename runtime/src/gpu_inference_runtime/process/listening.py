"""The server's two ports, on all addresses of the machine, IPv4 and IPv6 alike, for clusters of any kind."""

import errno
import logging
import os
import socket

from gpu_inference_runtime.settings import Settings

# What a system answers that has no IPv6: no such family, or none of its addresses.
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
# As long as gunicorn's own: connections may wait there while the worker process starts.
_BACKLOG = 2048

log = logging.getLogger("gpu_inference")


class PortError(Exception):
    """A port that the server needs cannot be opened; the text is one sentence that names it."""


def open_ports(settings: Settings) -> tuple[socket.socket, socket.socket | None]:
    """Return the sockets for scoring and for probes and metrics; None where there is no second one.

    v1's bare server had one port. So what is wrong with the second one does not keep ours from scoring,
    unless somebody has asked for that port, or there is a cluster that asks there.

    Raises:
        PortError: a port is taken or not allowed.
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
            "%s There is no /live, no /ready and no /metrics. HEALTH_PORT can name another port.", error
        )
        return scoring, None


def _open(what: str, port: int) -> socket.socket:
    try:
        return listen_everywhere(port)
    except OSError as error:
        raise PortError(f"The {what} {port} cannot be opened: {os.strerror(error.errno or 0)}.") from None


def listen_everywhere(port: int) -> socket.socket:
    """Return a socket that listens to the port on every address.

    Raises:
        OSError: the port is taken or not allowed.
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
            # Machines differ in whether IPv6 includes IPv4 when nothing is said (docs/decisions.md 57).
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
