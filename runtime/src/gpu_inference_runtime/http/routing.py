"""Routes: which part of the server a path belongs to, and which methods it accepts.

Paths are compared as Flask's router (Werkzeug) compares them, as in v1's server, but without importing Flask.
"""

import enum
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote_to_bytes

from gunicorn.util import split_request_uri

from gpu_inference_runtime.settings import Settings
from gpu_inference_script.request import parse_query
from gpu_inference_script.response import Response, error_response

# Clients of azureml-fe use these paths.
_SERVICES = "/api/v1/service/"
_DOCS = "docs"
# Flask's texts, which clients of v1's server know.
_UNKNOWN = (
    "The requested URL was not found on the server. "
    "If you entered the URL manually please check your spelling and try again."
)
_NOT_ALLOWED = "The method is not allowed for the requested URL."
_NOT_UNDERSTOOD = "The browser (or proxy) sent a request that this server could not understand."

_HOST = re.compile(rb"([a-z0-9.-]+|\[[a-f0-9]*:[a-f0-9.:]+])(?::([1-9][0-9]{,4}))?", re.IGNORECASE)
_MAX_LABEL = 63
# Enough for all host names of a service. Made-up names beyond that are checked each time.
_MAX_HOSTS = 256
_NO_HEADERS: Mapping[bytes, bytes] = {}


class Kind(enum.Enum):
    """The parts of the server that requests are routed to."""

    HEALTH = enum.auto()
    SCORE = enum.auto()
    SPECIFICATION = enum.auto()
    PAGES = enum.auto()
    NOT_FOUND = enum.auto()


class Route:
    """The target of a path.

    Args:
        kind: the part of the server.
        methods: the accepted methods; None for any.
        is_alias: whether the path is a second form of another one; other methods then get 404, not 405.
    """

    __slots__ = ("is_alias", "kind", "methods")

    def __init__(
        self, kind: Kind, methods: frozenset[bytes] | None = None, *, is_alias: bool = False
    ) -> None:
        self.kind = kind
        self.methods = methods
        self.is_alias = is_alias

    @property
    def allow(self) -> str:
        """The accepted methods, as the value of the header `Allow`."""
        return ", ".join(sorted(method.decode() for method in self.methods or ()))


_READING = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_HEALTH = Route(Kind.HEALTH, _READING)
# The service's path without a slash does not redirect to the one with a slash, as in v1.
_HEALTH_WITHOUT_SLASH = Route(Kind.HEALTH, _READING, is_alias=True)
_SCORE = Route(Kind.SCORE, _READING | {b"POST"})
_SPECIFICATION = Route(Kind.SPECIFICATION, _READING)
_PAGES = Route(Kind.PAGES)
_NOT_FOUND = Route(Kind.NOT_FOUND)
# The same paths below another service's name: 404, but 405 first for methods that are not accepted.
_OTHER_SERVICES = {route: Route(Kind.NOT_FOUND, route.methods) for route in (_HEALTH, _SCORE, _SPECIFICATION)}
_BY_PATH = {"/": _HEALTH, "/score": _SCORE, "/swagger.json": _SPECIFICATION}
# Where Flask accepts a path without a trailing slash, it also ignores one slash too many.
_BY_TAIL = {"": _HEALTH, "/": _HEALTH, "score": _SCORE, "swagger.json": _SPECIFICATION}


class Routes:
    """Finds the route of a request, and refuses requests that no route accepts.

    Args:
        settings: the service's name, and whether the page at /docs is on.
    """

    def __init__(self, settings: Settings) -> None:
        self._name = settings.service_name
        self._shows_docs = settings.shows_docs
        self._hosts: set[bytes] = set()
        # By the path as most clients send it, so that it need not be parsed.
        self._exact: dict[bytes, Route] = {path.encode(): route for path, route in _BY_PATH.items()}
        if self._name and "/" not in self._name:
            # Clients differ in which characters of a path segment they percent-encode.
            for name in {quote(self._name, safe=""), quote(self._name, safe="!$&'()*+,;=:@")}:
                service = (_SERVICES + name).encode()
                self._exact[service] = _HEALTH_WITHOUT_SLASH
                self._exact.update((service + path.encode(), route) for path, route in _BY_PATH.items())
        self._unknown = error_response(404, _UNKNOWN)
        self._not_understood = error_response(400, _NOT_UNDERSTOOD)

    def resolve(self, target: bytes) -> Route:
        """Return the route of a request's target (path and query, as the client sent them)."""
        route = self._exact.get(target) or self._exact.get(target.partition(b"?")[0])
        return self._resolve_other(target) if route is None else route

    def refusal(
        self, route: Route, method: bytes, headers: Mapping[bytes, bytes] = _NO_HEADERS
    ) -> Response | None:
        """Return the response to a request that its route does not accept; None if the route accepts it.

        Args:
            route: the route of the request's path.
            method: the request's method.
            headers: the request's headers, with lower-case names.
        """
        if route is _PAGES:
            # Flask refuses requests itself.
            return None
        host = headers.get(b"host")
        if host is not None and host not in self._hosts:
            if not _is_host(host):
                return self._not_understood
            if len(self._hosts) < _MAX_HOSTS:
                self._hosts.add(host)
        methods = route.methods
        if methods is not None and method not in methods:
            if route.is_alias:
                return self._unknown
            return error_response(405, _NOT_ALLOWED, ("Allow", route.allow))
        if methods is not None and b"upgrade" in headers and _is_websocket(headers):
            return self._unknown if route.is_alias else self._not_understood
        return self._unknown if route.kind is Kind.NOT_FOUND else None

    def query(self, target: bytes) -> dict[str, list[str]]:
        """Return the query parameters of a target, each with all its values."""
        return parse_query(split_request_uri(target.decode("latin-1")).query)

    def _resolve_other(self, target: bytes) -> Route:
        """Return the route of a path that is percent-encoded, part of an absolute URL, a page, or unknown."""
        try:
            raw = split_request_uri(target.decode("latin-1")).path
        except ValueError:
            return _NOT_FOUND
        if not raw:
            return _HEALTH_WITHOUT_SLASH
        path = "/" + unquote_to_bytes(raw).decode("utf-8", "replace").lstrip("/")
        route = self._match(path)
        if route is None and "//" in path:
            # Flask redirects to the path without repeated slashes, if that exists.
            return _NOT_FOUND if self._match(re.sub("/{2,}", "/", path)) is None else _PAGES
        return route or _NOT_FOUND

    def _match(self, path: str) -> Route | None:
        if path in _BY_PATH:
            return _BY_PATH[path]
        if self._shows_docs and _is_docs(path[1:]):
            return _PAGES
        if not path.startswith(_SERVICES):
            return None
        name, slash, tail = path[len(_SERVICES) :].partition("/")
        if not name:
            return None
        if not slash:
            return _HEALTH_WITHOUT_SLASH if name == self._name else _NOT_FOUND
        if self._shows_docs and _is_docs(tail):
            return _PAGES
        route = _BY_TAIL.get(tail)
        return route if route is None or name == self._name else _OTHER_SERVICES[route]


def _is_docs(path: str) -> bool:
    return path == _DOCS or path.startswith(_DOCS + "/")


def _is_host(host: bytes) -> bool:
    """Return whether Werkzeug accepts this `Host`. A value that is no host name at all counts as absent."""
    match = _HOST.fullmatch(host.strip().removesuffix(b":80"))
    if match is None or int(match[2] or 0) > 65535:
        return True
    *labels, last = match[1].partition(b":")[0].split(b".")
    return all(0 < len(label) <= _MAX_LABEL for label in labels) and len(last) <= _MAX_LABEL


def _is_websocket(headers: Mapping[bytes, bytes]) -> bool:
    tokens = [token.strip() for token in headers.get(b"connection", b"").lower().split(b",")]
    return b"upgrade" in tokens and headers[b"upgrade"].strip().lower() == b"websocket"
