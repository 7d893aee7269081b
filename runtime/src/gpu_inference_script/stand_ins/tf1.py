"""TensorFlow 1 for scripts of its time: `import tensorflow as tf` gives them the TF1 API of TensorFlow 2.

Unless a setting says otherwise, that depends on whether the script uses names that only TensorFlow 1 has.
"""

import contextlib
import importlib
import importlib.util
import logging
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Optional, Sequence

from gpu_inference_script.config import Config
from gpu_inference_script.stand_ins.tf1_detection import has_version_2, used_of_version_1

_CONTRIB = (
    "tf.contrib was removed in TensorFlow 2 and nothing can stand in for it: rewrite the script without it,"
    " or serve it from an image with TensorFlow 1."
)
_LAYERS = (
    "tf.layers needs Keras 2, which TensorFlow 2.16 and later do not bring: add the package tf-keras to the"
    " image, or use tf.keras.layers."
)


log = logging.getLogger("gpu_inference")


class TensorFlowMissingError(Exception):
    """The setting asks for TensorFlow's version 1 API where TensorFlow is not installed."""


def use_where_wanted(config: Config) -> None:
    """Turn the API of version 1 on where the setting says so or, without one, where the script needs it.

    Raises:
        TensorFlowMissingError: the setting asks for it and there is no TensorFlow to import.
    """
    if config.tensorflow_v1 == "true":
        log.info("Stand-in: tensorflow is tensorflow.compat.v1 (GPU_INFERENCE_TENSORFLOW_V1)")
        use_tensorflow_v1()
    elif config.tensorflow_v1 == "auto" and config.entry_script is not None and has_version_2():
        found = used_of_version_1(Path(config.app_root), config.entry_script, config.source_directory)
        if found is None:
            return
        log.info(
            "Stand-in: tensorflow is tensorflow.compat.v1, since %s uses TensorFlow 1's API"
            " (GPU_INFERENCE_TENSORFLOW_V1=false turns that off)",
            found,
        )
        # Where that cannot be imported, the script's own import says why.
        with contextlib.suppress(TensorFlowMissingError):
            use_tensorflow_v1()


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
    def __init__(self, gone: "Dict[str, str]") -> None:
        self._gone = gone

    def find_spec(
        self,
        fullname: str,
        path: "Optional[Sequence[Any]]",  # noqa: ARG002  (the protocol's arguments)
        target: "Optional[ModuleType]" = None,  # noqa: ARG002
    ) -> "Optional[ModuleSpec]":
        why = self._gone.get(fullname)
        if why:
            raise ImportError(why)
        return None
