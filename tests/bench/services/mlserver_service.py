"""The model under MLServer, as its documentation shows a runtime of one's own."""

import models  # type: ignore[import-not-found]
import numpy as np
from mlserver import MLModel  # type: ignore[import-not-found]
from mlserver.codecs import NumpyCodec  # type: ignore[import-not-found]
from mlserver.types import InferenceRequest, InferenceResponse  # type: ignore[import-not-found]


class Net(MLModel):  # type: ignore[misc]
    async def load(self) -> bool:
        self._model = models.load()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0])
        classes = self._model(rows.astype(np.float32))[:, np.newaxis]
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("classes", classes)])
