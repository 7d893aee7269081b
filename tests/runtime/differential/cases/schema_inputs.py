"""Scripts with `@input_schema` (contract §3.2, §3.7): what they take, what they refuse."""

from tests.runtime.differential.cases.case import ask, case, get, post, swagger

IMPORTS = """
import datetime
import numpy as np
import pandas as pd
from inference_schema.schema_decorators import input_schema, output_schema
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType

"""
_FORM = "application/x-www-form-urlencoded"

CASES = (
    case(
        "schema: a number",
        IMPORTS
        + """
@input_schema("x", StandardPythonParameterType(1))
@output_schema(StandardPythonParameterType(2))
def run(x):
    return [type(x).__name__, x]
""",
        post(b'{"x": 3}'),
        post(b'{"x": 3.5}'),
        post(b'{"x": "3"}'),
        post(b'{"x": true}'),
        post(b'{"x": null}'),
        post(b'{"x": [3]}'),
        post(b'{"x": 3, "other": 4}'),
        post(b'{"x": 1, "x": 2}'),
        post(b'{"x": 123456789012345678901234567890}'),
        post(b"{}"),
        post(b'{"X": 3}'),
        post(b"[3]"),
        post(b"3"),
        post(b'"text"'),
        post(b"null"),
        post(b""),
        post(b" "),
        post(b"{"),
        post(b'{"x": 3} trailing'),
        post(b"{'x': 3}"),
        post(b"[np.float64(0.0)]"),
        post(b"\xef\xbb\xbf" + b'{"x": 3}', name="byte order mark"),
        post('{"x": 3}'.encode("utf-16"), name="UTF-16"),
        post(b'{"x": "\xff"}', name="not UTF-8"),
        post(b'{"x": NaN}'),
        post(b"[" * 100_000, name="100,000 brackets"),
        post(b'{"x": 3}', None),
        post(b'{"x": 3}', "text/plain"),
        post(b'{"x": 3}', "application/json; charset=utf-8"),
        post(b'{"x": 3}', "application/problem+json"),
        post(b'{"x": 3}', "APPLICATION/JSON"),
        post(b'{"x": 3}', "text/json"),
        post(b"x=3", _FORM),
        post(b"--b--", "multipart/form-data; boundary=b"),
        post(b"", None, name="nothing at all"),
        ask("POST", chunks=(b'{"x"', b": 3}"), content_type="application/json"),
        get("/score?x=3"),
        get("/score?x=3&x=4"),
        get("/score?x=three"),
        get("/score"),
        ask("OPTIONS"),
        ask("HEAD"),
        *swagger(),
    ),
    case(
        "schema: texts, truths and floats",
        IMPORTS
        + """
@input_schema("text", StandardPythonParameterType("a"))
@input_schema("flag", StandardPythonParameterType(True))
@input_schema("rate", StandardPythonParameterType(0.5))
def run(text, flag, rate):
    return [text, flag, rate, type(rate).__name__]
""",
        post(b'{"text": "b", "flag": false, "rate": 2}'),
        post(b'{"rate": 1.5, "flag": true, "text": ""}'),
        post(b'{"text": 1, "flag": false, "rate": 2}'),
        post(b'{"text": "b", "flag": 0, "rate": 2}'),
        post(b'{"text": "b", "flag": false, "rate": "2"}'),
        post(b'{"text": "b", "flag": false}'),
        get("/score?text=b&flag=true&rate=1"),
        *swagger(),
    ),
    case(
        "schema: numpy",
        IMPORTS
        + """
@input_schema("data", NumpyParameterType(np.array([[1.0, 2.0, 3.0]])))
@output_schema(NumpyParameterType(np.array([1.0])))
def run(data):
    return [str(data.dtype), list(data.shape), data.sum(axis=1).tolist()]
""",
        post(b'{"data": [[1, 2, 3], [4, 5, 6]]}'),
        post(b'{"data": [[1.5, 2, 3]]}'),
        post(b'{"data": []}'),
        post(b'{"data": [[1, 2]]}'),
        post(b'{"data": [1, 2, 3]}'),
        post(b'{"data": [[1, 2, "x"]]}'),
        post(b'{"data": [[1, 2, "3"]]}'),
        post(b'{"data": [[1, 2, null]]}'),
        post(b'{"data": [[1, 2, 3], [4]]}'),
        post(b'{"data": "text"}'),
        post(b'{"data": {"a": 1}}'),
        post(b"{}"),
        get("/score?data=[[1,2,3]]"),
        *swagger(),
    ),
    case(
        "schema: numpy, free in shape and type",
        IMPORTS
        + """
@input_schema("data", NumpyParameterType(np.array([[1, 2]]), enforce_column_type=False, enforce_shape=False))
def run(data):
    return [str(data.dtype), list(data.shape)]
""",
        post(b'{"data": [[1, 2, 3]]}'),
        post(b'{"data": [1.5]}'),
        post(b'{"data": ["a"]}'),
        *swagger(),
    ),
    case(
        "schema: structured numpy",
        IMPORTS
        + """
@input_schema("data", NumpyParameterType(np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])))
def run(data):
    return [str(data.dtype), len(data)]
""",
        post(b'{"data": [{"a": 1, "b": 2}]}'),
        post(b'{"data": [[1, 2]]}'),
        *swagger(),
    ),
    case(
        "schema: pandas",
        IMPORTS
        + """
sample = pd.DataFrame({"age": [40], "name": ["a"], "score": [1.5], "member": [True]})

@input_schema("data", PandasParameterType(sample))
@output_schema(StandardPythonParameterType([1.5]))
def run(data):
    types = [str(dtype) for dtype in data.dtypes]
    return {"columns": list(data.columns), "types": types, "rows": data.values.tolist()}
""",
        post(b'{"data": [{"age": 1, "name": "b", "score": 2, "member": false}]}'),
        post(b'{"data": [{"name": "b", "age": 1, "member": false, "score": 2.5}]}'),
        post(b'{"data": [{"age": 1, "name": "b"}]}'),
        post(b'{"data": [{"age": "x", "name": "b", "score": 2, "member": false}]}'),
        post(b'{"data": [{"age": 1, "name": "b", "score": 2, "member": false, "more": 1}]}'),
        post(b'{"data": []}'),
        post(b'{"data": {"age": [1]}}'),
        post(b'{"data": "text"}'),
        *swagger(),
    ),
    case(
        "schema: pandas, split, free, with names",
        IMPORTS
        + """
sample = pd.DataFrame({"a": [1], "b": [2.5]})

@input_schema("split", PandasParameterType(sample, orient="split"))
@input_schema("free", PandasParameterType(sample, enforce_column_type=False, enforce_shape=False))
@input_schema("named", PandasParameterType(sample, apply_column_names=True))
def run(split, free, named):
    return [frame.to_dict(orient="list") for frame in (split, free, named)]
""",
        post(
            b'{"split": {"columns": ["a", "b"], "index": [0], "data": [[1, 2.5]]}, '
            b'"free": [{"a": "x"}], "named": [[1, 2.5]]}',
            name="all",
        ),
        post(b'{"split": [{"a": 1, "b": 2}], "free": [], "named": []}'),
        *swagger(),
    ),
    case(
        "schema: pandas with dates",
        IMPORTS
        + """
sample = pd.DataFrame({"when": pd.to_datetime(["2020-01-01"]), "value": [1]})

@input_schema("data", PandasParameterType(sample))
def run(data):
    return [str(data.when.iloc[0]), str(data.dtypes["when"])]
""",
        post(b'{"data": [{"when": "2021-02-03T04:05:06.000Z", "value": 1}]}'),
        post(b'{"data": [{"when": 1600000000000, "value": 1}]}'),
        post(b'{"data": [{"when": "never", "value": 1}]}'),
        *swagger(),
    ),
    case(
        "schema: nested",
        IMPORTS
        + """
sample = {
    "image": NumpyParameterType(np.array([[1.0, 2.0]])),
    "table": PandasParameterType(pd.DataFrame({"a": [1]})),
    "options": StandardPythonParameterType({"top": 3, "names": ["x"]}),
    "plain": StandardPythonParameterType("text"),
}

@input_schema("inputs", StandardPythonParameterType(sample))
@output_schema(StandardPythonParameterType({"label": "cat", "scores": [0.5]}))
def run(inputs):
    return {name: type(value).__name__ for name, value in sorted(inputs.items())}
""",
        post(
            b'{"inputs": {"image": [[1, 2]], "table": [{"a": 2}], '
            b'"options": {"top": 1, "names": ["y"]}, "plain": "z"}}',
            name="all",
        ),
        post(b'{"inputs": {"image": [[1, 2]]}}'),
        post(b'{"inputs": {}}'),
        post(b'{"inputs": []}'),
        *swagger(),
    ),
    case(
        "schema: lists and dicts",
        IMPORTS
        + """
@input_schema("rows", StandardPythonParameterType([{"a": 1, "b": "x"}]))
@input_schema("mixed", StandardPythonParameterType([1, "a"]))
@input_schema("empty", StandardPythonParameterType([]))
def run(rows, mixed, empty):
    return [rows, mixed, empty]
""",
        post(b'{"rows": [{"a": 2, "b": "y"}, {"a": 3, "b": "z"}], "mixed": [2, "b"], "empty": [1, 2]}'),
        post(b'{"rows": [], "mixed": [], "empty": []}'),
        post(b'{"rows": [{"a": "x", "b": "y"}], "mixed": ["b", 2], "empty": []}'),
        post(b'{"rows": {"a": 1}, "mixed": 1, "empty": {}}'),
        *swagger(),
    ),
    case(
        "schema: dates and bytes",
        IMPORTS
        + """
@input_schema("day", StandardPythonParameterType(datetime.date(2020, 1, 2)))
@input_schema("moment", StandardPythonParameterType(datetime.datetime(2020, 1, 2, 3, 4, 5)))
@input_schema("hour", StandardPythonParameterType(datetime.time(1, 2, 3)))
@input_schema("raw", StandardPythonParameterType(b"abc"))
def run(day, moment, hour, raw):
    return [repr(day), repr(moment), repr(hour), repr(raw)]
""",
        post(
            b'{"day": "2021-02-03", "moment": "2021-02-03 04:05:06,000000", '
            b'"hour": "04:05:06", "raw": "YWJj"}',
            name="all",
        ),
        post(b'{"day": "never", "moment": "x", "hour": "y", "raw": "z"}'),
        *swagger(),
    ),
)
