"""The headers that let pages of other origins read answers: the same as flask-cors makes, in every case."""

import itertools
from typing import Any

import pytest
from flask import Flask
from flask_cors import CORS
from werkzeug.test import create_environ, run_wsgi_app

from gpu_inference_runtime.http import cors

ORIGINS = [
    ("*",),
    ("https://a.example",),
    ("https://b.example", "https://a.example"),
    ("https://a.example", "*"),
    ("https://*.example",),
    (r"https://.*\.example",),
    (r"https://.*\.example", "http://x"),
    ("HTTPS://A.EXAMPLE",),
    ("null",),
    (".*", "http://x"),
    ("https://ä.example",),
]
SENT = [
    None,
    "https://a.example",
    "HTTPS://A.example",
    "https://evil.example",
    "null",
    "*",
    "",
    "https://ä.example",
]
WANTED = [None, "POST", "post", "DELETE", "", "ET, P", "GET, POST"]
NAMED = [None, "authorization, content-type", "b,a , C", "", ",", "x\ty"]


ENVIRONMENT = create_environ()


def reference(origins: tuple[str, ...]) -> Flask:
    app = Flask(__name__)
    CORS(app, origins=list(origins), methods=["GET", "POST"])

    @app.route("/", methods=["GET", "POST", "OPTIONS"], provide_automatic_options=False)
    def answer() -> str:
        return ""

    return app


def grid() -> list[tuple[str, dict[str, str]]]:
    found = []
    for method, origin, wanted, named, private in itertools.product(
        ["GET", "POST", "OPTIONS", "PUT"], SENT, WANTED, NAMED, [None, "true", "false"]
    ):
        if method != "OPTIONS" and (wanted or named):
            continue
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": wanted,
            "Access-Control-Request-Headers": named,
            "Access-Control-Request-Private-Network": private,
        }
        found.append((method, {name: value for name, value in headers.items() if value is not None}))
    return found


def environment(method: str, headers: dict[str, str]) -> dict[str, Any]:
    variables = {f"HTTP_{name.replace('-', '_').upper()}": value for name, value in headers.items()}
    return ENVIRONMENT | variables | {"REQUEST_METHOD": method}


@pytest.mark.parametrize("origins", ORIGINS, ids=str)
def test_answers_carry_what_flask_cors_gives_them(origins: tuple[str, ...]) -> None:
    application = reference(origins)
    for method, headers in grid():
        # Its client takes twice as long as the application.
        _, _, answered = run_wsgi_app(application, environment(method, headers))
        expected = [(name, value) for name, value in answered if name.startswith("Access-") or name == "Vary"]
        sent = {name.lower().encode(): value.encode("latin-1") for name, value in headers.items()}
        assert cors.headers(origins, sent, method.encode()) == expected, (method, headers)


def test_spaces_at_the_end_of_a_value_do_not_count() -> None:
    [(_, allowed)] = cors.headers(("https://a.example",), {b"origin": b"https://a.example \t"}, b"GET")
    assert allowed == "https://a.example"
