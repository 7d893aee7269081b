"""TensorFlow 1 for scripts of its time: `import tensorflow as tf` gives them the TF1 API of TensorFlow 2."""

import importlib
import sys


class TensorFlowMissingError(Exception):
    """The setting asks for TensorFlow's version 1 API where TensorFlow is not installed."""


def use_tensorflow_v1() -> None:
    """Make `tensorflow` mean `tensorflow.compat.v1`, with TF2's behaviour off, for all imports that follow.

    Both are needed: under the alias alone execution stays eager, and `placeholder` and
    `import_meta_graph` fail.

    Raises:
        TensorFlowMissingError: there is no TensorFlow to import.
    """
    try:
        v1 = importlib.import_module("tensorflow.compat.v1")
    except ModuleNotFoundError as error:
        raise TensorFlowMissingError(
            "GPU_INFERENCE_TENSORFLOW_V1 is true but TensorFlow cannot be imported "
            f"({error}): build the image with FRAMEWORK=tensorflow-cpu or tensorflow-gpu."
        ) from error
    v1.disable_v2_behavior()
    sys.modules["tensorflow"] = v1
