"""The page at `/docs`: try the service by hand, and read its OpenAPI in Swagger UI.

The page itself is open; what it shows of the service (swagger.json, samples, answers) asks for the key as
everywhere. Nothing comes from another host, and nothing is read before a browser asks for it.
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
    # No inline script or style, no other host, no frame around it. Swagger UI has icons as data: URLs.
    # docs/decisions.md 83
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_SWAGGER_UI_FILES = frozenset({"swagger-ui-bundle.js", "swagger-ui.css", "LICENSE"})

Refusal = Callable[[], Response | None]
"""Tells the answer to a request without a good key; None where it may go on."""


def register(app: Flask, settings: Settings, refusal: Refusal) -> None:
    """Add the page to the application, under both forms of path; nothing where it is turned off.

    Args:
        app: the application of the scoring port.
        settings: whether there is a page, and what it is about.
        refusal: looks at the key of the present request.
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
        # Kept by the browser, but never used before the server has said that it is still the same.
        response.headers["Cache-Control"] = "no-cache"
        return response

    @pages.get("")
    def page() -> str:
        return render_template("docs.html", service=settings.service_name, credential=_credential(settings))

    @pages.get("/")
    def page_with_slash() -> AnyResponse:
        # Relative, so that it is right behind any proxy.
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
    """Return what clients must show: `key`, `token`, or nothing."""
    if settings.asks_for_token:
        return "token"
    return "key" if settings.keys_directory else ""


def _swagger_ui_folder() -> Path:
    # Found without importing it: of the package, only the files are needed.
    spec = importlib.util.find_spec("flask_swagger_ui")
    if spec is None or spec.origin is None:
        abort(404, "Swagger UI is not installed: pip install flask-swagger-ui.")
    return Path(spec.origin).parent / "dist"
