"""The Flask application of the page at /docs. The front calls it on a thread beside its event loop.

Flask is imported with the first request for a page. The application also has the paths for scoring, health
and specification, so that it can redirect to them and refuse methods; the front handles those paths itself.
"""

import io
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from gunicorn.util import split_request_uri

from gpu_inference_runtime.http.refusals import RefusedError
from gpu_inference_runtime.settings import Settings
from gpu_inference_script.response import Response, error_response

if TYPE_CHECKING:
    import flask

_FRONT_PATHS = {
    "/": ("GET", "OPTIONS"),
    "/score": ("GET", "POST", "OPTIONS"),
    "/swagger.json": ("GET", "OPTIONS"),
}
_SERVICE = "/api/v1/service/<name>"
_HEADERS = "gpu_inference.headers"

Refusal = Callable[[Mapping[bytes, bytes]], RefusedError | None]
"""Returns the refusal of a request with these headers; None if it may pass."""


class Pages:
    """Answers requests for pages.

    Args:
        settings: whether there is a page, and what it shows.
        refusal: checks a request's key or token.
    """

    def __init__(self, settings: Settings, refusal: Refusal) -> None:
        self._settings = settings
        self._refusal = refusal
        self._app: flask.Flask | None = None
        self._making = threading.Lock()

    def answer(
        self, method: bytes, target: bytes, headers: Mapping[bytes, bytes], client: tuple[str, int]
    ) -> Response:
        """Return the response to a request. Safe to call on several threads.

        Args:
            method: the request's method. HEAD gets the response to GET; do not send its body.
            target: path and query as the client sent them.
            headers: the request's headers, with lower-case names.
            client: the client's address and port.
        """
        with self._making:
            if self._app is None:
                self._app = _create_app(self._settings, self._refusal)
        started: list[tuple[str, list[tuple[str, str]]]] = []

        # WSGI defines the arguments.
        def start(status: str, fields: list[tuple[str, str]], error: Any = None) -> Callable[[bytes], object]:  # noqa: ARG001
            started[:] = [(status, fields)]
            return io.BytesIO().write

        parts: Iterable[bytes] = self._app(_environ(method, target, headers, client), start)
        try:
            body = b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        [(status, fields)] = started
        code, _, reason = status.partition(" ")
        content_type = None
        others = []
        for name, value in fields:
            if name.lower() == "content-type":
                content_type = value
            elif name.lower() == "allow":
                # Werkzeug lists the methods in no fixed order.
                others.append((name, ", ".join(sorted(value.split(", ")))))
            # The front sets Content-Length itself.
            elif name.lower() != "content-length":
                others.append((name, value))
        return Response(int(code), body, tuple(others), content_type, reason=reason)


def _environ(
    method: bytes, target: bytes, headers: Mapping[bytes, bytes], client: tuple[str, int]
) -> dict[str, Any]:
    """Return the WSGI environment of a request, without the body: pages do not need one."""
    parts = split_request_uri(target.decode("latin-1"))
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET" if method == b"HEAD" else method.decode("latin-1"),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        _HEADERS: headers,
    }
    for name, value in headers.items():
        if name not in (b"content-type", b"content-length"):
            environ["HTTP_" + name.decode("latin-1").upper().replace("-", "_")] = value.decode(
                "latin-1"
            ).strip(" \t")
    return environ


def _create_app(settings: Settings, refusal: Refusal) -> "flask.Flask":
    import flask
    from flask import abort, request
    from werkzeug.exceptions import HTTPException

    from gpu_inference_runtime.web import docs_page

    app = flask.Flask(__name__, static_folder=None)

    def not_here(name: str = "") -> str:  # noqa: ARG001  (part of the path)
        abort(404)

    for path, methods in _FRONT_PATHS.items():
        for rule in (path, _SERVICE + path):
            app.add_url_rule(
                rule,
                rule,
                not_here,
                methods=methods,
                provide_automatic_options=False,
                # The service's path without a slash does not redirect, as in v1.
                strict_slashes=path != "/",
            )

    def refused() -> "flask.Response | None":
        error = refusal(request.environ[_HEADERS])
        return None if error is None else _to_flask(error.response)

    docs_page.register(app, settings, refused)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> "flask.Response":
        response = _to_flask(error_response(error.code or 500, error.description or error.name))
        # A 405 response lists the accepted methods.
        if "Allow" in (headers := error.get_response().headers):
            response.headers["Allow"] = headers["Allow"]
        return response

    return app


def _to_flask(response: Response) -> "flask.Response":
    import flask

    assert isinstance(response.body, bytes)
    return flask.Response(
        response.body, response.status, response.headers, content_type=response.content_type
    )
