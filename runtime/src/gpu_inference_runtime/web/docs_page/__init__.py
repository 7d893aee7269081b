"""The page at `/docs`: try the service by hand, and read its OpenAPI in Swagger UI.

The page itself needs no key; what it loads (swagger.json, samples, responses) does. All files come from this
server, and each is read only when a browser requests it.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, abort, jsonify, redirect, render_template, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

from gpu_inference_runtime.settings import Settings
from gpu_inference_runtime.web.docs_page.samples import find_samples

_HEADERS = {
    # No inline script or style, no other host, no frames. Swagger UI has icons as data: URLs.
    # docs/decisions.md 83
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_SWAGGER_UI_FILES = frozenset({"swagger-ui-bundle.js", "swagger-ui.css", "LICENSE"})

Refusal = Callable[[], Response | None]
"""Returns the response to a request without a valid key or token; None if it may pass."""


def register(app: Flask, settings: Settings, refusal: Refusal) -> None:
    """Add the page to the application, under both forms of its path, unless it is turned off.

    Args:
        app: the Flask application.
        settings: whether there is a page, and what it shows.
        refusal: checks the current request's key or token.
    """
    if not settings.shows_docs:
        return
    pages = _pages(settings, refusal)
    app.register_blueprint(pages, url_prefix="/docs", name="docs")
    app.register_blueprint(pages, url_prefix="/api/v1/service/<service>/docs", name="docs_by_name")


def _pages(settings: Settings, refusal: Refusal) -> Blueprint:
    pages = Blueprint("docs", __name__, template_folder="templates")

    @pages.url_value_preprocessor
    def check_name(_: str | None, values: dict[str, Any] | None) -> None:
        if (values or {}).pop("service", settings.service_name) != settings.service_name:
            abort(404)

    @pages.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(_HEADERS)
        # The browser may cache the page, but must revalidate it before each use.
        response.headers["Cache-Control"] = "no-cache"
        return response

    @pages.get("")
    def page() -> str:
        return render_template("docs.html", service=settings.service_name, credential=_credential(settings))

    @pages.get("/")
    def page_with_slash() -> AnyResponse:
        # Relative, so that it works behind any proxy.
        return redirect("../docs")

    @pages.get("/static/<path:name>")
    def static_file(name: str) -> Response:
        return send_from_directory(Path(__file__).parent / "static", name)

    @pages.get("/swagger-ui/<name>")
    def swagger_ui_file(name: str) -> Response:
        if name not in _SWAGGER_UI_FILES:
            abort(404)
        mimetype = "text/plain" if name == "LICENSE" else None
        return send_from_directory(_swagger_ui_folder(), name, mimetype=mimetype)

    @pages.get("/samples")
    def samples() -> Response:
        return refusal() or jsonify(samples=list(find_samples(settings)))

    @pages.get("/samples/<name>")
    def sample(name: str) -> Response:
        if refused := refusal():
            return refused
        if (path := find_samples(settings).get(name)) is None:
            abort(404)
        return send_from_directory(path.parent, path.name)

    return pages


def _credential(settings: Settings) -> str:
    """Return what clients must send: `key`, `token`, or an empty text for nothing."""
    if settings.asks_for_token:
        return "token"
    return "key" if settings.keys_directory else ""


def _swagger_ui_folder() -> Path:
    # Find the package without importing it: only its files are needed.
    spec = importlib.util.find_spec("flask_swagger_ui")
    if spec is None or spec.origin is None:
        abort(404, "Swagger UI is not installed: pip install flask-swagger-ui.")
    return Path(spec.origin).parent / "dist"
