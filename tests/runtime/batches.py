"""A script, its batcher, and requests for them."""

import inspect
import io
import itertools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.schema_decorators import input_schema

from gpu_inference_script import scoring
from gpu_inference_script.batching import Batcher, make_batcher
from gpu_inference_script.config import Config
from gpu_inference_script.entry_script import EntryScript
from gpu_inference_script.inputs import InputError, Inputs, TextInputs
from gpu_inference_script.request import Request
from gpu_inference_script.response import Response
from gpu_inference_script.schema_inputs import SchemaInputs

NPY = "application/x-npy"
TENSOR = "application/x-tensor"


class Refusable(Request):
    """As it crosses over: the worker tells the front whether the script was called at all."""

    refused = False


def post(content: Any, content_type: str = "application/json", *headers: tuple[str, str]) -> Refusable:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    given = [("Content-Type", content_type), *headers]
    return Refusable("POST", "/score", headers=given, body=memoryview(bytearray(body)))


def data(*rows: Any) -> Refusable:
    return post({"data": list(rows)})


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


NUMBER = itertools.count()


class Script:
    """A script, what its run() was called with, and the batcher for it."""

    def __init__(
        self,
        run: Callable[[Any], Any],
        batching: str = "merge",
        front_end: str = "azureml",
        sample: Any = None,
        schema: dict[str, bool] | None = None,
        **options: Any,
    ) -> None:
        self.got: list[Any] = []
        self.alone: list[Any] = []
        self.guarded = 0

        def recorded(data: Any) -> Any:
            self.got.append(data)
            return run(data)

        if batching == "schema":
            # inference-schema knows functions by their names.
            recorded.__qualname__ = recorded.__name__ = f"run_{next(NUMBER)}"
            recorded = input_schema("data", NumpyParameterType(sample, **schema or {}))(recorded)
            inputs: Inputs = SchemaInputs(recorded, list(inspect.signature(recorded).parameters.values()))
        else:
            inputs = TextInputs("data")
        self.script = EntryScript(lambda: None, recorded, inputs)
        self.config = Config("/", batching=batching, front_end=front_end, scoring_timeout_ms=700, **options)
        batcher = make_batcher(self.script, self.config, self.score_one, in_script=self.in_script)
        assert isinstance(batcher, Batcher)
        self.batcher = batcher

    def in_script(self, function: Callable[[], Any]) -> Any:
        self.guarded += 1
        return function()

    def score_one(self, request: Request) -> Response:
        self.alone.append(request)
        try:
            call = self.script.call(request)
        except InputError as error:
            return scoring.input_refused(error, self.config.front_end)
        return scoring.score(
            call.make, self.config.front_end, call.client_error, self.config.scoring_timeout_ms
        )

    def __call__(self, *requests: Request) -> list[Response]:
        """The answers, and afterwards only the calls that they took."""
        self.got.clear()
        self.alone.clear()
        return self.batcher(list(requests))

    def prove(self, *requests: Request) -> "Script":
        """Let it find out that batches are safe."""
        self(*requests)
        self(*requests)
        assert len(self.got) == 1, "still compares"
        return self


def body(answer: Response) -> Any:
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)


def statuses(answers: list[Response]) -> list[int]:
    return [answer.status for answer in answers]


def sums(raw_data: str) -> list[float]:
    return [float(total) for total in np.array(json.loads(raw_data)["data"]).sum(axis=1)]


def merged(run: Callable[[Any], Any] = sums, **options: Any) -> Script:
    return Script(run, **options).prove(data([1.5, 2]), data([3.5, 4], [5.5, 6]))
