"""The same model under a schema, as later scripts of v1 have it: the server knows type and shape."""

import models  # type: ignore[import-not-found]
import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.schema_decorators import input_schema

model: models.Model


def init() -> None:
    global model
    model = models.load()


@input_schema("data", NumpyParameterType(np.zeros((1, models.LAYERS[0]), np.float32)))  # type: ignore[untyped-decorator]
def run(data: models.Array) -> list[int]:
    result: list[int] = model(data).tolist()
    return result
