"""Where our server is meant to answer otherwise than `azureml-inference-server-http` 1.5.1, and why.

Everything that is not listed here must be the same. What is listed and does not show any more fails a test.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Everywhere:
    """A difference that any answer may show.

    Args:
        reason: why it is meant.
        incumbent: its line; empty where it has none.
        ours: our line in its place, a pattern.
    """

    reason: str
    incumbent: str
    ours: str


EVERYWHERE = (
    Everywhere(
        "The incumbent ends each connection; ours keeps them, which spares clients a connection a request.",
        "Connection: close",
        "Connection: keep-alive",
    ),
    Everywhere(
        "The header tells which server answered; the incumbent's name would be a lie.",
        "x-ms-server-version: azmlinfsrv/1.5.1",
        "x-ms-server-version: gpu-inference",
    ),
    Everywhere("HTTP wants 405 to say which methods there are.", "", r"Allow: (GET|HEAD|OPTIONS|POST|, )+"),
)


@dataclass(frozen=True)
class Wanted:
    """A difference of one request's answers.

    Args:
        reason: why it is meant.
        lines: of the incumbent's answer (-) and of ours (+), where they differ; one that ends with … is the
            beginning of a line.
    """

    reason: str
    lines: tuple[str, ...]


_NOT_FOUND = (
    '-body: {"message": "The requested URL was not found on the server. '
    'If you entered the URL manually please check your spelling and try again."}'
)
_INTERNAL = '-body: {"message": "An unexpected internal error occurred. Check the logs for more info."}'
_SCRIPT_FAILED = (
    '{"message": "An unexpected error occurred in scoring script. Check the logs for more info."}'
)
_IDS = ("+x-request-id: <id 1>", "+x-ms-request-id: <id 1>")
_VERSION = "+x-ms-server-version: gpu-inference"
_IS_SCORED = "+x-ms-run-fn-exec-ms: <ms>"


def _where(reason: str, lines: Iterable[str], *names: str) -> dict[str, Wanted]:
    """The same difference for requests of these names."""
    return {name: Wanted(reason, tuple(lines)) for name in names}


def _converted(reason: str, **bodies: str) -> dict[str, Wanted]:
    """Results that the incumbent answers with 500; the names' underscores are spaces."""
    return {
        name: Wanted(reason, ("-status: 500", _INTERNAL, "+status: 200", _IS_SCORED, f"+body: {body}"))
        for name, body in bodies.items()
    }


def _page(title: str, detail: str = "") -> tuple[str, str]:
    """gunicorn's own answer, which is no JSON."""
    head = f"<html>\n  <head>\n    <title>{title}</title>\n  </head>\n"
    body = f"  <body>\n    <h1><p>{title}</p></h1>\n    {detail}\n  </body>\n</html>\n"
    return "-Content-Type: text/html", f"-body: {head}{body}"


def _refused(title: str, detail: str, message: str, *more: str) -> Wanted:
    return Wanted(
        "Every error of the service is a JSON object with a message, and no header of the request is echoed.",
        (
            *_page(title, detail),
            "+x-ms-run-function-failed: False",
            "+Content-Type: application/json",
            f'+body: {{"message": "{message}"}}',
            *more,
        ),
    )


_OBVIOUS = (
    "A result that v1 answered with 500 becomes the JSON that it obviously means (docs/entry-scripts.md)."
)
_NOT_GUNICORNS_PAGE = (
    *("-reason: Internal Server Error", *_page("Internal Server Error")),
    *("+reason: INTERNAL SERVER ERROR", "+Server: gunicorn", "+Date: <date>", *_IDS, _VERSION),
    "+Content-Type: application/json",
)
_A_FAILED_REQUEST = Wanted(
    "What run() raises has failed one request, whatever it is; gunicorn's page is no answer of a service.",
    (*_NOT_GUNICORNS_PAGE, "+x-ms-run-function-failed: True", f"+body: {_SCRIPT_FAILED}"),
)
_UNSENDABLE = ("+x-ms-run-function-failed: False", _INTERNAL.replace("-", "+", 1))
_NO_FINAL_STATUS = "A status below 200 is no final one: clients go on waiting for an answer."
_OWN_CODINGS = {
    coding: Wanted(
        "A coding that nobody knows is the client's fault; 501 would have it retried elsewhere.",
        (
            *("-status: 501", *_page("Bad Request", f"Unsupported transfer coding: &#x27;{coding}&#x27;")),
            *("+status: 400", "+x-ms-run-function-failed: False", "+Content-Type: application/json"),
            '+body: {"message": "The only Transfer-Encoding that can be read is chunked."}',
        ),
    )
    for coding in ("unknown", "unknown, chunked", "chunked;q=1")
}
_READABLE = "A web page may read refusals too."
_CORS = ("+Access-Control-Allow-Origin: https://page.example", "+Vary: Origin")
_CORS_OF_REFUSALS = _where(
    _READABLE, _CORS, "GET /nowhere Origin: https://page.example", "PUT Origin: https://page.example"
)
_FIRST_LINE = "The request's first line is not HTTP."
_HEADERS = "The request's headers are not proper HTTP."
_LARGE = "The request's headers are too large."
_HTTP_VERSION = "The request's version of HTTP is not 1.0 or 1.1."
_LARGE_TITLE = "Request Header Fields Too Large"

WANTED: Mapping[str, Mapping[str, Wanted]] = {
    "routes": {
        **_where(
            "Clients of a v1 service know it by its name.",
            (
                *("-status: 404", _NOT_FOUND, "+status: 200", _IS_SCORED, *_IDS, _VERSION),
                '+body: "{}"',
            ),
            "GET /api/v1/service/mnist/score",
        ),
        **_where(
            "Clients of a v1 service know it by its name.",
            ("-status: 404", _NOT_FOUND, "+status: 200", _IS_SCORED, *_IDS, _VERSION, '+body: "x"'),
            "POST by the service's name",
        ),
        **_where(
            "The SDK's swagger_uri is below the service's name.",
            (
                "-status: 404",
                _NOT_FOUND,
                "+status: 200",
                *_IDS,
                _VERSION,
                '+body: {"swagger": "2.0", "info": {"title": "mnist"…',
            ),
            "GET /api/v1/service/mnist/swagger.json",
        ),
        **_where(
            "The page for people is ours alone.",
            (
                *("-status: 404", "-Content-Type: application/json", "-x-ms-run-function-failed: False"),
                *(_NOT_FOUND, "+status: 200", "+Content-Type: text/html; charset=utf-8"),
                *("+Content-Security-Policy: …", "+X-Content-Type-Options: …", "+Referrer-Policy: …"),
                *("+Cache-Control: …", "+body: <!doctype html>…"),
            ),
            "GET /docs",
        ),
    },
    "ids": {
        **_where("An empty header says nothing.", ("-TraceId: ",), "POST text/plain TraceId:  x"),
        **_where(
            "An empty id is none: the incumbent's answer then has no id at all.",
            _IDS,
            "POST text/plain x-request-id:  x",
        ),
    },
    "text: large forms": _where(
        "A form that run() does not get is not taken apart, and no limit of Flask's on its parts applies.",
        (
            *("-status: 413", '-body: {"message": "The data value transmitted exceeds the capacity limit."}'),
            *("+status: 200", _IS_SCORED, '+body: ""'),
        ),
        *("600 kB, multipart", "1001 parts"),
    ),
    "rawhttp: large forms": _where(
        "Flask limits a form's fields to 500 kB since 3.1; in v1's time a picture in base64 could be one.",
        (
            *("-status: 500", "-x-ms-run-function-failed: True", f"-body: {_SCRIPT_FAILED}"),
            *("+status: 200", "+x-ms-run-function-failed: False", _IS_SCORED, "+body: [600000]"),
        ),
        "600 kB, multipart",
    ),
    "imports under another name": _where(
        "The module is a module, however it is imported; the incumbent's is found by `from` alone.",
        ("-no server: exit status 3", "+status: 200", "+body: x"),
        "x",
    ),
    "the app root that is another folder": _where(
        "The app root is the working directory, as in v1's images; the incumbent stays where it is.",
        ('-body: ["0", "app"]', '+body: ["app", "app"]'),
        "x",
    ),
    "an empty SERVICE_NAME": _where(
        "A variable without a value counts as absent.",
        (
            '-body: {"swagger": "2.0", "info": {"title": "", …',
            '+body: {"swagger": "2.0", "info": {"title": "ML …',
        ),
        "GET /swagger.json",
    ),
    "CORS of two origins": _CORS_OF_REFUSALS,
    "CORS of all origins": _CORS_OF_REFUSALS,
    "async def run": _converted(
        "async def worked in v1 (azureml-defaults[async]); the incumbent cannot await it.",
        **{"x": '"X"', "GET /score?a=1": '"{\\"A\\": 1}"'},
    ),
    "schema: output of other types": _converted(
        _OBVIOUS, **{'{"kind": "frame"}': '[{"a": 1}]', '{"kind": "array"}': "[1]"}
    ),
    "returns of numpy's and pandas' types": _converted(
        _OBVIOUS,
        **{
            "np.float32": "0.10000000149011612",
            "np.int64": "3",
            "dict of np.int64": '{"label": 3}',
            "key of np.int64": '{"3": "a"}',
            "np.bool": "true",
            "np.bytes": '"a"',
            "ndarray": "[[0, 1], [2, 3]]",
            "ndarray in a dict": '{"result": [0.0, 0.0]}',
            "0-d array": "1.5",
            "array of str": '["a", "b"]',
            "np.datetime64": '"2020-01-02T03:04:05"',
            "DataFrame": '[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]',
            "Series": "[1, 2]",
            "Index": '["a"]',
            "Timestamp": '"2020-01-02T00:00:00"',
            "NA": "null",
        },
    ),
    "returns of Python's other types": _converted(
        _OBVIOUS,
        **{
            "bytes": '"abc"',
            "bytes that are no text": '"/w=="',
            "bytearray": '"abc"',
            "set": "[1, 2, 3]",
            "frozenset": "[1]",
            "datetime": '"2020-01-02T03:04:05"',
            "date": '"2020-01-02"',
            "time": '"01:02:00"',
            "timedelta": "86400.0",
            "Decimal": "1.5",
            "UUID": '"00000000-0000-0000-0000-000000000001"',
            "Enum": '"cat"',
            "dataclass": '{"x": 1}',
            "Path": '"a/b"',
            "range": "[0, 1, 2]",
            "deque": "[1]",
            "dict view": '["a"]',
        },
    ),
    "AMLResponse": {"int": _A_FAILED_REQUEST},
    "flask.Response": {"generator that fails at once": _A_FAILED_REQUEST},
    "statuses": {
        **_where(
            "A status that HTTP does not allow is told as any result that cannot be sent, not by gunicorn.",
            (*_NOT_GUNICORNS_PAGE, *_UNSENDABLE),
            *('"words alone"', "a line end in the words", "words that are not Latin-1", "0", "99", "1000"),
        ),
        **_where(
            _NO_FINAL_STATUS,
            (
                *("-status: 0", "-body: connection closed without an answer (RemoteDisconnected)"),
                *("+Server: gunicorn", "+Date: <date>", "+Connection: keep-alive", *_IDS, _VERSION),
                *("+status: 500", "+Content-Type: application/json", *_UNSENDABLE),
            ),
            "100",
        ),
        **{
            status: Wanted(
                _NO_FINAL_STATUS,
                (
                    *(f"-status: {status}", "-Content-Type: text/html; charset=utf-8"),
                    *("-x-ms-run-fn-exec-ms: <ms>", "-body: "),
                    *("+status: 500", "+Content-Type: application/json", *_UNSENDABLE),
                ),
            )
            for status in ("101", "199")
        },
    },
    "werkzeug.Response": _where(
        "A response is a response, Flask's or Werkzeug's.",
        (
            *(
                "-status: 500",
                "-Content-Type: application/json",
                "-x-ms-run-function-failed: False",
                _INTERNAL,
            ),
            *("+status: 200", _IS_SCORED, "+Content-Type: text/plain; charset=utf-8", "+body: x"),
        ),
        "x",
    ),
    "exceptions": dict.fromkeys(
        (
            *("GeneratorExit", "own BaseException", "CancelledError"),
            *("SystemExit", "SystemExit 0", "SystemExit text", "KeyboardInterrupt"),
        ),
        _A_FAILED_REQUEST,
    ),
    "timeouts": _where(
        "The client is told on time, whatever the script does with the exception that interrupts it.",
        (
            *("-status: 200", "-x-ms-run-function-failed: False", "-x-ms-run-fn-exec-ms: <ms>"),
            *('-body: "swallowed"', "+status: 500", "+x-ms-run-function-failed: True"),
            '+body: {"message": "Scoring timeout after 1000 ms"}',
        ),
        "swallow",
    ),
    "broken requests": {
        **{
            name: _refused("Bad Request", f"Invalid HTTP Header: &#x27;{header}&#x27;", _HEADERS)
            for name, header in (
                ("POST Content-Length: abc", "CONTENT-LENGTH"),
                ("POST Content-Length: -1", "CONTENT-LENGTH"),
                ("POST Transfer-Encoding: identity x", "TRANSFER-ENCODING"),
                ("POST Transfer-Encoding: gzip x", "TRANSFER-ENCODING"),
                ("POST Transfer-Encoding: chunked, gzip", "TRANSFER-ENCODING"),
                ("POST Transfer-Encoding: chunked, chunked", "TRANSFER-ENCODING"),
                ("a NUL in a header", "X-NUL"),
            )
        },
        **{f"POST Transfer-Encoding: {coding}": wanted for coding, wanted in _OWN_CODINGS.items()},
        "POST Bad Name: 1 x": _refused(
            "Bad Request", "Invalid HTTP header name: &#x27;Bad Name&#x27;", _HEADERS
        ),
        "HTTP/3.7": _refused(
            "Bad Request",
            "Invalid HTTP Version &#x27;Invalid HTTP Version: (3, 7)&#x27;",
            _HTTP_VERSION,
        ),
        "no version": _refused(
            "Bad Request",
            "Invalid HTTP Version &#x27;Invalid HTTP Version: &#x27;nonsense&#x27;&#x27;",
            _HTTP_VERSION,
        ),
        **{
            f"POST {target} x": _refused(
                "Bad Request",
                f"Invalid Request Line &#x27;Invalid HTTP request line: &#x27;POST {target} HTTP/1.1"
                "&#x27;&#x27;",
                _FIRST_LINE,
            )
            for target in ("no-slash", "*")
        },
        f"POST X-Long: {'v' * 40} x": _refused(
            _LARGE_TITLE, "Error parsing headers: &#x27;limit request headers fields size&#x27;", _LARGE
        ),
        "101 headers": _refused(
            _LARGE_TITLE, "Error parsing headers: &#x27;limit request headers fields&#x27;", _LARGE
        ),
        "a line of 5000": _refused(
            "URI Too Long",
            "Request Line is too large (5022 &gt; 4094)",
            "The request's first line, with path and query, is too long.",
            # As Python 3.11 calls it.
            *("-reason: URI Too Long", "+reason: Request-URI Too Long"),
        ),
    },
    "modules named like others' modules": _where(
        "The incumbent has its own folder on the path, and scripts get its modules utils and config.",
        ("-no server: exit status 3", "+status: 200", '+body: [true, "root", "utils", "settings", "server"]'),
        "x",
    ),
    "the environment: WORKER_COUNT": _where(
        "The incumbent hands its settings to itself through the environment.",
        ('-body: "1"', "+body: {}"),
        "x",
    ),
    "dataclasses with postponed annotations": _where(
        "Ours registers the script's module, where dataclasses and pickle look it up.",
        ("-no server: exit status 3", "+status: 200", "+body: [1.0]"),
        "x",
    ),
    "ways to read a request": _where(
        "What run() gets is an AMLRequest, as its annotation says; the incumbent's class has no instances.",
        ("-body: [false, true, 1]", "+body: [true, true, 1]"),
        "class",
    ),
    "a pool of processes": _where(
        "Ours registers the script's module, where dataclasses and pickle look it up.",
        (
            *("-status: 500", "-x-ms-run-function-failed: True", f"-body: {_SCRIPT_FAILED}"),
            *("+status: 200", "+x-ms-run-function-failed: False", _IS_SCORED, "+body: [1, 4, 9]"),
        ),
        "x",
    ),
    "joblib of scikit-learn's first years": _where(
        "scikit-learn had joblib until 0.23, and scripts of that time take it from there: a stand-in has it.",
        ("-no server: exit status 3", "+status: 200", "+body: [1.0, 2.0]"),
        "1",
    ),
    "print into a buffer of the script's own": _where(
        "What a script prints into a buffer of its own is the script's; the incumbent logs it.",
        ('-body: ""', '+body: "into the buffer\\n"'),
        "x",
    ),
    "CORS in config.json": _where(
        "All settings may stand in config.json; the incumbent misses those without an alias.",
        ("+Access-Control-Allow-Origin: https://a.example",),
        "POST application/json Origin: https://a.example x",
    ),
    "--model_dir": _where(
        "Absolute, as in v1's images: it stays right when the script changes the working directory.",
        ('-body: "models"', '+body: "{root}/models"'),
        "x",
    ),
}
