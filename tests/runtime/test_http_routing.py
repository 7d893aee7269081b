"""Paths and methods: answered as Flask's router answered them, whatever a client makes of a path."""

import itertools
import subprocess
import sys

import pytest
from tests.runtime.flask_reference import Reference, Told
from tests.runtime.fuzz.oddities import TARGETS

from gpu_inference_runtime.http.malformed import Parsed, classify
from gpu_inference_runtime.http.routing import Kind, Routes
from gpu_inference_runtime.settings import Settings
from gpu_inference_script.response import Response

NAMES = ["mnist", "ML service", "über-模型", "a+b%", "docs", "score", "a/b", ".", "a;b,c=(d)'!$&*@:~[]"]
SAFE_CHARACTERS = ("", "/", "!$&'()*+,;=:@")
METHODS = ["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "BREW"]
SERVICE = "/api/v1/service/{}"
PATHS = [
    *(
        "/",
        "",
        "/score",
        "/swagger.json",
        "/docs",
        "/docs/",
        "/absent",
        "/Score",
        "/score/",
        "/swagger.json/",
    ),
    *(
        "//",
        "///",
        "//score",
        "///score",
        "//score/",
        "/score//",
        "//docs",
        "/docs//",
        "/./score",
        "/a/../score",
    ),
    *(
        "/%73core",
        "/scor%65",
        "/%2Fscore",
        "/%2F%2Fscore",
        "/score%2F",
        "/score%00",
        "/score%0A",
        "/score%20",
    ),
    *(
        "/score%3Fa",
        "/score%23",
        "/score;a",
        "/score#a",
        "/#",
        "/?",
        "/?/score",
        "/score?",
        "/score?a=b",
        "/score?#",
    ),
    *(
        "/%ff",
        "/%C3%A9",
        "/%E6%A8%A1",
        "/%zz",
        "/%",
        "/score/x",
        "/docs/x",
        "/docsx",
        "/docs%2Fstatic%2Fpage.js",
    ),
    *("/docs/static/page.js", "/docs/static//page.js", "/docs//static/page.js", "/docs/static/../samples.py"),
    *(
        "/docs/static/%2e%2e/samples.py",
        "/docs/samples",
        "/docs/samples/",
        "/docs/samples/none",
        "/docs/static/",
    ),
    *(
        "/docs/swagger-ui/swagger-ui.css",
        "/docs/swagger-ui/LICENSE",
        "/docs/swagger-ui/none",
        "/docs/swagger-ui/",
    ),
    *("/api", "/api/v1/service", "/api/v1/service/", "/api//v1/service/x", "/api/v1//service/x/score"),
    *(SERVICE, SERVICE + "/", SERVICE + "//", SERVICE + "/score", SERVICE + "/score/", SERVICE + "//score"),
    *(
        SERVICE + "/swagger.json",
        SERVICE + "/absent",
        SERVICE + "/docs",
        SERVICE + "/docs/",
        SERVICE + "/docsx",
    ),
    *(
        SERVICE + "/docs/static/page.js",
        SERVICE + "//docs",
        SERVICE + "/docs//",
        SERVICE + "?a=b",
        SERVICE + "#a",
    ),
    *(SERVICE + "/score?a=b", SERVICE + "/%73core", SERVICE + "%2Fscore", "//" + SERVICE[1:] + "/score"),
    *(
        "/api/v1/service/other",
        "/api/v1/service/other/score",
        "/api/v1/service/other//score",
        "/api/v1/service//score",
    ),
    *("/api/v1/service/other/docs", "/api/v1/service/other/swagger.json", "/api/v1/service/other/absent"),
]
WHOLE = [
    "http://h/score",
    "http://h",
    "http://h/",
    "HTTP://h//score",
    "http:///score",
    "ftp://h/score?a",
    "x://h/docs",
]


def as_sent(path: str, name: str, safe: str) -> str:
    from urllib.parse import quote

    return path.replace("{}", quote(name, safe=safe))


def ours(routes: Routes, head: bytes) -> tuple[str, Response | None]:
    parsed = classify(head)
    assert isinstance(parsed, Parsed)
    route = routes.resolve(parsed.target)
    return route.kind.name, routes.refusal(route, parsed.method, parsed.headers)


def head_of(method: str, target: str, *lines: str) -> bytes:
    host = () if any(line.lower().startswith("host:") for line in lines) else ("Host: x",)
    return "\r\n".join([f"{method} {target} HTTP/1.1", *host, *lines, "", ""]).encode("latin-1")


def check(routes: Routes, reference: Reference, head: bytes) -> None:
    told = reference.tell(head)
    assert told is not None
    kind, answer = ours(routes, head)
    if kind == "PAGES":
        # The same application answers them (test_http_pages.py).
        assert told.kind == ""
        assert answer is None
    elif answer is None:
        assert told.kind == kind, head
    else:
        assert told.kind == "", head
        assert _as_told(answer) == _without_words(told, head), head


def _as_told(answer: Response) -> tuple[int, tuple[tuple[str, str], ...], object]:
    pairs = [*answer.headers, ("content-type", str(answer.content_type))]
    return answer.status, tuple(sorted((name.lower(), value) for name, value in pairs)), answer.body


def _without_words(told: Told, head: bytes) -> tuple[int, tuple[tuple[str, str], ...], object]:
    if head.startswith(b"HEAD "):
        # The same body, which is not sent.
        told = Told(told.status, told.headers, BODIES[int(told.status[:3])], "")
    return int(told.status[:3]), told.headers, told.body


NOT_FOUND = (
    b'{"message": "The requested URL was not found on the server. '
    b'If you entered the URL manually please check your spelling and try again."}'
)
NOT_ALLOWED = b'{"message": "The method is not allowed for the requested URL."}'
NOT_UNDERSTOOD = (
    b'{"message": "The browser (or proxy) sent a request that this server could not understand."}'
)
BODIES = {400: NOT_UNDERSTOOD, 404: NOT_FOUND, 405: NOT_ALLOWED}


def test_every_path_leads_where_flask_had_it() -> None:
    for shows_docs, name in itertools.product([True, False], NAMES):
        settings = Settings(service_name=name, shows_docs=shows_docs)
        routes, reference = Routes(settings), Reference(settings)
        # A set: without a name in a path, or with a plain one, all ways to quote it are the same.
        targets = {as_sent(path, name, safe) for path in [*PATHS, *WHOLE] for safe in SAFE_CHARACTERS}
        for method, target in itertools.product(METHODS, sorted(targets)):
            if target.startswith("/") or "://" in target:
                check(routes, reference, head_of(method, target))


def test_nasty_targets_lead_where_flask_had_them() -> None:
    settings = Settings(service_name="模型")
    reference = Reference(settings)
    for target in [target for target in TARGETS if target and len(target) < 4000]:
        for method in (b"GET", b"POST", b"PUT", b"OPTIONS", b"CONNECT"):
            head = method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n"
            if reference.tell(head) is None:
                assert isinstance(classify(head), Response), target
            else:
                check(Routes(settings), reference, head)


PLACES = [
    (Kind.HEALTH, b"/"),
    (Kind.SCORE, b"/score"),
    (Kind.SCORE, b"/score?a=b"),
    (Kind.SPECIFICATION, b"/swagger.json?version=3"),
    (Kind.HEALTH, b"/api/v1/service/mnist"),
    (Kind.HEALTH, b"/api/v1/service/mnist/"),
    (Kind.SCORE, b"/api/v1/service/mnist/score"),
    (Kind.SCORE, b"/api/v1/service/%6dnist/score"),
    (Kind.SCORE, b"http://anywhere/score"),
    (Kind.PAGES, b"/docs/static/page.js"),
    (Kind.PAGES, b"/api/v1/service/mnist//score"),
    (Kind.NOT_FOUND, b"/api/v1/service/other/score"),
    (Kind.NOT_FOUND, b"*"),
    (Kind.NOT_FOUND, b"http://[::1/score"),
]


def test_each_part_of_the_server_has_its_paths() -> None:
    for kind, target in PLACES:
        assert Routes(Settings(service_name="mnist")).resolve(target).kind is kind, (kind, target)


HOSTS = [
    *(
        "x",
        "x:80",
        "x:5001",
        "X.Example",
        "x.",
        ".x",
        "a..b",
        "..",
        ".",
        "",
        "a b",
        "x:0",
        "x:99999",
        "x:x",
        ":80",
        ":",
    ),
    *(
        "[::1]",
        "[::1]:80",
        "[::1",
        "[x]",
        "1.2.3.4",
        "1.2.3.4:5001",
        "-",
        "x_y",
        "u@x",
        "x/y",
        "x:y:z",
        "ä",
        "xn--a",
    ),
    *(
        "a" * 63,
        "a" * 64,
        "a" * 64 + ":80",
        "a." * 100 + "b",
        "a." * 100,
        "x..:80",
        "*.x",
        "x:80:80",
        "x:080",
        "x\t",
    ),
]


def test_a_host_that_is_none_is_refused_where_flask_refused_it() -> None:
    settings = Settings(service_name="mnist")
    routes, reference = Routes(settings), Reference(settings)
    for host in HOSTS:
        for target in ("/score", "/absent", "/"):
            for method in ("POST", "PUT"):
                # Twice: what is known to be good is kept.
                for _ in range(2):
                    check(routes, reference, head_of(method, target, f"Host: {host}"))


def test_a_request_without_a_host_is_answered() -> None:
    settings = Settings(service_name="mnist")
    check(Routes(settings), Reference(settings), b"GET / HTTP/1.0\r\n\r\n")


def test_hosts_that_clients_make_up_are_not_all_kept() -> None:
    routes = Routes(Settings(service_name="mnist"))
    route = routes.resolve(b"/score")
    for number in range(1000):
        assert routes.refusal(route, b"POST", {b"host": b"x%d" % number}) is None
    assert len(routes._hosts) < 500
    assert routes.refusal(route, b"POST", {b"host": b"a..b"}) is not None


def test_what_wants_a_websocket_is_refused_where_flask_refused_it() -> None:
    settings = Settings(service_name="mnist")
    routes, reference = Routes(settings), Reference(settings)
    connections = ["upgrade", "Upgrade, x", "x", "keep-alive", None]
    upgrades = ["websocket", "WebSocket", "h2c", "websocket, x"]
    for connection, upgrade in itertools.product(connections, upgrades):
        lines = [f"Upgrade: {upgrade}", *([] if connection is None else [f"Connection: {connection}"])]
        for target in ("/", "/score", "/absent", "/api/v1/service/other/score"):
            for method in ("GET", "POST"):
                check(routes, reference, head_of(method, target, *lines))


@pytest.mark.parametrize(
    ("target", "query"),
    [
        (b"/score", {}),
        (b"/score?version=3&version=2&x", {"version": ["3", "2"], "x": [""]}),
        (b"/score?a=b#?c=d", {"a": ["b"]}),
        (b"/score#?a=b", {}),
        (b"http://x/score?a=%C3%A9+b", {"a": ["é b"]}),
        (b"//score?a=b", {"a": ["b"]}),
    ],
)
def test_the_query_of_a_target_is_read(target: bytes, query: dict[str, list[str]]) -> None:
    assert Routes(Settings(service_name="mnist")).query(target) == query


def test_neither_flask_nor_werkzeug_is_imported_for_routes() -> None:
    program = """
import sys
import gpu_inference_runtime.web.pages
from gpu_inference_runtime.http import cors, response_head, request_ids, malformed, routing
from gpu_inference_runtime.settings import Settings
routes = routing.Routes(Settings())
routes.refusal(routes.resolve(b"//%73core/"), b"PUT", {b"host": b"a..b"})
malformed.classify(b"nonsense\\r\\n")
print([name for name in sys.modules if name.partition(".")[0] in ("flask", "werkzeug", "jinja2", "numpy")])
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"
