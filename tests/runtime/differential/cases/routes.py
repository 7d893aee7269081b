"""Routes and methods, the ids that travel with a request, and CORS (contract §3.1, §3.5, §3.6)."""

from tests.runtime.differential.cases.case import Ask, ask, case, get, post

ECHO = "def run(data): return data"
_100, _101 = "r" * 100, "r" * 101


def _with(*headers: tuple[str, str]) -> Ask:
    return post(b"x", "text/plain", headers=headers)


_ORIGIN = ("Origin", "https://page.example")
_OTHER_ORIGIN = ("Origin", "https://other.example")
_PREFLIGHT = (
    ("Access-Control-Request-Method", "POST"),
    ("Access-Control-Request-Headers", "authorization, content-type"),
)
_CORS_ASKS = (
    _with(_ORIGIN),
    _with(_OTHER_ORIGIN),
    _with(),
    ask("GET", "/", headers=(_ORIGIN,)),
    ask("GET", "/score?x=1", headers=(_ORIGIN,)),
    ask("GET", "/swagger.json?version=9", headers=(_ORIGIN,)),
    ask("GET", "/nowhere", headers=(_ORIGIN,)),
    ask("PUT", headers=(_ORIGIN,)),
    post(b"\xff", "text/plain", headers=(_ORIGIN,)),
    ask("OPTIONS", headers=(_ORIGIN, *_PREFLIGHT)),
    ask("OPTIONS", headers=(_OTHER_ORIGIN, *_PREFLIGHT)),
    ask("OPTIONS", headers=_PREFLIGHT),
    ask("OPTIONS", headers=(_ORIGIN,)),
    ask("OPTIONS", headers=(_ORIGIN, ("Access-Control-Request-Method", "DELETE"))),
    ask("OPTIONS", "/", headers=(_ORIGIN, *_PREFLIGHT)),
    ask("OPTIONS", "/swagger.json", headers=(_ORIGIN, *_PREFLIGHT)),
)

CASES = (
    case(
        "routes",
        ECHO,
        get("/"),
        ask("HEAD", "/"),
        ask("OPTIONS", "/"),
        ask("POST", "/", b"x"),
        get("/?x=1"),
        post(b"x"),
        get("/score"),
        ask("OPTIONS"),
        ask("HEAD"),
        ask("HEAD", "/score?x=1"),
        ask("PUT", "/score", b"x"),
        ask("DELETE"),
        ask("PATCH", "/score", b"x"),
        ask("TRACE"),
        ask("BREW"),
        get("/score/"),
        post(b"x", target="/score/"),
        post(b"x", target="/score?a=1", name="POST with a query"),
        post(b"x", target="//score", name="POST //score"),
        post(b"x", target="/%73core", name="POST /%73core"),
        post(b"x", target="/Score", name="POST /Score"),
        post(b"x", target="http://service.example/score", name="POST of a whole URL"),
        get("/nowhere"),
        ask("POST", "/nowhere", b"x"),
        ask("OPTIONS", "/nowhere"),
        ask("HEAD", "/nowhere"),
        get("/static/x"),
        get("/api/v1/service/mnist/score"),
        post(b"x", target="/api/v1/service/mnist/score", name="POST by the service's name"),
        get("/api/v1/service/mnist/swagger.json"),
        get("/docs"),
        ask("POST", "/swagger.json", b"x"),
        ask("HEAD", "/swagger.json"),
        ask("OPTIONS", "/swagger.json"),
        ask("PUT", "/swagger.json"),
        get("/swagger.json/"),
        get("/swagger.json?version=9"),
        get("/swagger.json?version="),
        get("/swagger.json?version=2.0"),
        get("/swagger.json?version=3.0"),
        get("/swagger.json?version=3.1"),
        get("/swagger.json?version=2&version=3"),
        ask("POST", "/score", b"x", version="HTTP/1.0", name="POST HTTP/1.0"),
        settings={"SERVICE_NAME": "mnist"},
    ),
    case(
        "query parameters",
        ECHO,
        get("/score?x=1&y=[1,2]"),
        get("/score?x=1&x=two&x=3.5"),
        get("/score?text=hello&none=null&yes=true&quoted=%22q%22"),
        get("/score?empty=&bare&x=1"),
        get("/score?X=1&x=2"),
        get("/score?plus=a+b&percent=a%20b&utf8=%C3%A9&broken=%ff"),
        get("/score?nan=NaN&inf=-Infinity&big=1e400&int=123456789012345678901234567890"),
        get("/score?o={%22a%22:%5B1%5D}"),
        get("/score?x=1;y=2"),
        get("/score?=1&&x=2"),
        get("/score?x=1#part"),
        ask("GET", "/score?x=1", b"a body", content_type="text/plain"),
    ),
    case(
        "ids",
        "def run(data, request_headers): return sorted(k for k in request_headers if k.startswith('X-'))",
        _with(),
        _with(("x-request-id", "R")),
        _with(("x-ms-client-request-id", "C")),
        _with(("x-ms-request-id", "L")),
        _with(("x-request-id", "R"), ("x-ms-client-request-id", "C")),
        _with(("x-request-id", "R"), ("x-ms-request-id", "L")),
        _with(("x-ms-request-id", "L"), ("x-ms-client-request-id", "C")),
        _with(("x-request-id", "R"), ("x-ms-request-id", "L"), ("x-ms-client-request-id", "C")),
        _with(("X-REQUEST-ID", "R"), ("TRACEID", "T")),
        _with(("TraceId", "T")),
        _with(("TraceId", "")),
        _with(("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")),
        _with(("x-request-id", "")),
        _with(("x-ms-request-id", "")),
        _with(("x-ms-client-request-id", "")),
        _with(("x-request-id", "one"), ("x-request-id", "two")),
        _with(("x-request-id", "a b, c")),
        post(b"x", headers=(("x-request-id", _100),), name="x-request-id of 100"),
        post(b"x", headers=(("x-request-id", _101),), name="x-request-id of 101"),
        post(b"x", headers=(("x-ms-request-id", _101),), name="x-ms-request-id of 101"),
        post(b"x", headers=(("x-ms-client-request-id", _101),), name="client id of 101"),
        post(b"x", headers=(("x-ms-client-request-id", _101), ("x-request-id", "R")), name="101 beside R"),
        post(b"x", headers=(("x-request-id", _101), ("TraceId", "T")), name="101 beside TraceId"),
        ask("GET", "/", headers=(("x-request-id", "R"),)),
        ask("GET", "/", headers=(("x-request-id", _101),), name="health with an id of 101"),
        ask("GET", "/swagger.json?version=9", headers=(("x-ms-client-request-id", "C"),)),
        ask("OPTIONS", headers=(("x-request-id", "R"), ("TraceId", "T"))),
        ask("OPTIONS", "/", headers=(("x-request-id", "R"),)),
        ask("HEAD", headers=(("x-ms-request-id", "L"),)),
        ask("PUT", headers=(("x-request-id", "R"), ("TraceId", "T"))),
        ask("GET", "/nowhere", headers=(("x-request-id", "R"),)),
    ),
    case("CORS of two origins", ECHO, *_CORS_ASKS, settings={"AML_CORS_ORIGINS": "https://page.example, b"}),
    case("CORS of all origins", ECHO, *_CORS_ASKS, settings={"AML_CORS_ORIGINS": "*"}),
    case("no CORS", ECHO, *_CORS_ASKS),
    case(
        "CORS by the script's own headers",
        """
        from azureml.contrib.services.aml_request import rawhttp
        from azureml.contrib.services.aml_response import AMLResponse

        @rawhttp
        def run(request):
            answer = AMLResponse(request.method, 200)
            answer.headers["Access-Control-Allow-Origin"] = "*"
            answer.headers["Access-Control-Allow-Headers"] = "Content-Type"
            return answer
        """,
        post(b"x"),
        ask("OPTIONS", headers=(_ORIGIN, *_PREFLIGHT)),
        ask("GET", "/score?x=1", headers=(_ORIGIN,)),
    ),
    case(
        "CORS setting and the script's own headers",
        """
        from azureml.contrib.services.aml_request import rawhttp
        from azureml.contrib.services.aml_response import AMLResponse

        @rawhttp
        def run(request):
            return AMLResponse(request.method, 200, {"Access-Control-Allow-Origin": "*"})
        """,
        post(b"x", headers=(_ORIGIN,)),
        ask("OPTIONS", headers=(_ORIGIN, *_PREFLIGHT)),
        settings={"AML_CORS_ORIGINS": "https://page.example"},
    ),
)
