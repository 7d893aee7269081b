"""The same model under the array contract: the server parses, and gives several requests' rows at once."""

import models  # type: ignore[import-not-found]

model: models.Model


def init() -> None:
    global model
    model = models.load()


def run(data: models.Array) -> models.Array:
    return model(data)
