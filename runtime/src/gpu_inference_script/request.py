"""One scoring request, as the script process sees it."""

import codecs
from typing import Dict, List, Optional, Tuple, Union
from urllib.parse import quote, unquote, urlsplit

_PERCENT_ENCODED = "gpu_inference_script.percent_encoded"


class Request:
    """One scoring request.

    Args:
        method: the method, in upper case.
        target: path and query exactly as the client sent them.
        version: the HTTP version, such as `HTTP/1.1`.
        headers: names and values in order, as the client sent them.
        body: the whole body. It may be shared memory that is only valid during the call.
        client: address and port of the client.
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
        """The query, without the question mark, as the client sent it."""
        return _split(self.target)[1]

    @property
    def query(self) -> "Dict[str, List[str]]":
        """The query parameters in order of first occurrence, each with all its values."""
        try:
            return self._query
        except AttributeError:
            self._query: "Dict[str, List[str]]" = parse_query(self.query_string)
            return self._query

    @property
    def headers_by_name(self) -> "Dict[str, str]":
        """The headers as in WSGI, with lower-case names.

        The values of a repeated header are joined by commas. Names with an underscore are left out, because
        WSGI cannot distinguish them from names with a hyphen.
        """
        try:
            return self._by_name
        except AttributeError:
            self._by_name: "Dict[str, str]" = _by_name(self.headers)
            return self._by_name

    @property
    def content_type(self) -> str:
        """The media type, in lower case and without its parameters; empty if there is none."""
        for name, value in reversed(self.headers):
            if len(name) == 12 and name.lower() == "content-type":
                return value.partition(";")[0].strip().lower()
        return ""

    @property
    def body_bytes(self) -> bytes:
        """A copy of the body that stays valid after the call."""
        return bytes(self.body)

    def text(self) -> str:
        """Return the body as text.

        Raises:
            UnicodeDecodeError: the body is not UTF-8.
        """
        return str(self.body, "utf-8")


def parse_query(text: str) -> "Dict[str, List[str]]":
    """Return the parameters of a query, parsed like Flask's `request.args`.

    Bytes that are not UTF-8 stay percent-encoded.

    Example:
        >>> parse_query("a=1&b=x%20y&a=2")
        {'a': ['1', '2'], 'b': ['x y']}
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
    # An absolute URL, as sent to a proxy.
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
