"""One request as a script process knows it: what crossed over from the front, taken apart when asked for."""

import codecs
from typing import Dict, List, Optional, Tuple, Union
from urllib.parse import quote, unquote, urlsplit

_PERCENT_ENCODED = "gpu_inference_script.percent_encoded"


class Request:
    """One scoring request.

    Args:
        method: in upper case.
        target: path and query exactly as the client sent them.
        version: `HTTP/1.1` and the like.
        headers: names and values in order, as the client sent them.
        body: whole. It may be shared memory, which is only valid during the call.
        client: address and port of the peer.
        server: address and port that the server listens on.
    """

    __slots__ = (
        "_by_name",
        "_query",
        "body",
        "client",
        "headers",
        "method",
        "request_id",
        "server",
        "target",
        "trace",
        "version",
    )

    def __init__(
        self,
        method: str,
        target: str = "/",
        version: str = "HTTP/1.1",
        headers: "Optional[List[Tuple[str, str]]]" = None,
        body: "Union[bytes, memoryview]" = b"",
        client: "Tuple[str, int]" = ("", 0),
        server: "Tuple[str, int]" = ("", 0),
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers or []
        self.body = body
        self.client = client
        self.server = server
        self.request_id = ""
        self.trace: "Optional[Tuple[bytes, bytes, int]]" = None

    @property
    def raw_path(self) -> str:
        """The path as the client sent it."""
        return _split(self.target)[0]

    @property
    def path(self) -> str:
        """The path, percent-decoded."""
        return unquote(self.raw_path)

    @property
    def query_string(self) -> str:
        """What follows the question mark, as the client sent it."""
        return _split(self.target)[1]

    @property
    def query(self) -> "Dict[str, List[str]]":
        """The query's parameters in the order in which they first come, with all values of each."""
        try:
            return self._query
        except AttributeError:
            self._query: "Dict[str, List[str]]" = parse_query(self.query_string)
            return self._query

    @property
    def headers_by_name(self) -> "Dict[str, str]":
        """The headers as WSGI has them, with names in lower case.

        Values of a repeated name are joined by commas. Names with an underscore are left out, since WSGI
        confuses them with others.
        """
        try:
            return self._by_name
        except AttributeError:
            self._by_name: "Dict[str, str]" = _by_name(self.headers)
            return self._by_name

    @property
    def content_type(self) -> str:
        """The media type, in lower case and without its parameters; empty where the client gave none."""
        for name, value in reversed(self.headers):
            if len(name) == 12 and name.lower() == "content-type":
                return value.partition(";")[0].strip().lower()
        return ""

    @property
    def body_bytes(self) -> bytes:
        """The body as an object that stays valid."""
        return bytes(self.body)

    def text(self) -> str:
        """Return the body as text.

        Raises:
            UnicodeDecodeError: it is not UTF-8.
        """
        return str(self.body, "utf-8")


def parse_query(text: str) -> "Dict[str, List[str]]":
    """Return the parameters of a query as Werkzeug, and so Flask's `request.args`, has them.

    Bytes that are not UTF-8 stay percent-encoded.
    """
    parameters: "Dict[str, List[str]]" = {}
    text = text.encode("latin-1").decode("utf-8", _PERCENT_ENCODED)
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            parameters.setdefault(_decoded(name), []).append(_decoded(value))
    return parameters


def _decoded(text: str) -> str:
    return unquote(text.replace("+", " "), "utf-8", _PERCENT_ENCODED)


def _keep_encoded(error: UnicodeError) -> "Tuple[str, int]":
    assert isinstance(error, UnicodeDecodeError)
    return quote(error.object[error.start : error.end], safe=""), error.end


codecs.register_error(_PERCENT_ENCODED, _keep_encoded)


def _split(target: str) -> "Tuple[str, str]":
    """Return path and query of a request's target."""
    if target[:1] == "/":
        path, _, query = target.partition("#")[0].partition("?")
        return path, query
    # With scheme and host, as for a proxy.
    parts = urlsplit(target)
    return parts.path, parts.query


def _by_name(headers: "List[Tuple[str, str]]") -> "Dict[str, str]":
    by_name: "Dict[str, str]" = {}
    for name, value in headers:
        name = name.lower()
        if "_" in name:
            continue
        if name in ("content-type", "content-length"):
            if value:
                by_name[name] = value
        elif name in by_name:
            by_name[name] += "," + value
        else:
            by_name[name] = value
    return by_name
