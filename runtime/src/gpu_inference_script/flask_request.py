"""Makes Flask's `request` be the request that is scored, for scripts that use it. They bring Flask with them.

Scripts of v1 found Flask's request as its server's own. Here it is built from what crossed over from the
front, and only where Flask has been imported: that costs more than all else that the server does for a call.
"""

import os
import sys
from importlib.abc import Loader, MetaPathFinder
from io import BytesIO
from typing import Any, Dict, List, Optional
from urllib.parse import unquote_to_bytes

from gpu_inference_script.messages import Answer
from gpu_inference_script.request import Request

_PATHS = ("/score", "/api/v1/service/<name>/score")
# What gunicorn takes for a proxy's word that the client came by HTTPS.
_SECURE = (("x-forwarded-protocol", "ssl"), ("x-forwarded-proto", "https"), ("x-forwarded-ssl", "on"))
_METHODS = ["GET", "HEAD", "POST", "OPTIONS"]


class current:  # noqa: N801  (used like a function)
    """Let code within the block find this request as Flask's current one."""

    __slots__ = ("_context", "_request")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._context: "Any" = None

    def __enter__(self) -> None:
        if "flask" in sys.modules:
            self.push()
        else:
            _imports.waiting = self

    def __exit__(self, *error: object) -> None:
        _imports.waiting = None
        if self._context is not None:
            self._context.pop()

    def push(self) -> None:
        """Begin now: Flask is there."""
        self._context = _application().request_context(environ(self._request))
        self._context.push()
        _contexts.append(self._context)
        del _contexts[:-1]


_contexts: "List[Any]" = []
"""The context that was pushed last, for `finish`."""


def native(request: Request) -> Any:  # noqa: ARG001  (what an input class calls; Flask finds it by itself)
    """Return Flask's own request object, within `current`."""
    import flask

    return flask.request


def finish(answer: Answer) -> Answer:
    """Return the answer with what the script has asked `flask.after_this_request` for; within `current`.

    Raises:
        Exception: whatever such a function raises.
    """
    if "flask" not in sys.modules or not _contexts:
        return answer
    functions = getattr(_contexts[-1], "_after_request_functions", None)
    if not functions:
        return answer
    from flask import Response

    status = answer.status if answer.reason is None else "{} {}".format(answer.status, answer.reason)
    response = Response(answer.body, status, list(answer.headers), content_type=answer.content_type)
    if answer.content_type is None:
        del response.headers["Content-Type"]
    for function in list(functions):
        response = function(response)
    content_type = response.headers.get("Content-Type")
    headers = [(name, value) for name, value in response.headers.items() if name != "Content-Type"]
    if isinstance(answer.body, bytes):
        headers = [pair for pair in headers if pair[0] != "Content-Length"]
    body = response.get_data() if isinstance(answer.body, bytes) else answer.body
    return answer.replace(
        status=response.status_code, body=body, headers=tuple(headers), content_type=content_type
    )


def environ(request: Request) -> Dict[str, Any]:
    """Return the WSGI environment of a request, as gunicorn made it."""
    body = request.body_bytes
    made = {
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.input": BytesIO(body),
        "wsgi.url_scheme": _scheme(request),
        "SERVER_SOFTWARE": "gunicorn",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query_string,
        "RAW_URI": request.target,
        "SERVER_PROTOCOL": request.version,
        "REMOTE_ADDR": request.client[0],
        "REMOTE_PORT": str(request.client[1]),
        "SERVER_NAME": request.server[0],
        "SERVER_PORT": str(request.server[1]),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.raw_path.encode("latin-1")).decode("latin-1"),
    }  # type: Dict[str, Any]
    for name, value in request.headers_by_name.items():
        key = name.upper().replace("-", "_")
        made[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key] = value
    return made


def _scheme(request: Request) -> str:
    """Return the scheme that the client used, where a proxy tells it that may be believed."""
    trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1").split(",")
    if request.client[0] not in trusted and "*" not in trusted:
        return "http"
    headers = request.headers_by_name
    secure = any(headers.get(name) == value for name, value in _SECURE)
    return "https" if secure else "http"


_app: "Any" = None


def _application() -> Any:
    global _app
    if _app is None:
        from flask import Flask

        # Modules of the script's own folder are not templates' and files' business.
        _app = Flask("gpu_inference_script", static_folder=None)
        # The body is all in memory already. Flask of v1's time had no limit for a form's fields; 3.1 has
        # 500 kB.
        _app.config["MAX_FORM_MEMORY_SIZE"] = None
        for path in _PATHS:
            _app.add_url_rule(path, path, lambda **_: "", methods=_METHODS)
    return _app


class _FlaskImports(MetaPathFinder):
    """Notices that a script imports Flask in the middle of a call."""

    waiting: "Optional[current]" = None

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != "flask" or self.waiting is None:
            return None
        waiting, self.waiting = self.waiting, None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(fullname, path, target) if find is not None and finder is not self else None
            if spec is not None and spec.loader is not None:
                spec.loader = _ThenPush(spec.loader, waiting)
                return spec
        return None


class _ThenPush(Loader):
    def __init__(self, loader: Any, waiting: current) -> None:
        self._loader = loader
        self._waiting = waiting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        self._loader.exec_module(module)
        self._waiting.push()


_imports = _FlaskImports()


def notice_imports() -> None:
    """Have imports of Flask noticed from now on."""
    if _imports not in sys.meta_path:
        sys.meta_path.insert(0, _imports)
