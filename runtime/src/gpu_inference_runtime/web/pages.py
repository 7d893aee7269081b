"""The Flask application of the pages at /docs, for the front to call on a thread beside its event loop.

Flask is not imported before somebody asks for a page. The paths of scoring, health and specification are
known to it too, so that it can redirect to them and refuse methods; the front answers those itself.
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
from gpu_inference_script.messages import Answer, error_answer

if TYPE_CHECKING:
    from flask import Flask, Response

_ELSEWHERE = {
    "/": ("GET", "OPTIONS"),
    "/score": ("GET", "POST", "OPTIONS"),
    "/swagger.json": ("GET", "OPTIONS"),
}
_SERVICE = "/api/v1/service/<name>"
_HEADERS = "gpu_inference.headers"

Refusal = Callable[[Mapping[bytes, bytes]], RefusedError | None]
"""Tells how a request with these headers is refused; None where it may pass."""


class Pages:
    """Answers requests for pages.

    Args:
        settings: whether there are pages, and what they are about.
        refusal: looks at the key of a request.
    """

    def __init__(self, settings: Settings, refusal: Refusal) -> None:
        self._settings = settings
        self._refusal = refusal
        self._app: Flask | None = None
        self._making = threading.Lock()

    def answer(
        self, method: bytes, target: bytes, headers: Mapping[bytes, bytes], client: tuple[str, int]
    ) -> Answer:
        """Return the answer to a request. May be called by several threads.

        Args:
            method: HTTP's. HEAD gets the answer to GET, whose body is not to be sent.
            target: path and query as the client sent them.
            headers: with names in lower case.
            client: its address and port.
        """
        with self._making:
            if self._app is None:
                self._app = _create_app(self._settings, self._refusal)
        started: list[tuple[str, list[tuple[str, str]]]] = []

        # The arguments are those of WSGI.
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
                # Werkzeug has the methods in any order.
                others.append((name, ", ".join(sorted(value.split(", ")))))
            # The length is the front's to count.
            elif name.lower() != "content-length":
                others.append((name, value))
        return Answer(int(code), body, tuple(others), content_type, reason=reason)


def _environ(
    method: bytes, target: bytes, headers: Mapping[bytes, bytes], client: tuple[str, int]
) -> dict[str, Any]:
    """Return the request as WSGI has it, without its body: no page has a use for one."""
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


def _create_app(settings: Settings, refusal: Refusal) -> "Flask":
    from flask import Flask, abort, request
    from werkzeug.exceptions import HTTPException

    from gpu_inference_runtime.web import docs_page

    app = Flask(__name__, static_folder=None)

    def elsewhere(name: str = "") -> str:  # noqa: ARG001  (part of the path)
        abort(404)

    for path, methods in _ELSEWHERE.items():
        for rule in (path, _SERVICE + path):
            app.add_url_rule(
                rule,
                rule,
                elsewhere,
                methods=methods,
                provide_automatic_options=False,
                # Not a redirect from the service's path to the same with a slash: v1 had none.
                strict_slashes=path != "/",
            )

    def refused() -> "Response | None":
        error = refusal(request.environ[_HEADERS])
        return None if error is None else _to_flask(error.answer)

    docs_page.register(app, settings, refused)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> "Response":
        answer = _to_flask(error_answer(error.code or 500, error.description or error.name))
        # 405 says which methods there are.
        if "Allow" in (headers := error.get_response().headers):
            answer.headers["Allow"] = headers["Allow"]
        return answer

    return app


def _to_flask(answer: Answer) -> "Response":
    from flask import Response

    assert isinstance(answer.body, bytes)
    return Response(answer.body, answer.status, answer.headers, content_type=answer.content_type)
