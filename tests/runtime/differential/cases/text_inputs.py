"""What an undecorated `run()` receives (contract §3.2): the body as text, whatever its content type."""

from tests.runtime.differential.cases.case import ask, case, get, post
from tests.runtime.differential.cases.routes import ECHO

_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data; boundary=b"
MULTIPART_BODY = (
    b'--b\r\nContent-Disposition: form-data; name="field"\r\n\r\nvalue\r\n'
    b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
    b"Content-Type: image/jpeg\r\n\r\n"
    b"\xff\xd8\xff\r\n--b--\r\n"
)

# More than Flask keeps of a form's fields by default, in bytes and in number.
LARGE_FORMS = (
    post(b"field=" + b"v" * 600_000, _FORM, name="600 kB, urlencoded"),
    post(
        b'--b\r\nContent-Disposition: form-data; name="field"\r\n\r\n' + b"v" * 600_000 + b"\r\n--b--\r\n",
        _MULTIPART,
        name="600 kB, multipart",
    ),
    post(
        b"".join(b'--b\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nv\r\n' % i for i in range(1001))
        + b"--b--\r\n",
        _MULTIPART,
        name="1001 parts",
    ),
)

CASES = (
    case(
        "text",
        ECHO,
        post(b""),
        ask("POST"),
        post(b"plain text", None),
        post(b"plain text", "text/plain"),
        post(b'{"data": [1, 2]}'),
        post('{"é": "✓ 😀"}'),
        post(b'"\\ud800"'),
        post(b"\xef\xbb\xbf{}", name="byte order mark"),
        post(b"a\x00b\r\n", "application/octet-stream"),
        post("é".encode("latin-1"), "text/plain; charset=latin-1"),
        post(b"\xff\xd8\xff\xe0", "image/jpeg"),
        post(b"ab\xc3", "application/json", name="cut UTF-8"),
        post("é", "text/plain; charset=utf-16", name="wrong charset"),
        post(b"\x1f\x8b\x08\x00", "application/json", headers=(("Content-Encoding", "gzip"),)),
        post(b"a=1&b=2", _FORM),
        post(b"a=1", f"{_FORM}; charset=utf-8"),
        post(b"\xff", _FORM),
        post(MULTIPART_BODY, _MULTIPART, name="multipart"),
        post(b"not multipart", _MULTIPART),
        post(b"x", "multipart/form-data"),
        post(b"x", "nonsense"),
        post(b"a=1", _FORM.upper()),
        post(b"x" * 3_000_000, name="3 MB"),
        ask("POST", chunks=(b"one ", b"two"), content_type="text/plain"),
        ask("POST", chunks=(b"a=1", b"&b=2"), content_type=_FORM),
        ask("POST", chunks=(b"\xc3", b"\xa9"), name="a character in two chunks"),
        ask("POST", body=b"x", headers=(("Expect", "100-continue"),)),
    ),
    case("text: large forms", ECHO, *LARGE_FORMS),
    case(
        "text, then JSON in the script",
        """
        import json
        import numpy as np

        def init():
            global weights
            weights = np.array([1.0, 2.0])

        def run(raw_data):
            data = np.array(json.loads(raw_data)["data"])
            return (data @ weights).tolist()
        """,
        post(b'{"data": [[1, 2], [3, 4]]}'),
        post(b'{"data": []}'),
        post(b'{"data": [[1, 2, 3]]}'),
        post(b'{"other": 1}'),
        post(b"[np.float64(0.0), np.float64(1.0)]"),
        post(b"not JSON"),
        post(b"a=1", _FORM),
        get("/score?data=[[1,2]]"),
        get("/score"),
    ),
    case(
        "request_headers",
        """
        def run(data, request_headers):
            return {"type": type(request_headers).__name__, **dict(sorted(request_headers.items()))}
        """,
        post(b"x"),
        post(b"x", None),
        post(b"x", headers=(("authorization", "Bearer nothing"), ("X-TWO-words", "1"))),
        post(b"x", headers=(("twice", "1"), ("Twice", "2"))),
        post(b"x", headers=(("under_score", "1"),)),
        post("é".encode(), headers=(("latin", "\xe9"),)),
        get("/score?x=1", headers=(("accept", "*/*"),)),
        ask("POST", chunks=(b"x",), name="chunked"),
    ),
    case(
        "request_headers first",
        "def run(request_headers, data): return [data, request_headers['Host']]",
        post(b"x"),
        get("/score?a=1"),
    ),
    case(
        "request_headers with a default",
        "def run(data, request_headers=None): return [data, request_headers is None]",
        post(b"x"),
    ),
    case("a keyword-only parameter", "def run(*, anything): return anything", post(b"x"), get("/score?a=1")),
    case("a second parameter with a default", "def run(data, top=3): return [data, top]", post(b"x")),
    case("a second parameter without a default", "def run(data, top): return [data, top]", post(b"x")),
    case("a first parameter with a default", "def run(data='none'): return data", post(b"x"), post(b"")),
    case("run is a lambda", "run = lambda x: x * 2", post(b"ab")),
    case(
        "run is a bound method",
        """
        class Model:
            def predict(self, data):
                return [data, type(self).__name__]

        run = Model().predict
        """,
        post(b"x"),
    ),
    case(
        "run is an object that can be called",
        """
        class Model:
            def __call__(self, data):
                return data.upper()

        run = Model()
        """,
        post(b"x"),
    ),
    case(
        "run is decorated by the script's own decorator",
        """
        import functools, time

        def timed(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                return {"result": function(*args, **kwargs)}
            return wrapper

        @timed
        def run(data):
            return data
        """,
        post(b"x"),
    ),
    case(
        "run is a partial", "import functools\nrun = functools.partial(lambda a, b: [a, b], b=1)", post(b"x")
    ),
    case("async def run", "async def run(data): return data.upper()", post(b"x"), get("/score?a=1")),
    case(
        "run is a generator function",
        """
        def run(data):
            yield data
            yield "more"
        """,
        post(b"x"),
    ),
    case(
        "flask's own request in an undecorated run",
        """
        import flask

        def run(data):
            flask.g.seen = 1
            return [flask.request.method, flask.request.headers.get("X-A"), flask.request.args.get("q"), data]
        """,
        post(b"x", headers=(("X-A", "1"),)),
        get("/score?q=1"),
    ),
)
