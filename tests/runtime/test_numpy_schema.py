import itertools
import json
import sys
import warnings
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
import pytest
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema
from tests.runtime.array_requests import NPY, PARSERS, npy, post
from tests.runtime.json_corpus import NUMBERS

from gpu_inference_script.arrays import binary_form
from gpu_inference_script.inputs import InputError
from gpu_inference_script.numpy_schema import numpy_parameter
from gpu_inference_script.request import Request


@pytest.fixture(params=PARSERS)
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The parser that is used, because those before it are not installed."""
    for missing in PARSERS[: PARSERS.index(request.param)]:
        monkeypatch.setitem(sys.modules, missing, None)
    return str(request.param)


# Arrays for @input_schema


def _one(data: Any) -> Any:
    return data


def _two(data: Any, more: Any) -> Any:
    return data, more


NUMBER = itertools.count()


def new(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of another name: inference-schema knows them by their names."""
    copy = FunctionType(function.__code__, globals(), f"run_{next(NUMBER)}")
    copy.__qualname__ = copy.__name__
    return copy


def decorated(sample: Any, **options: Any) -> Any:
    described = output_schema(StandardPythonParameterType(1))(new(_one))
    return input_schema("data", NumpyParameterType(sample, **options))(described)


def test_the_parameter_of_a_schema_script_is_found() -> None:
    parameter = numpy_parameter(decorated(np.zeros((1, 3), "f4")))
    assert parameter is not None
    assert parameter.name == "data"


NUMPY = NumpyParameterType(np.zeros((1, 3)))


@pytest.mark.parametrize(
    "run",
    [
        _one,
        print,
        input_schema("data", StandardPythonParameterType([1]))(new(_one)),
        input_schema("data", NUMPY)(input_schema("more", NUMPY)(new(_two))),
        input_schema("data", NUMPY)(new(_two)),
        input_schema("other", NUMPY)(new(_one)),
        input_schema("data", NUMPY, convert_to_provided_type=False)(new(_one)),
        input_schema("data", NUMPY, optional=True)(new(_one)),
        input_schema("data", StandardPythonParameterType({"a": NUMPY}))(new(_one)),
    ],
)
def test_scripts_that_take_something_else_have_no_such_parameter(run: Any) -> None:
    assert numpy_parameter(run) is None


SAMPLES = [
    np.zeros((1, 3), dtype) for dtype in ("f2", "f4", "f8", "i1", "u1", "i4", "i8", "u8", "?", "U5", "O")
]


@pytest.mark.usefixtures("_parser")
def test_json_becomes_the_array_that_the_decorator_makes() -> None:
    for sample, enforce_type, enforce_shape in itertools.product(SAMPLES, [True, False], [True, False]):
        case = sample.dtype.str, enforce_type, enforce_shape
        run = decorated(sample, enforce_column_type=enforce_type, enforce_shape=enforce_shape)
        parameter = numpy_parameter(run)
        assert parameter is not None, case
        for number in [*NUMBERS[:-3], "true", "null", '"1"', '"a"', "[1]", "{}", "1, 2"]:
            for rows in (f"[[1, 2, {number}]]", f"[[{number}, 0.5, 3], [1, 2, 3]]", f"[{number}]"):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    try:
                        wanted = run(data=json.loads(rows))
                    except Exception:
                        wanted = None
                    found = parameter.from_json(post(f'{{"data": {rows}}}'.encode()))
                assert (found is None) == (wanted is None), (case, rows)
                if wanted is not None:
                    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape), (case, rows)
                    # Bytes tell 0.0 from -0.0; of objects they are addresses.
                    same = repr if wanted.dtype.kind == "O" else bytes
                    assert same(found) == same(wanted), (case, rows)


@pytest.mark.parametrize(
    "request_",
    [
        post(b'{"other": [[1, 2, 3]]}'),
        post(b"[[1, 2, 3]]"),
        post(b"{"),
        post(b'{"data": [[1, 2]]}'),
        post(b'{"data": [[1, 2, 3]]}', "text/plain"),
        Request("GET", "/score?data=[[1,2,3]]"),
    ],
)
def test_what_the_decorator_would_refuse_is_left_to_it(request_: Request) -> None:
    parameter = numpy_parameter(decorated(np.zeros((1, 3))))
    assert parameter is not None
    assert parameter.from_json(request_) is None


def test_other_members_are_ignored_and_the_last_of_a_name_counts() -> None:
    parameter = numpy_parameter(decorated(np.zeros((1, 2))))
    assert parameter is not None
    assert parameter.from_json(post(b'{"a": 1, "data": [[1, 2]]}')).tolist() == [[1, 2]]
    assert parameter.from_json(post(b'{"data": [[1, 2]], "data": [[3, 4]]}')).tolist() == [[3, 4]]
    assert parameter.from_json(post(b'\xef\xbb\xbf{"data": [[1, 2]]}')).tolist() == [[1, 2]]


def test_binary_bodies_fit_the_sample() -> None:
    parameter = numpy_parameter(decorated(np.zeros((1, 3), "f4")))
    assert parameter is not None
    found = parameter.from_binary(post(npy(np.arange(6.0).reshape(2, 3)), NPY))
    assert (found.dtype, found.tolist()) == (np.dtype("f4"), [[0, 1, 2], [3, 4, 5]])
    assert parameter.from_binary(post(b"[[1, 2, 3]]")) is None
    with pytest.raises(
        InputError, match=r"^The 'data' parameter takes an array of nx3, but the body has 2x4\.$"
    ):
        parameter.from_binary(post(npy(np.zeros((2, 4))), NPY))
    with pytest.raises(InputError, match="nx3, but the body has 3"):
        parameter.from_binary(post(npy(np.zeros(3)), NPY))


def test_binary_bodies_that_the_samples_type_lacks_are_refused() -> None:
    integers, texts = (
        numpy_parameter(decorated(np.zeros((1, 1), "u1"))),
        numpy_parameter(decorated(np.array([["a"]]))),
    )
    assert integers is not None
    assert texts is not None
    assert integers.from_binary(post(npy(np.array([[7]])), NPY)).dtype == np.dtype("u1")
    with pytest.raises(InputError, match="whole numbers from 0 to 255"):
        integers.from_binary(post(npy(np.array([[256]])), NPY))
    with pytest.raises(InputError, match=r"takes <U1: send JSON\.$"):
        texts.from_binary(post(npy(np.array([[7]])), NPY))


def test_a_free_schema_takes_any_array() -> None:
    run = decorated(np.zeros((1, 3), "f4"), enforce_column_type=False, enforce_shape=False)
    parameter = numpy_parameter(run)
    assert parameter is not None
    found = parameter.from_binary(post(npy(np.zeros((2, 2), "i2")), NPY))
    assert (found.dtype, found.shape) == (np.dtype("i2"), (2, 2))


def test_a_process_without_numpy_answers_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "numpy")
    assert binary_form([1.5], NPY) is None
