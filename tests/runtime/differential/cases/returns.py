"""What `run()` may return and what becomes of it (contract §3.3)."""

from tests.runtime.differential.cases.case import Case, ask, case, post

_TABLE = """
import collections, dataclasses, datetime, decimal, enum, math, pathlib, uuid
import numpy as np
import pandas as pd

class Label(enum.Enum):
    CAT = "cat"

class Level(enum.IntEnum):
    HIGH = 3

class Text(str):
    pass

@dataclasses.dataclass
class Point:
    x: int = 1

class Plain:
    pass

Pair = collections.namedtuple("Pair", "a b")
loop = []
loop.append(loop)

RETURNS = {
%s
}

def run(data):
    return RETURNS[data]()
"""


def _table(name: str, expressions: dict[str, str]) -> Case:
    rows = "\n".join(f"    {key!r}: lambda: {value}," for key, value in expressions.items())
    return case(name, _TABLE % rows, *(post(key, "text/plain", name=key) for key in expressions))


_RESPONSE = "from azureml.contrib.services.aml_response import AMLResponse\n"

CASES = (
    _table(
        "returns of JSON's own types",
        {
            "str": "'abc'",
            "empty str": "''",
            "quotes": "'say \"hi\"\\n'",
            "not ASCII": "'é✓😀'",
            "lone surrogate": "'\\ud800'",
            "None": "None",
            "True": "True",
            "int": "1",
            "large int": "2**70",
            "float": "0.1",
            "tiny float": "1e-320",
            "float like an int": "1.0",
            "nan": "math.nan",
            "inf": "[math.inf, -math.inf]",
            "list": "[1, 'a', None, True, 1.5]",
            "tuple": "(1, (2, 3))",
            "namedtuple": "Pair(1, 2)",
            "empty list": "[]",
            "empty dict": "{}",
            "dict": "{'b': 1, 'a': [{'c': None}]}",
            "dict of other keys": "{1: 'a', None: 'b', True: 'c', 1.5: 'd'}",
            "dict of tuple keys": "{(1, 2): 'a'}",
            "OrderedDict": "collections.OrderedDict(b=1, a=2)",
            "defaultdict": "collections.defaultdict(list, a=[1])",
            "Counter": "collections.Counter('aab')",
            "str subclass": "Text('abc')",
            "IntEnum": "Level.HIGH",
            "double-encoded": "__import__('json').dumps({'result': [1, 2]})",
            "looks like HTML": "'<b>&amp;</b>'",
        },
    ),
    _table(
        "returns of numpy's and pandas' types",
        {
            "np.float64": "np.float64(1.5)",
            "np.float64 nan": "np.float64('nan')",
            "list of np.float64": "[np.float64(0.1)]",
            "np.float32": "np.float32(0.1)",
            "np.int64": "np.int64(3)",
            "dict of np.int64": "{'label': np.int64(3)}",
            "key of np.int64": "{np.int64(3): 'a'}",
            "np.bool": "np.bool_(True)",
            "np.str": "np.str_('a')",
            "np.bytes": "np.bytes_(b'a')",
            "ndarray": "np.arange(4).reshape(2, 2)",
            "ndarray in a dict": "{'result': np.zeros(2)}",
            "tolist": "np.arange(4).tolist()",
            "0-d array": "np.array(1.5)",
            "array of str": "np.array(['a', 'b'])",
            "np.datetime64": "np.datetime64('2020-01-02T03:04:05')",
            "DataFrame": "pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})",
            "Series": "pd.Series([1, 2])",
            "Index": "pd.Index(['a'])",
            "Timestamp": "pd.Timestamp('2020-01-02')",
            "NA": "pd.NA",
            "to_dict": "pd.DataFrame({'a': [1.5, None]}).to_dict()",
            "to_json": "pd.DataFrame({'a': [1, 2]}).to_json(orient='records')",
        },
    ),
    _table(
        "returns of Python's other types",
        {
            "bytes": "b'abc'",
            "bytes that are no text": "b'\\xff'",
            "bytearray": "bytearray(b'abc')",
            "set": "{3, 1, 2}",
            "frozenset": "frozenset({1})",
            "datetime": "datetime.datetime(2020, 1, 2, 3, 4, 5)",
            "date": "datetime.date(2020, 1, 2)",
            "time": "datetime.time(1, 2)",
            "timedelta": "datetime.timedelta(1)",
            "Decimal": "decimal.Decimal('1.5')",
            "UUID": "uuid.UUID(int=1)",
            "Enum": "Label.CAT",
            "dataclass": "Point()",
            "Path": "pathlib.PurePosixPath('a/b')",
            "complex": "1j",
            "range": "range(3)",
            "generator": "(i for i in range(3))",
            "iterator": "iter([1])",
            "deque": "collections.deque([1])",
            "dict view": "{'a': 1}.keys()",
            "exception": "ValueError('secret')",
            "function": "run",
            "class": "Plain",
            "object": "Plain()",
            "module": "math",
            "Ellipsis": "...",
            "circular": "loop",
        },
    ),
    case(
        "AMLResponse",
        _RESPONSE
        + """
import json

def headed(answer):
    answer.headers["X-Later"] = "1"
    answer.headers["Content-Type"] = "text/csv"
    answer.headers.add("X-Later", "2")
    return answer

RETURNS = {
    "text": lambda: AMLResponse("text", 200),
    "bytes": lambda: AMLResponse(b"\\xff\\x00", 200),
    "empty": lambda: AMLResponse("", 204),
    "None": lambda: AMLResponse(None, 200),
    "None 404": lambda: AMLResponse(None, 404, {"X-A": "1"}),
    "json_str": lambda: AMLResponse({"a": [1, "é"]}, 200, json_str=True),
    "json_str of text": lambda: AMLResponse("text", 200, json_str=True),
    "json_str of NaN": lambda: AMLResponse(float("nan"), 200, json_str=True),
    "json_str of an object": lambda: AMLResponse(object(), 200, json_str=True),
    "dict": lambda: AMLResponse({"a": 1}, 200),
    "list of texts": lambda: AMLResponse(["a", "b"], 200),
    "int": lambda: AMLResponse(5, 200),
    "generator": lambda: AMLResponse((str(i) for i in range(3)), 200),
    "201": lambda: AMLResponse("made", 201),
    "400": lambda: AMLResponse("bad", 400),
    "401": lambda: AMLResponse("who", 401, {"WWW-Authenticate": "Bearer"}),
    "404": lambda: AMLResponse("none", 404),
    "429": lambda: AMLResponse("later", 429, {"Retry-After": "5"}),
    "500": lambda: AMLResponse("broken", 500),
    "503": lambda: AMLResponse("broken", 503),
    "599": lambda: AMLResponse("broken", 599),
    "status as text": lambda: AMLResponse("text", "202 Accepted"),
    "odd status": lambda: AMLResponse("text", 299),
    "run_function_failed": lambda: AMLResponse("text", 200, run_function_failed=True),
    "run_function_failed 500": lambda: AMLResponse("text", 500, {}, False, True),
    "Content-Type": lambda: AMLResponse(json.dumps([1]), 200, {"Content-Type": "application/json"}),
    "content-type": lambda: AMLResponse(json.dumps([1]), 200, {"content-type": "application/json"}),
    "Content-Type and json_str": lambda: AMLResponse([1], 200, {"Content-Type": "text/x"}, True),
    "commas": lambda: AMLResponse("x", 200, {"Cache-Control": "no-store, max-age=0", "X-L": "a,b"}),
    "a date": lambda: AMLResponse("x", 200, {"Expires": "Thu, 01 Jan 1970 00:00:00 GMT"}),
    "a number": lambda: AMLResponse("x", 200, {"X-N": 5}),
    "later headers": lambda: headed(AMLResponse("a,b", 200)),
    "own ids": lambda: AMLResponse("x", 200, {"x-request-id": "mine", "x-ms-request-id": "mine"}),
    "own exec time": lambda: AMLResponse("x", 200, {"x-ms-run-fn-exec-ms": "7"}),
    "own failed": lambda: AMLResponse("x", 200, {"x-ms-run-function-failed": "perhaps"}),
    "own length": lambda: AMLResponse("x", 200, {"X-Content-Length": "1"}),
    "own server": lambda: AMLResponse("x", 200, {"Server": "mine", "Date": "never"}),
    "own connection": lambda: AMLResponse("x", 200, {"Connection": "close"}),
    "cookie": lambda: AMLResponse("x", 200, {"Set-Cookie": "a=1; Path=/"}),
    "not ASCII": lambda: AMLResponse("é", 200, {"X-A": "caf\\u00e9"}),
    "line end": lambda: AMLResponse("x", 200, {"X-A": "a\\r\\nX-B: b"}),
    "no status": lambda: AMLResponse("x"),
    "the class": lambda: AMLResponse,
}

def run(data):
    return RETURNS[data]()
""",
        *(
            post(key, "text/plain", name=key)
            for key in (
                *(
                    "text",
                    "bytes",
                    "empty",
                    "None",
                    "None 404",
                    "json_str",
                    "json_str of text",
                    "json_str of NaN",
                ),
                *(
                    "json_str of an object",
                    "dict",
                    "list of texts",
                    "int",
                    "generator",
                    "201",
                    "400",
                    "401",
                    "404",
                ),
                *("429", "500", "503", "599", "status as text", "odd status", "run_function_failed"),
                *(
                    "run_function_failed 500",
                    "Content-Type",
                    "content-type",
                    "Content-Type and json_str",
                    "commas",
                ),
                *(
                    "a date",
                    "a number",
                    "later headers",
                    "own ids",
                    "own exec time",
                    "own failed",
                    "own length",
                ),
                *(
                    "own server",
                    "own connection",
                    "cookie",
                    "not ASCII",
                    "line end",
                    "no status",
                    "the class",
                ),
            )
        ),
    ),
    case(
        "flask.Response",
        """
        import flask, time
        from flask import Response

        def slow():
            for i in range(3):
                time.sleep(0.01)
                yield f"part {i}\\n"

        def failing():
            yield "one"
            raise ValueError("in the middle")

        class Own(Response):
            default_mimetype = "application/x-own"

        def cookie():
            answer = Response("x")
            answer.set_cookie("a", "1")
            return answer

        RETURNS = {
            "text": lambda: Response("text"),
            "bytes": lambda: Response(b"\\x00\\xff", mimetype="image/png"),
            "JSON": lambda: Response('{"a": 1}', content_type="application/json"),
            "404": lambda: Response("none", 404),
            "500": lambda: Response("broken", 500),
            "500 that says so": lambda: Response("broken", 500, {"x-ms-run-function-failed": "no"}),
            "204": lambda: Response(status=204),
            "304": lambda: Response(status=304),
            "text status": lambda: Response("x", "418 TEAPOT"),
            "list": lambda: Response(["a", "b"]),
            "generator": lambda: Response(slow(), mimetype="text/event-stream"),
            "empty generator": lambda: Response(iter(())),
            "failing generator": lambda: Response(failing()),
            "generator that fails at once": lambda: Response(1 / 0 for _ in "x"),
            "generator shorter than it says": lambda: Response(iter("ab"), headers={"Content-Length": "5"}),
            "generator longer than it says": lambda: Response(iter("ab"), headers={"Content-Length": "1"}),
            "own transfer coding": lambda: Response("x", headers={"Transfer-Encoding": "chunked"}),
            "generator of bytes": lambda: Response(iter([b"a", b"", b"b"])),
            "own class": lambda: Own("x"),
            "cookie": cookie,
            "direct_passthrough": lambda: Response(iter([b"a"]), direct_passthrough=True),
            "headers": lambda: Response("x", headers=[("X-A", "1"), ("X-A", "2")]),
            "tuple": lambda: ("text", 201),
        }

        def run(data):
            return RETURNS[data]()
        """,
        *(
            post(key, "text/plain", name=key)
            for key in (
                *(
                    "text",
                    "bytes",
                    "JSON",
                    "404",
                    "500",
                    "500 that says so",
                    "204",
                    "304",
                    "text status",
                    "list",
                ),
                *(
                    "generator",
                    "empty generator",
                    "failing generator",
                    "generator of bytes",
                    "own class",
                    "cookie",
                ),
                *("direct_passthrough", "headers", "tuple", "own transfer coding"),
                *("generator shorter than it says", "generator longer than it says"),
                "generator that fails at once",
            )
        ),
        ask("POST", "/score", b"generator", version="HTTP/1.0", name="generator HTTP/1.0"),
        ask("GET", "/score"),
    ),
    case(
        "statuses",
        _RESPONSE
        + """
import json
from flask import Response

def run(data):
    status = json.loads(data)
    return Response("x", status) if isinstance(status, int) else AMLResponse("x", status)
""",
        *(
            post(f'"{status}"')
            for status in (
                "299 Custom",
                "200 Fine",
                "500 Mine",
                "299",
                "404 ",
                "299 caf\\u00e9",
                "words alone",
            )
        ),
        post('"200 a\\r\\nX-B: c"', name="a line end in the words"),
        post('"200 \\u2713"', name="words that are not Latin-1"),
        *(post(str(status)) for status in (0, 99, 100, 101, 199, 205, 299, 418, 600, 999, 1000)),
    ),
    case(
        "werkzeug.Response",
        "from werkzeug.wrappers import Response\ndef run(data): return Response(data)",
        post(b"x"),
    ),
    case(
        "a changing global is returned as it was",
        """
        counts = []

        def run(data):
            counts.append(len(counts))
            return counts
        """,
        post(b"1"),
        post(b"2"),
        post(b"3"),
    ),
    case("a large result", "def run(data): return ['x' * 100] * 20000", post(b"x")),
    case(
        "deep nesting",
        "def run(data):\n    r = []\n    for _ in range(5000): r = [r]\n    return r",
        post(b"x"),
    ),
)
