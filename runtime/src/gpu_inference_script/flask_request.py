"""Makes Flask's `request` the request that is being scored, for scripts that use Flask.

v1's server was a Flask application, so scripts found its request there. Here the request is built from the
one in the inbox, and only if Flask has been imported: it costs more than everything else that the server does
for a call.
"""

import contextlib
import importlib
import logging
import os
import sys
import threading
from importlib.abc import Loader, MetaPathFinder
from io import BytesIO
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, TypeVar
from urllib.parse import unquote_to_bytes

from gpu_inference_script.request import Request
from gpu_inference_script.response import Response

T = TypeVar("T")

_PATHS = ("/score", "/api/v1/service/<name>/score")
_METHODS = ["GET", "HEAD", "POST", "OPTIONS"]
# Headers with which a trusted proxy says that its client used TLS, and the trusted proxies; as in gunicorn.
_SAYS_HTTPS = {"x-forwarded-protocol": "ssl", "x-forwarded-proto": "https", "x-forwarded-ssl": "on"}
_TRUSTED = [name.strip() for name in os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1").split(",")]

log = logging.getLogger("gpu_inference")


class current:  # noqa: N801  (used like a function)
    """Make a request Flask's current one within the block."""

    __slots__ = ("_request", "pushed")

    def __init__(self, request: Request) -> None:
        self._request = request
        self.pushed: Optional[_Pushed] = None

    def __enter__(self) -> None:
        _thread.current = self
        if "flask" in sys.modules:
            self.push()

    def __exit__(self, *error: object) -> None:
        _thread.current = None
        if self.pushed is not None:
            self.pushed.leave()

    def push(self) -> None:
        """Push Flask's contexts; Flask has been imported."""
        try:
            self.pushed = _Pushed(self._request)
        except Exception:
            # Flask is broken, or the script has a module named flask.
            log.exception("Flask's request could not be made")


class _Current(threading.local):
    """The request that a thread works on."""

    current: Optional[current] = None


_thread = _Current()


def native(request: Request) -> Any:  # noqa: ARG001  (Flask finds it by itself)
    """Return Flask's request object; call it within `current`.

    It is Flask's proxy for the current request, as in v1.
    """
    import flask

    return flask.request


def finish(answer: Response, front_end: str = "none") -> Response:
    """Apply the script's `flask.after_this_request` functions to a response; call it within `current`.

    The code that makes the parts of a streamed response finds the request too. If a function fails, the call
    fails.
    """
    here = _thread.current
    if here is None or here.pushed is None:
        return answer
    if getattr(here.pushed.context, "_after_request_functions", ()):
        answer = _processed(answer, here.pushed.context, front_end)
    if not isinstance(answer.body, bytes):
        answer = answer.replace(body=_PartsWithin(here.pushed, answer.body))
    return answer


def _processed(answer: Response, context: Any, front_end: str) -> Response:
    import flask

    # Both import this module.
    from gpu_inference_script import flask_responses, scoring

    status = answer.status if answer.reason is None else f"{answer.status} {answer.reason}"
    response = flask.Response(answer.body, status, list(answer.headers), content_type=answer.content_type)
    if answer.content_type is None and not any(name.lower() == "content-type" for name, _ in answer.headers):
        # Remove Flask's default.
        del response.headers["Content-Type"]
    try:
        response = context.app.process_response(response)
        return flask_responses.with_body_of(response, *flask_responses.checked_head(response))
    except BaseException:
        log.exception("A function that run() passed to flask.after_this_request has failed")
        with contextlib.suppress(Exception):
            response.close()
        return scoring.failure_response(front_end)


class _Pushed:
    """Flask's contexts of one request; they are current until `leave`."""

    def __init__(self, request: Request) -> None:
        self.context = _application().request_context(environ(request))
        self._outlives_call = False
        self.store = _context_store()
        self._outer = self.store.begin()
        self.context.push()

    def leave(self) -> None:
        """Restore what was current before."""
        if not self._outlives_call:
            self.pop()
        self.store.end(self._outer)

    def keep(self) -> "_State":
        """Return what is current, and keep the contexts alive beyond the call."""
        self._outlives_call = True
        return self.store.now()

    def pop(self) -> None:
        # This fails if the script pushed contexts of its own, or imported Flask in a coroutine.
        with contextlib.suppress(AssertionError, LookupError, ValueError, RuntimeError):
            self.context.pop()


class _PartsWithin:
    """The parts of a streamed body. Each is made with the Flask contexts that the part before left behind.

    `flask.stream_with_context` pushes a context with its first part and pops it with its last one. In
    between, other calls must not find it.
    """

    def __init__(self, pushed: _Pushed, body: "Iterator[bytes]") -> None:
        self._pushed = pushed
        self._body = body
        self._state = pushed.keep()
        self._ended = False

    def __iter__(self) -> "Iterator[bytes]":
        return self

    def __next__(self) -> bytes:
        return self._within(self._body.__next__)

    def close(self) -> None:
        """Close the body, and pop the contexts."""
        if not self._ended:
            self._ended = True
            self._within(self._close)

    def _close(self) -> None:
        try:
            getattr(self._body, "close", lambda: None)()
        finally:
            self._pushed.pop()

    def _within(self, function: "Callable[[], T]") -> T:
        store = self._pushed.store
        outer = store.begin(self._state)
        try:
            return function()
        finally:
            self._state = store.now()
            store.end(outer)


_State = List[Any]


class _ContextStore:
    """Where Flask keeps its current contexts; it depends on Flask's version."""

    def begin(self, state: "Optional[_State]" = None) -> Any:
        """Make a state current (by default the one that is), and return what `end` needs."""
        raise NotImplementedError

    def now(self) -> _State:
        """Return what is current."""
        raise NotImplementedError

    def end(self, outer: Any) -> None:
        """Restore what was current before `begin`."""
        raise NotImplementedError


class _Variables(_ContextStore):
    """Context variables, since Flask 2.2."""

    def __init__(self, variables: "Sequence[Any]") -> None:
        self._variables = variables

    def begin(self, state: "Optional[_State]" = None) -> "List[Tuple[Any, Any]]":
        values = self.now() if state is None else state
        return [(variable, variable.set(value)) for variable, value in zip(self._variables, values)]

    def now(self) -> _State:
        return [variable.get(None) for variable in self._variables]

    def end(self, outer: "List[Tuple[Any, Any]]") -> None:
        for variable, token in outer:
            # This fails if `begin` ran in another context: a coroutine of the script imported Flask.
            with contextlib.suppress(ValueError):
                variable.reset(token)


class _Stacks(_ContextStore):
    """Stacks of the thread, before Flask 2.2. They are empty between two calls."""

    def __init__(self, stacks: "Sequence[Any]") -> None:
        self._stacks = stacks

    def begin(self, state: "Optional[_State]" = None) -> None:
        for stack, items in zip(self._stacks, state or ()):
            for item in items:
                stack.push(item)

    def now(self) -> _State:
        state = [self._emptied(stack) for stack in self._stacks]
        self.begin(state)
        return state

    def end(self, outer: None) -> None:  # noqa: ARG002
        for stack in self._stacks:
            self._emptied(stack)

    @staticmethod
    def _emptied(stack: Any) -> "List[Any]":
        items: List[Any] = []
        while stack.top is not None:
            items.insert(0, stack.pop())
        return items


_known_store: "Optional[_ContextStore]" = None


def _context_store() -> _ContextStore:
    global _known_store
    if _known_store is None:
        of_flask: Any = importlib.import_module("flask.globals")
        variables = [value for value in vars(of_flask).values() if type(value).__name__ == "ContextVar"]
        if variables:
            _known_store = _Variables(variables)
        else:
            _known_store = _Stacks([of_flask._app_ctx_stack, of_flask._request_ctx_stack])
    return _known_store


def environ(request: Request) -> "Dict[str, Any]":
    """Return the WSGI environment of a request, as gunicorn would make it."""
    headers = request.headers_by_name
    made = {
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.input": BytesIO(request.body),
        "wsgi.url_scheme": "https" if _came_by_tls(request, headers) else "http",
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
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        made[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key] = value
    return made


def _came_by_tls(request: Request, headers: "Dict[str, str]") -> bool:
    said = any(headers.get(name) == value for name, value in _SAYS_HTTPS.items())
    return said and ("*" in _TRUSTED or _is_trusted(request.client[0]))


def _is_trusted(address: str) -> bool:
    import ipaddress

    with contextlib.suppress(ValueError):
        client = ipaddress.ip_address(address)
        return any(client in ipaddress.ip_network(network) for network in _TRUSTED)
    return False


_app: Any = None


def _application() -> Any:
    global _app
    if _app is None:
        from flask import Flask

        app = Flask("gpu_inference_script", static_folder=None)
        # The body is already in memory. Flask had no limit for form fields in v1's time; Flask 3.1 has one of
        # 500 kB (docs/decisions.md 75).
        app.config["MAX_FORM_MEMORY_SIZE"] = None
        for path in _PATHS:
            app.add_url_rule(path, path, lambda **_: "", methods=_METHODS)
        _app = app
    return _app


class _FlaskImports(MetaPathFinder):
    """Notices that a script imports Flask during a call."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        """Return what another finder finds, with a loader that pushes the request after the import."""
        if fullname != "flask" or _thread.current is None:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(fullname, path, target) if find is not None and finder is not self else None
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _PushingLoader(spec.loader)
                return spec
        return None


class _PushingLoader(Loader):
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        # From here on, it is an ordinary module.
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        if _thread.current is not None:
            _thread.current.push()


_imports = _FlaskImports()


def notice_imports() -> None:
    """Notice imports of Flask from now on."""
    if _imports not in sys.meta_path:
        sys.meta_path.insert(0, _imports)
