"""A Flask application with the server's paths, as this server was one before it had an event loop.

Tests compare with it: clients know the answers of that time.
"""

import json
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, abort
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.errors import ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from werkzeug.exceptions import HTTPException

from gpu_inference_runtime.settings import Settings
from gpu_inference_runtime.web import docs_page

_CLIENT, _SERVER = ("192.0.2.1", 1), ("192.0.2.2", 80)
_CONFIG = Config()
_CONFIG.set("http_parser", "python")
_ROUTES = {"/": ("GET", "OPTIONS"), "/score": ("GET", "POST", "OPTIONS"), "/swagger.json": ("GET", "OPTIONS")}
KINDS = {"/": "HEALTH", "/score": "SCORE", "/swagger.json": "SPECIFICATION"}


@dataclass(frozen=True)
class Told:
    """What the application answers.

    Args:
        status: with the words after it.
        headers: with names in lower case, without the length.
        body: of a request that is not HEAD.
        kind: the view that was asked; empty where none was.
    """

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    kind: str


class Reference:
    """The application.

    Args:
        settings: of the service.
        refused: what the pages with data answer; None where everybody may see them.
    """

    def __init__(self, settings: Settings, refused: Response | None = None) -> None:
        self._asked = ""
        self._app = app = Flask(__name__, static_folder=None)

        def route(path: str, methods: tuple[str, ...]) -> None:
            def view() -> str:
                self._asked = KINDS[path]
                return ""

            def view_by_name(name: str) -> str:
                if name != settings.service_name:
                    abort(404)
                return view()

            for rule, function in ((path, view), ("/api/v1/service/<name>" + path, view_by_name)):
                app.add_url_rule(
                    rule,
                    rule,
                    function,
                    methods=methods,
                    provide_automatic_options=False,
                    strict_slashes=path != "/",
                )

        for path, methods in _ROUTES.items():
            route(path, methods)
        docs_page.register(app, settings, lambda: refused)

        @app.errorhandler(HTTPException)
        def http_error(error: HTTPException) -> Response:
            body = json.dumps({"message": error.description or error.name})
            answer = Response(body, error.code, {"x-ms-run-function-failed": "False"}, "application/json")
            if "Allow" in (headers := error.get_response().headers):
                answer.headers["Allow"] = headers["Allow"]
            answer.content_type = "application/json"
            return answer

    def tell(self, head: bytes) -> Told | None:
        """Return the answer to a request without a body; None where gunicorn refuses it."""
        try:
            request = Request(_CONFIG, IterUnreader([head]), _CLIENT)
        except ParseException:
            return None
        wire: Any = None
        response, environ = wsgi.create(request, wire, _CLIENT, _SERVER, _CONFIG)
        self._asked = ""
        parts = self._app(environ, response.start_response)
        body = b"".join(parts)
        parts.close()  # type: ignore[attr-defined]
        headers = [(name.lower(), value) for name, value in response.headers]
        kept = tuple(sorted(_in_order(*pair) for pair in headers if pair[0] != "content-length"))
        return Told(response.status, kept, body, self._asked)


def _in_order(name: str, value: str) -> tuple[str, str]:
    """Werkzeug's Allow has its methods in any order."""
    return (name, ", ".join(sorted(value.split(", "))) if name == "allow" else value)
