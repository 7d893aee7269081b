"""What run() receives of a request, by the kind of script, and whose fault an error of run() is."""

import datetime
import inspect
import json
from collections.abc import Callable
from typing import Any

import flask
import numpy as np
import pandas as pd
import pytest
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema
from tests.runtime.crossed import request

from gpu_inference_script import flask_request
from gpu_inference_script.inputs import InputError, RawInputs, TextInputs
from gpu_inference_script.request import Request
from gpu_inference_script.schema_inputs import SchemaInputs

TEXT = TextInputs("data")
JSON = {"content-type": "application/json"}
Schema = Callable[..., Any]


def refusal(inputs: Any, given: Request) -> InputError:
    with pytest.raises(InputError) as caught:
        inputs.arguments(given)
    return caught.value


# Text


def test_a_body_is_given_as_text() -> None:
    assert TEXT.arguments(request(body="größe".encode())) == {"data": "größe"}


def test_a_body_that_is_not_utf_8_is_refused_with_the_position() -> None:
    refused = refusal(TEXT, request(body=b"ab\xff"))
    assert (refused.status, refused.handled_by_v1) == (400, True)
    assert str(refused) == (
        "Input cannot be decoded as UTF-8: "
        "'utf-8' codec can't decode byte 0xff in position 2: invalid start byte"
    )


def test_query_parameters_become_a_json_object() -> None:
    query = {"x": ["1"], "y": ["[1, 2]"], "word": ["abc"], "twice": ["1", "b"]}
    given = TEXT.arguments(request("GET", query))
    assert json.loads(given["data"]) == {"x": 1, "y": [1, 2], "word": "abc", "twice": [1, "b"]}


def test_a_query_parameter_nested_too_deeply_is_refused() -> None:
    refused = refusal(TEXT, request("GET", {"x": ["[" * 5000]}))
    assert (refused.status, refused.handled_by_v1) == (400, False)
    assert str(refused) == "A query parameter is nested too deeply."


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "Multipart/Form-Data; boundary=x"]
)
def test_of_a_form_nothing_is_left_as_text(content_type: str) -> None:
    assert TEXT.arguments(request(headers={"content-type": content_type}, body=b"a=1")) == {"data": ""}


# The request itself


def test_a_raw_script_gets_the_front_ends_own_request_with_its_body() -> None:
    inputs = RawInputs("request")
    assert inputs.methods == {"GET", "HEAD", "POST", "OPTIONS"}
    asked = request(body=b"\xff")
    with flask_request.current(asked):
        [(name, given)] = inputs.arguments(asked).items()
        assert given is flask.request
        assert (name, given.get_data()) == ("request", b"\xff")


# A schema


def schema_inputs(run: Schema) -> SchemaInputs:
    return SchemaInputs(run, list(inspect.signature(run).parameters.values()))


def takes(name: str, kind: object) -> Callable[[Schema], Schema]:
    """`input_schema`, which has no types."""
    decorator: Callable[[Schema], Schema] = input_schema(name, kind)
    return decorator


def plain(name: str, sample: object) -> Callable[[Schema], Schema]:
    return takes(name, StandardPythonParameterType(sample))


@plain("x", 1)
@plain("y", "text")
def run_xy(x: int, y: str = "default") -> Any:
    return x, y


XY = schema_inputs(run_xy)


def post(inputs: SchemaInputs, content: Any) -> dict[str, Any]:
    return inputs.arguments(request(headers=JSON, body=json.dumps(content).encode()))


def test_each_parameter_gets_its_member_of_the_object() -> None:
    assert post(XY, {"y": "b", "x": 2, "extra": 3}) == {"x": 2, "y": "b"}


def test_a_missing_parameter_takes_its_default() -> None:
    assert post(XY, {"x": 2}) == {"x": 2, "y": "default"}


def test_query_parameters_are_members_of_the_object_too() -> None:
    assert XY.arguments(request("GET", {"x": ["2"], "y": ["b"]})) == {"x": 2, "y": "b"}


@pytest.mark.parametrize(
    "content_type", ["application/json", "APPLICATION/JSON; charset=utf-8", "application/geo+json"]
)
def test_content_types_of_json_are_taken(content_type: str) -> None:
    given = request(headers={"content-type": content_type}, body=b'{"x": 2}')
    assert XY.arguments(given) == {"x": 2, "y": "default"}


@pytest.mark.parametrize("content_type", ["", "text/plain", "text/json", "image+json", "application/jsonx"])
def test_other_content_types_are_refused(content_type: str) -> None:
    refused = refusal(XY, request(headers={"content-type": content_type}, body=b'{"x": 2}'))
    assert (refused.status, str(refused)) == (415, "Expects Content-Type to be application/json")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "POST body is empty. Expecting a JSON dictionary."),
        (b"[1]", "POST body should be a JSON dictionary."),
        (b"null", "POST body should be a JSON dictionary."),
        (b"{", "POST body could not be decoded as JSON: Expecting property name enclosed in double quotes: "
         "line 1 column 2 (char 1)"),
        (b"\xef\xbb\xbf{}", "A value is not provided for the 'x' parameter."),
        (b'{"y": "b"}', "A value is not provided for the 'x' parameter."),
    ],
)  # fmt: skip
def test_a_body_that_holds_no_arguments_is_refused_in_v1s_words(body: bytes, sentence: str) -> None:
    refused = refusal(XY, request(headers=JSON, body=body))
    assert (refused.status, refused.handled_by_v1, str(refused)) == (400, True, sentence)


@pytest.mark.parametrize(
    ("body", "beginning"),
    [
        (b'{"x": "\xff"}', "POST body could not be decoded as text: 'utf-8' codec can't decode byte 0xff"),
        (b"[" * 100_000, "POST body is nested too deeply."),
        (b'{"x": ' + b"1" * 5000 + b"}", "POST body could not be decoded as JSON: Exceeds the limit"),
    ],
    ids=["not UTF-8", "deep", "long number"],
)
def test_a_body_that_v1s_server_failed_at_is_told_apart(body: bytes, beginning: str) -> None:
    refused = refusal(XY, request(headers=JSON, body=body))
    assert (refused.status, refused.handled_by_v1) == (400, False)
    assert str(refused).startswith(beginning)


# Whose fault it is

BUILT_FROM_NUMPY = str(list(np.array([0.5, 1.5])))


@pytest.mark.parametrize("inputs", [TEXT, RawInputs("request")])
@pytest.mark.parametrize(
    "row", [np.array([0.5]), np.array([1], dtype=np.uint8), np.array([True]), np.array(["a"])]
)
def test_a_body_written_with_numpys_scalars_is_the_clients_fault(inputs: Any, row: Any) -> None:
    body = f'{{"data": {list(row)}}}'.encode()
    fault = inputs.client_error(ValueError(), request(body=body))
    assert "str(list(row))" in fault
    assert ".tolist()" in fault


@pytest.mark.parametrize("body", [b"", b"{", b'{"np": "np.float"}', b"mnp.float64(1)"])
def test_other_bodies_are_not(body: bytes) -> None:
    assert TEXT.client_error(ValueError(), request(body=body)) is None


@takes("array", NumpyParameterType(np.zeros((1, 2))))
@takes("frame", PandasParameterType(pd.DataFrame({"a": [1]})))
@takes("raw", StandardPythonParameterType(b"x"))
@takes("day", StandardPythonParameterType(datetime.date(2020, 1, 1)))
@takes("nested", StandardPythonParameterType({"inner": NumpyParameterType(np.zeros((1, 2)))}))
@takes("number", StandardPythonParameterType(1))
def run_all(
    array: Any = np.zeros((1, 2)),  # noqa: B008  (as scripts do)
    frame: Any = pd.DataFrame({"a": [1]}),  # noqa: B008
    raw: Any = b"",
    day: Any = datetime.date(2020, 1, 1),
    nested: Any = {},  # noqa: B006
    number: Any = 7,
) -> Any:
    if number == 8:
        return run_inside(x="not a number")
    return array, frame, raw, day, nested, [1, 2][number]


@plain("x", 1)
def run_inside(x: int) -> Any:
    return x


ALL = schema_inputs(run_all)


def fault_of(content: dict[str, Any], inputs: SchemaInputs = ALL, run: Schema = run_all) -> str | None:
    try:
        run(**post(inputs, content))
    except Exception as error:
        return inputs.client_error(error, request())
    pytest.fail("run() did not fail")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"array": 1}, "'array' parameter does not match the schema: Invalid input format"),
        ({"array": [[1, 2, 3]]}, "array has size 3 on dimension #1, while expected value is 2"),
        ({"array": [["a", "b"]]}, "could not convert string to float: 'a'"),
        ({"frame": "text"}, "'frame' parameter does not match the schema: Error, unable to convert"),
        ({"frame": [{"a": "x"}]}, "invalid literal for int()"),
        ({"raw": 1}, "AttributeError: 'int' object has no attribute 'encode'"),
        ({"nested": {"inner": [1]}}, "'nested' parameter does not match the schema: Invalid input array"),
        ({"nested": []}, "Invalid input data type to parse. Expected: <class 'dict'> but got <class 'list'>"),
        ({"number": "7"}, "Expected: <class 'int'> but got <class 'str'>"),
        ({"number": None}, "Expected: <class 'int'> but got <class 'NoneType'>"),
    ],
)
def test_what_a_decorator_cannot_convert_is_the_clients_fault(content: dict[str, Any], reason: str) -> None:
    fault = fault_of(content)
    assert fault is not None
    assert reason in fault
    assert "\n" not in fault


def test_what_run_itself_raises_is_not_the_clients_fault() -> None:
    assert fault_of({}) is None


def test_a_schema_function_that_run_calls_is_the_scripts_own_affair() -> None:
    assert fault_of({"number": 8}) is None


def test_a_default_outside_the_schema_is_the_scripts_fault() -> None:
    @plain("x", 1)
    def run(x: Any = "not a number") -> Any:
        return x

    inputs = schema_inputs(run)
    assert fault_of({}, inputs, run) is None
    assert "does not match" in str(fault_of({"x": "neither is this"}, inputs, run))


def test_an_unconvertible_date_is_not_the_clients_fault() -> None:
    assert fault_of({"day": "2020-01-31"}) is None


@pytest.mark.parametrize("error", [TimeoutError(), MemoryError(), ImportError(), KeyboardInterrupt()])
def test_what_only_interrupts_a_conversion_is_not_the_clients_fault(error: BaseException) -> None:
    class Interrupted(StandardPythonParameterType):  # type: ignore[misc]
        def deserialize_input(self, input_data: Any) -> Any:  # noqa: ARG002
            raise error

    @takes("x", Interrupted(1))
    def run(x: Any) -> Any:
        return x

    inputs = schema_inputs(run)
    with pytest.raises(type(error)) as caught:
        run(**post(inputs, {"x": "text"}))
    assert inputs.client_error(caught.value, request()) is None


class WordlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


class Wordless(StandardPythonParameterType):  # type: ignore[misc]
    def deserialize_input(self, input_data: Any) -> Any:  # noqa: ARG002
        raise WordlessError


def test_a_reason_that_has_no_words_is_told_by_its_type() -> None:
    @takes("x", Wordless(1))
    def run(x: Any) -> Any:
        return x

    assert "WordlessError" in str(fault_of({"x": "text"}, schema_inputs(run), run))


def test_a_long_reason_is_cut() -> None:
    fault = fault_of({"array": [["a" * 10_000, "b"]]})
    assert fault is not None
    assert len(fault) < 1000
