"""The model under KServe's Python server, protocol v1, as its documentation shows it."""

import os
from typing import Any

import models  # type: ignore[import-not-found]
import numpy as np
from kserve import Model, ModelServer  # type: ignore[import-not-found]


class Net(Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__("net")
        self._model: models.Model | None = None

    def load(self) -> bool:
        self._model = models.load()
        self.ready = True
        return True

    def predict(self, payload: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, list[int]]:  # noqa: ARG002
        assert self._model
        rows = np.array(payload["instances"], dtype=np.float32)
        return {"predictions": self._model(rows).tolist()}


if __name__ == "__main__":
    net = Net()
    net.load()
    ModelServer(http_port=int(os.environ["BENCH_PORT"]), enable_grpc=False, workers=1).start([net])
