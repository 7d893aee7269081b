"""Makes Flask's `request` be the request that is scored, for scripts that use it. They bring Flask with them.

Scripts of v1 found Flask's request as its server's own. Here it is built from what crossed over from the
front, and only where Flask has been imported: that costs more than all else that the server does for a call.
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

from gpu_inference_script.messages import Answer
from gpu_inference_script.request import Request

T = TypeVar("T")

_PATHS = ("/score", "/api/v1/service/<name>/score")
_METHODS = ["GET", "HEAD", "POST", "OPTIONS"]
# By which headers gunicorn has believed a proxy that its client came by TLS, and which proxies.
_SAYS_HTTPS = {"x-forwarded-protocol": "ssl", "x-forwarded-proto": "https", "x-forwarded-ssl": "on"}
_TRUSTED = [name.strip() for name in os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1").split(",")]

log = logging.getLogger("gpu_inference")


class current:  # noqa: N801  (used like a function)
    """Let code within the block find this request as Flask's current one."""

    __slots__ = ("_request", "pushed")

    def __init__(self, request: Request) -> None:
        self._request = request
        self.pushed: Optional[_Pushed] = None

    def __enter__(self) -> None:
        _here.current = self
        if "flask" in sys.modules:
            self.push()

    def __exit__(self, *error: object) -> None:
        _here.current = None
        if self.pushed is not None:
            self.pushed.leave()

    def push(self) -> None:
        """Begin now: Flask is there."""
        try:
            self.pushed = _Pushed(self._request)
        except Exception:
            # It is broken, or a module of the script's own that has its name.
            log.exception("Flask's request could not be made")


class _Here(threading.local):
    """What a thread works on."""

    current: Optional[current] = None


_here = _Here()


def native(request: Request) -> Any:  # noqa: ARG001  (Flask finds it by itself)
    """Return Flask's own request object, within `current`.

    Scripts get the stand-in for "the current request", as they did under v1.
    """
    import flask

    return flask.request


def finish(answer: Answer, front_end: str = "none") -> Answer:
    """Return the answer with what the script has asked `flask.after_this_request` for; within `current`.

    Where it is streamed, code that makes its parts finds the request too. A function that fails makes the
    call a failed one.
    """
    here = _here.current
    if here is None or here.pushed is None:
        return answer
    if getattr(here.pushed.context, "_after_request_functions", ()):
        answer = _processed(answer, here.pushed.context, front_end)
    if not isinstance(answer.body, bytes):
        answer = answer.replace(body=_PartsWithin(here.pushed, answer.body))
    return answer


def _processed(answer: Answer, context: Any, front_end: str) -> Answer:
    from flask import Response

    # They need this module themselves.
    from gpu_inference_script import responses, scoring

    status = answer.status if answer.reason is None else f"{answer.status} {answer.reason}"
    response = Response(answer.body, status, list(answer.headers), content_type=answer.content_type)
    if answer.content_type is None and not any(name.lower() == "content-type" for name, _ in answer.headers):
        # Flask's own choice.
        del response.headers["Content-Type"]
    try:
        response = context.app.process_response(response)
        return responses.answer_of(response, *responses.checked_head(response))
    except BaseException:
        log.exception("What run() has given to flask.after_this_request has failed")
        with contextlib.suppress(Exception):
            response.close()
        return scoring.failure_answer(front_end)


class _Pushed:
    """Flask's contexts of one request, current until they are left."""

    def __init__(self, request: Request) -> None:
        self.context = _application().request_context(environ(request))
        self._outlives_call = False
        self.place = _place()
        self._outer = self.place.begin()
        self.context.push()

    def leave(self) -> None:
        """Make current what was so before."""
        if not self._outlives_call:
            self.pop()
        self.place.end(self._outer)

    def keep(self) -> "_State":
        """Return what is current; it will be needed after the call."""
        self._outlives_call = True
        return self.place.now()

    def pop(self) -> None:
        # It fails where the script has left something of its own there, or has imported Flask in a coroutine.
        with contextlib.suppress(AssertionError, LookupError, ValueError, RuntimeError):
            self.context.pop()


class _PartsWithin:
    """The parts of a body, made with Flask's contexts of their request current, as the part before left them.

    `flask.stream_with_context` pushes a context with its first part and pops it with its last one. Between
    them it must not be found by other calls.
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
        """Close the body, and end the contexts."""
        if not self._ended:
            self._ended = True
            self._within(self._close)

    def _close(self) -> None:
        try:
            getattr(self._body, "close", lambda: None)()
        finally:
            self._pushed.pop()

    def _within(self, function: "Callable[[], T]") -> T:
        place = self._pushed.place
        outer = place.begin(self._state)
        try:
            return function()
        finally:
            self._state = place.now()
            place.end(outer)


# Where Flask keeps what is current.

_State = List[Any]


class _Place:
    """Base of two ways."""

    def begin(self, state: "Optional[_State]" = None) -> Any:
        """Make it current, by default what is so already, and return what `end` needs."""
        raise NotImplementedError

    def now(self) -> _State:
        """Return what is current."""
        raise NotImplementedError

    def end(self, outer: Any) -> None:
        """Make current what was so before `begin`."""
        raise NotImplementedError


class _Variables(_Place):
    """Since Flask 2.2: in context variables."""

    def __init__(self, variables: "Sequence[Any]") -> None:
        self._variables = variables

    def begin(self, state: "Optional[_State]" = None) -> "List[Tuple[Any, Any]]":
        values = self.now() if state is None else state
        return [(variable, variable.set(value)) for variable, value in zip(self._variables, values)]

    def now(self) -> _State:
        return [variable.get(None) for variable in self._variables]

    def end(self, outer: "List[Tuple[Any, Any]]") -> None:
        for variable, token in outer:
            # It fails where `begin` was in another context: a coroutine of the script's has imported Flask.
            with contextlib.suppress(ValueError):
                variable.reset(token)


class _Stacks(_Place):
    """Before that: in stacks of the thread, which are empty between two calls."""

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


_known_place: "Optional[_Place]" = None


def _place() -> _Place:
    global _known_place
    if _known_place is None:
        of_flask: Any = importlib.import_module("flask.globals")
        variables = [value for value in vars(of_flask).values() if type(value).__name__ == "ContextVar"]
        if variables:
            _known_place = _Variables(variables)
        else:
            _known_place = _Stacks([of_flask._app_ctx_stack, of_flask._request_ctx_stack])
    return _known_place


def environ(request: Request) -> "Dict[str, Any]":
    """Return the WSGI environment of a request, as gunicorn made it."""
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
        # The body is all in memory already. Flask of v1's time had no limit for a form's fields; 3.1 has
        # 500 kB (docs/decisions.md 75).
        app.config["MAX_FORM_MEMORY_SIZE"] = None
        for path in _PATHS:
            app.add_url_rule(path, path, lambda **_: "", methods=_METHODS)
        _app = app
    return _app


class _FlaskImports(MetaPathFinder):
    """Notices that a script imports Flask in the middle of a call."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        """Return what another finder finds, and have the request pushed when it has been imported."""
        if fullname != "flask" or _here.current is None:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(fullname, path, target) if find is not None and finder is not self else None
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _ThenPush(spec.loader)
                return spec
        return None


class _ThenPush(Loader):
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        # From here on it is a module as any other.
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        if _here.current is not None:
            _here.current.push()


_imports = _FlaskImports()


def notice_imports() -> None:
    """Have imports of Flask noticed from now on."""
    if _imports not in sys.meta_path:
        sys.meta_path.insert(0, _imports)
