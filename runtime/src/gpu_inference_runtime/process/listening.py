"""Sockets on all addresses of the machine, IPv4 and IPv6 alike, for clusters of any kind."""

import errno
import socket

# What a system answers that has no IPv6: no such family, or none of its addresses.
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
# As long as gunicorn's own: connections may wait there while the worker process starts.
_BACKLOG = 2048


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
            # Machines differ in whether IPv6 includes IPv4 when nothing is said.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
