"""The Flask application: routes and JSON errors around the scoring service."""

from functools import partial
from typing import BinaryIO

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException

from gpu_inference_runtime.messages import (
    Answer,
    BodyTooLargeError,
    BodyUnreadableError,
    Request,
    error_answer,
)
from gpu_inference_runtime.service import ScoringService
from gpu_inference_runtime.settings import Settings
from gpu_inference_runtime.state import State


def create_app(settings: Settings, service: ScoringService, state: State) -> Flask:
    """Return the WSGI application of the scoring port."""
    app = Flask(__name__, static_folder=None)

    @app.get("/")
    def health() -> Response:
        return Response("Healthy" if state.ready else "Starting", 200 if state.ready else 503)

    @app.route("/score", methods=["GET", "POST"])
    def score() -> Response:
        return _to_flask(service.answer(_from_flask(settings.body_limit)))

    @app.route("/api/v1/service/<name>/score", methods=["GET", "POST"])
    def score_by_name(name: str) -> Response:
        if name != settings.service_name:
            abort(404)
        return score()

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        answer = _to_flask(error_answer(error.code or 500, error.description or error.name))
        # 405 says which methods there are.
        if "Allow" in (headers := error.get_response().headers):
            answer.headers["Allow"] = headers["Allow"]
        return answer

    return app


def _from_flask(body_limit: int | None) -> Request:
    return Request(
        method=request.method,
        query=request.args.to_dict(flat=False),
        headers={name.lower(): value for name, value in request.headers},
        content_length=request.content_length,
        read_body=partial(_read_body, request.environ["wsgi.input"], request.content_length, body_limit),
    )


def _read_body(stream: BinaryIO, length: int | None, limit: int | None) -> bytes:
    """Read from gunicorn itself: Flask cuts a chunked body at its limit, and takes half a body for whole."""
    try:
        body = stream.read() if limit is None else stream.read(limit + 1)
    # A stall, a reset, or broken framing, which gunicorn reports in errors of several kinds.
    except Exception as error:
        raise BodyUnreadableError from error
    if limit is not None and len(body) > limit:
        raise BodyTooLargeError
    if length is not None and len(body) < length:
        raise BodyUnreadableError
    return body


def _to_flask(answer: Answer) -> Response:
    response = Response(answer.body, answer.status, answer.headers, content_type=answer.content_type)
    if answer.close:
        response.headers["Connection"] = "close"
    return response
