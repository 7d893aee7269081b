"""TensorFlow 1 for scripts of its time: `import tensorflow as tf` gives them the TF1 API of TensorFlow 2."""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_CONTRIB = (
    "tf.contrib was removed in TensorFlow 2 and nothing can stand in for it: rewrite the script without it,"
    " or serve it from an image with TensorFlow 1."
)
_LAYERS = (
    "tf.layers needs Keras 2, which TensorFlow 2.16 and later do not bring: add the package tf-keras to the"
    " image, or use tf.keras.layers."
)


class TensorFlowMissingError(Exception):
    """The setting asks for TensorFlow's version 1 API where TensorFlow is not installed."""


def use_tensorflow_v1() -> None:
    """Make `tensorflow` mean `tensorflow.compat.v1`, with TF2's behaviour off, for all imports that follow.

    Both are needed: under the alias alone execution stays eager, and `placeholder` and
    `import_meta_graph` fail. What that API lacks fails with a sentence, as an ImportError.

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
    # So that `from tensorflow.keras import …` finds what lies beside the version 1 API.
    v1.__path__.extend(sys.modules["tensorflow"].__path__)
    sys.modules["tensorflow"] = v1
    gone = {"contrib": _CONTRIB}
    if importlib.util.find_spec("tf_keras") is None:
        gone["layers"] = _LAYERS
    for name, why in gone.items():
        setattr(v1, name, _Gone(f"tensorflow.{name}", why))
    sys.meta_path.insert(0, _GoneFinder({f"tensorflow.{name}": why for name, why in gone.items()}))


class _Gone(ModuleType):
    """A part of TensorFlow 1 that does not exist any more."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name)
        self.__why = why

    def __getattr__(self, name: str) -> Any:
        # Python itself asks modules for these.
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError(self.__why)


class _GoneFinder(MetaPathFinder):
    def __init__(self, gone: dict[str, str]) -> None:
        self._gone = gone

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  (the protocol's arguments)
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if why := self._gone.get(fullname):
            raise ImportError(why)
        return None
