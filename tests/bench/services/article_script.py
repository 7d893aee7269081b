"""The entry script of the article that v1's users began with: JSON in, classes out."""

import json

import models  # type: ignore[import-not-found]
import numpy as np

model: models.Model


def init() -> None:
    global model
    model = models.load()


def run(raw_data: str) -> list[int]:
    data = np.array(json.loads(raw_data)["data"], dtype=np.float32)
    result: list[int] = model(data).tolist()
    return result
