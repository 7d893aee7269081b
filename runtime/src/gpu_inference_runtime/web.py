"""The Flask application: routes and JSON errors around the scoring service."""

from flask import Flask, Response, abort, request
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge

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
    app.config["MAX_CONTENT_LENGTH"] = settings.body_limit

    @app.get("/")
    def health() -> Response:
        return Response("Healthy" if state.ready else "Starting", 200 if state.ready else 503)

    @app.route("/score", methods=["GET", "POST"])
    def score() -> Response:
        return _to_flask(service.answer(_from_flask()))

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


def _from_flask() -> Request:
    return Request(
        method=request.method,
        query=request.args.to_dict(flat=False),
        headers={name.lower(): value for name, value in request.headers},
        content_length=request.content_length,
        read_body=_read_body,
    )


def _read_body() -> bytes:
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise BodyTooLargeError from error
    except (ClientDisconnected, OSError) as error:
        raise BodyUnreadableError from error


def _to_flask(answer: Answer) -> Response:
    response = Response(answer.body, answer.status, answer.headers, content_type=answer.content_type)
    if answer.close:
        response.headers["Connection"] = "close"
    return response
