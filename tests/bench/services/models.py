"""The models that every server of the benchmark answers with: same weights, same arithmetic, same cost.

Runs in each server's own environment, so it needs numpy alone (and TensorFlow for the model of that name).
"""

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LAYERS = (784, 300, 100, 10)
# What a call of a small network costs on a GPU: once, and for each row.
CALL_SECONDS = 0.002
ROW_SECONDS = 0.000005
# A library function that is called without giving up Python's lock, as some extensions do.
_HOLDING_THE_LOCK = ctypes.PyDLL(None)

Array = Any
Model = Callable[[Array], Array]
"""Takes float32 rows of 784 numbers and returns the class of each."""


def load(name: str | None = None) -> Model:
    """Return the model of a name, by default the one that the environment's `BENCH_MODEL` names."""
    makers: dict[str, Callable[[], Model]] = {
        "numpy": _numpy_net,
        "tensorflow": _tensorflow_net,
        "gpu": lambda: _stand_in(time.sleep),
        "gil": lambda: _stand_in(_sleep_with_the_lock),
    }
    return makers[name or os.environ["BENCH_MODEL"]]()


def weights() -> list[tuple[Array, Array]]:
    """Return matrix and bias of each layer of the article's network, from the model's folder."""
    with np.load(Path(os.environ["AZUREML_MODEL_DIR"]) / "weights.npz") as stored:
        return [(stored[f"w{layer}"], stored[f"b{layer}"]) for layer in range(len(LAYERS) - 1)]


def _numpy_net() -> Model:
    layers = weights()

    def model(rows: Array) -> Array:
        for matrix, bias in layers[:-1]:
            rows = np.maximum(rows @ matrix + bias, 0)
        matrix, bias = layers[-1]
        return np.argmax(rows @ matrix + bias, axis=1)

    return model


def _tensorflow_net() -> Model:
    import tensorflow as tf

    layers = [(tf.constant(matrix), tf.constant(bias)) for matrix, bias in weights()]

    @tf.function(input_signature=[tf.TensorSpec([None, LAYERS[0]], tf.float32)])  # type: ignore[untyped-decorator]
    def network(rows: Array) -> Array:
        for matrix, bias in layers[:-1]:
            rows = tf.nn.relu(tf.matmul(rows, matrix) + bias)
        matrix, bias = layers[-1]
        return tf.matmul(rows, matrix) + bias

    return lambda rows: np.argmax(network(tf.constant(rows)).numpy(), axis=1)


def _sleep_with_the_lock(seconds: float) -> None:
    _HOLDING_THE_LOCK.usleep(int(seconds * 1e6))


def _stand_in(sleep: Callable[[float], object]) -> Model:
    def model(rows: Array) -> Array:
        sleep(CALL_SECONDS + ROW_SECONDS * len(rows))
        return np.argmax(rows[:, :10], axis=1)

    return model
