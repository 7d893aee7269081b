import io
import itertools

import numpy as np
import pytest
from tests.runtime.array_requests import (
    DTYPES,
    NPY,
    TENSOR,
    npy,
    post,
    read,
    refusal,
)

from gpu_inference_script.arrays import ArrayReader, accepted, binary_form, from_binary
from gpu_inference_script.inputs import InputError
from gpu_inference_script.request import Request

# Arrays for run(array)


def test_binary_bodies_become_the_type_that_run_takes() -> None:
    for dtype in [*DTYPES, ">f4", ">i8"]:
        array = (np.arange(6).reshape(2, 3) % 2).astype(dtype)
        for order in "CF":
            body = npy(np.asarray(array, order=order))  # type: ignore[call-overload]
            for wanted in ("float32", "float64", "uint8", "int32", "int64"):
                found = read(body, wanted, NPY)
                assert (found.dtype, found.tolist()) == (np.dtype(wanted), array.tolist())
                assert found.flags.c_contiguous
                assert found.flags.writeable


def test_binary_numbers_that_do_not_fit_are_refused() -> None:
    assert "whole numbers from 0 to 255" in refusal(npy(np.array([[256]])), "uint8", NPY)
    assert "whole numbers from 0 to 255" in refusal(npy(np.array([[0.5]])), "uint8", NPY)
    assert "Each row must be a list" in refusal(npy(np.array([1.5])), "float32", NPY)
    assert "is empty" in refusal(npy(np.zeros((0, 3))), "float32", NPY)


def test_only_post_brings_an_array() -> None:
    with pytest.raises(InputError, match="POST") as caught:
        ArrayReader("float32").rows(Request("GET", "/score?data=[[1]]"))
    assert caught.value.status == 405


# Arrays as answers


ACCEPTED = [
    ("", None),
    ("*/*", None),
    ("application/json", None),
    (NPY, NPY),
    ("APPLICATION/X-NPY", NPY),
    (TENSOR, TENSOR),
    ("application/x-npy, application/json", NPY),
    ("application/json, application/x-npy", None),
    ("*/*, application/x-npy", NPY),
    ("application/*, application/x-tensor", TENSOR),
    ("application/x-npy;q=0.5, application/json;q=0.4", NPY),
    ("application/x-npy;q=0.3, application/json;q=0.4", None),
    ("application/x-npy;q=0", None),
    ("application/x-npy;q=x", None),
    ("application/x-npy;q=0.5, application/x-tensor", TENSOR),
    ("text/html, application/x-npy;q=0.1", NPY),
    ("application/x-npygmy", None),
]


def test_accept_chooses_the_answers_form() -> None:
    for accept, wanted in ACCEPTED:
        assert accepted(post(b"", "application/json", ("Accept", accept))) == wanted, (accept, wanted)
        assert accepted(Request("POST", headers=[("accept", accept)])) == wanted, (accept, wanted)


def test_accept_in_two_headers_is_one_list() -> None:
    request = post(b"", "application/json", ("Accept", "application/json;q=0.1"), ("Accept", NPY))
    assert accepted(request) == NPY


def test_without_accept_the_answer_is_json() -> None:
    assert accepted(post(npy(np.ones(1)), NPY)) is None


def test_arrays_come_back_as_they_are() -> None:
    for dtype, shape in itertools.product([*DTYPES, ">f4", ">i2"], [(3,), (2, 3), (0, 3)]):
        array = (np.arange(6)[: np.prod(shape)].reshape(shape) % 2).astype(dtype)
        body, content_type = binary_form(array, NPY) or (b"", "")
        assert content_type == NPY, (dtype, shape)
        np.testing.assert_array_equal(np.load(io.BytesIO(body), allow_pickle=False), array)
        # The very bytes of numpy.save, for what it writes little endian.
        assert body == npy(array.astype(array.dtype.newbyteorder("<")), (1, 0)), (dtype, shape)
        body, content_type = binary_form(np.asfortranarray(array), TENSOR) or (b"", "")
        name, told = array.dtype.name, "x".join(map(str, shape))
        assert content_type == f"application/x-tensor; dtype={name}; shape={told}", (dtype, shape)
        assert body == array.astype(array.dtype.newbyteorder("<")).tobytes(), (dtype, shape)
        if array.size:
            np.testing.assert_array_equal(from_binary(post(body, content_type)), array)


@pytest.mark.parametrize(
    "result",
    [[1, 2], None, "a", np.float64(1), np.array(5), np.array(["a"]), np.array([None]), np.array([1j])],
)
def test_what_is_no_array_of_numbers_stays_json(result: object) -> None:
    assert binary_form(result, NPY) is None
    assert binary_form(np.ones(1), None) is None
