"""The Flask application: routes and JSON errors around the scoring service."""

import contextlib
import contextvars
import io
from collections.abc import Callable
from functools import partial

from flask import Flask, Response, abort, after_this_request, current_app, request
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException

from gpu_inference_runtime.messages import (
    Answer,
    BodyTooLargeError,
    BodyUnreadableError,
    Request,
    error_answer,
)
from gpu_inference_runtime.service.service import ScoringService
from gpu_inference_runtime.settings import Settings
from gpu_inference_runtime.web import docs_page

# As azureml-fe showed a service's paths to its clients.
_SERVICE = "/api/v1/service/<name>"
_READING = ("GET", "HEAD", "OPTIONS")


def create_app(settings: Settings, service: ScoringService) -> Flask:
    """Return the WSGI application of the scoring port."""
    app = Flask(__name__, static_folder=None)
    # The body is all in memory already. Flask of v1's time had no limit for a form's fields; 3.1 has 500 kB.
    app.config["MAX_FORM_MEMORY_SIZE"] = None
    if settings.cors_origins:
        _share_with(app, settings.cors_origins)

    def route(path: str, methods: tuple[str, ...], answer: Callable[[Request], Answer]) -> None:
        def view() -> Response:
            return _to_flask(_apart(lambda: answer(_from_flask(settings.body_limit))))

        def view_by_name(name: str) -> Response:
            if name != settings.service_name:
                abort(404)
            return view()

        for rule, function in ((path, view), (_SERVICE + path, view_by_name)):
            app.add_url_rule(
                rule,
                rule,
                function,
                methods=methods,
                provide_automatic_options=False,
                # Not a redirect from the service's path to the same with a slash: v1 had none.
                strict_slashes=path != "/",
            )

    def reading(answer: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
        return lambda each: service.options(each, _READING) if each.method == "OPTIONS" else answer(each)

    route("/", ("GET", "OPTIONS"), reading(service.health))
    route("/score", ("GET", "POST", "OPTIONS"), service.answer)
    route("/swagger.json", ("GET", "OPTIONS"), reading(service.specification))

    def refusal() -> Response | None:
        refused = service.refusal(_from_flask(settings.body_limit))
        return _to_flask(refused) if refused else None

    docs_page.register(app, settings, refusal)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        answer = _to_flask(error_answer(error.code or 500, error.description or error.name))
        # 405 says which methods there are.
        if "Allow" in (headers := error.get_response().headers):
            answer.headers["Allow"] = headers["Allow"]
        return answer

    return app


def _share_with(app: Flask, origins: tuple[str, ...]) -> None:
    """Let web pages of these origins read all answers, refusals included."""
    from flask_cors import CORS

    CORS(app, origins=list(origins), methods=["GET", "POST"])


def _apart(answer: Callable[[], Answer]) -> Answer:
    """Return the answer made in contexts of its own, which the script takes over.

    What a script pushes onto them (`stream_with_context`) may outlive the view, and Flask, which takes the
    view's own contexts down, would find it there.
    """
    context = contextvars.copy_context()
    apart = current_app.app_context(), request_ctx.copy()
    for each in apart:
        context.run(each.push)
    made = context.run(answer)
    # The response is made from the answer in the view's own, where nobody has asked for anything.
    for function in apart[1]._after_request_functions:
        after_this_request(function)
    if isinstance(made.body, bytes):
        for each in reversed(apart):
            # Else they and the context hold each other, and the body, until the garbage collector comes by.
            # A script that has left something on them leaves them to it.
            with contextlib.suppress(AssertionError, ValueError):
                context.run(each.pop)
    return made


def _from_flask(body_limit: int | None) -> Request:
    return Request(
        method=request.method,
        query=request.args.to_dict(flat=False),
        headers={name.lower(): value for name, value in request.headers},
        content_length=request.content_length,
        read_body=partial(_read_body, body_limit),
        native=_native,
    )


def _read_body(limit: int | None) -> bytes:
    """Read from gunicorn itself: Flask cuts a chunked body at its limit, and takes half a body for whole."""
    length = request.content_length
    stream = request.environ["wsgi.input"]
    try:
        body: bytes = stream.read() if limit is None else stream.read(limit + 1)
    # A stall, a reset, or broken framing, which gunicorn reports in errors of several kinds.
    except Exception as error:
        raise BodyUnreadableError from error
    if limit is not None and len(body) > limit:
        raise BodyTooLargeError
    if length is not None and len(body) < length:
        raise BodyUnreadableError
    _native(body)
    return body


def _native(body: bytes) -> object:
    """Return Flask's own request, which reads this body.

    Scripts get this stand-in for "the current request", as they did under v1. It finds that request through
    context variables, which the script's thread takes over for each call.
    """
    # Not yet read by Flask, which therefore has kept nothing of it.
    request.environ["wsgi.input"] = io.BytesIO(body)
    return request


def _to_flask(answer: Answer) -> Response:
    status = answer.status if answer.reason is None else f"{answer.status} {answer.reason}"
    response = Response(answer.body, status, answer.headers, content_type=answer.content_type)
    if answer.content_type is None and not any(name.lower() == "content-type" for name, _ in answer.headers):
        # Flask's own choice.
        del response.headers["Content-Type"]
    if answer.close:
        response.headers["Connection"] = "close"
    return response
