"""TensorFlow 1 for old scripts: `import tensorflow as tf` gives them TensorFlow 2's version 1 API.

By default, that depends on whether the script uses names that only TensorFlow 1 has; a setting can override
it.
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
from gpu_inference_script.stand_ins.tf1_detection import find_version_1_use, has_version_2

_CONTRIB = (
    "tf.contrib was removed in TensorFlow 2 and there is no replacement: rewrite the script without it,"
    " or serve it from an image with TensorFlow 1."
)
_LAYERS = (
    "tf.layers needs Keras 2, which TensorFlow 2.16 and later do not include: add the package tf-keras to the"
    " image, or use tf.keras.layers."
)


log = logging.getLogger("gpu_inference")


class TensorFlowMissingError(Exception):
    """The setting asks for TensorFlow's version 1 API, but TensorFlow is not installed."""


def enable_where_needed(config: Config) -> None:
    """Turn on the version 1 API if the setting says so, or by default if the script needs it.

    Raises:
        TensorFlowMissingError: the setting asks for it, but TensorFlow cannot be imported.
    """
    if config.tensorflow_v1 == "true":
        log.info("Stand-in: tensorflow is tensorflow.compat.v1 (GPU_INFERENCE_TENSORFLOW_V1)")
        use_tensorflow_v1()
    elif config.tensorflow_v1 == "auto" and config.entry_script is not None and has_version_2():
        found = find_version_1_use(Path(config.app_root), config.entry_script, config.source_directory)
        if found is None:
            return
        log.info(
            "Stand-in: tensorflow is tensorflow.compat.v1, since %s uses TensorFlow 1's API"
            " (GPU_INFERENCE_TENSORFLOW_V1=false turns that off)",
            found,
        )
        # If TensorFlow cannot be imported, the script's own import reports why.
        with contextlib.suppress(TensorFlowMissingError):
            use_tensorflow_v1()


def use_tensorflow_v1() -> None:
    """Alias `tensorflow` to `tensorflow.compat.v1`, and turn TensorFlow 2's behaviour off, for later imports.

    Both are needed: with the alias alone, execution stays eager, and `placeholder` and `import_meta_graph`
    fail. Parts of TensorFlow 1 that this API lacks raise an ImportError that says so.

    Raises:
        TensorFlowMissingError: TensorFlow cannot be imported.
    """
    try:
        v1 = importlib.import_module("tensorflow.compat.v1")
    except ModuleNotFoundError as error:
        raise TensorFlowMissingError(
            "GPU_INFERENCE_TENSORFLOW_V1 is true but TensorFlow cannot be imported "
            f"({error}): build the image with FRAMEWORK=tensorflow-cpu or tensorflow-gpu."
        ) from error
    v1.disable_v2_behavior()
    # Lets `from tensorflow.keras import …` find the modules beside the version 1 API.
    v1.__path__.extend(sys.modules["tensorflow"].__path__)
    sys.modules["tensorflow"] = v1
    removed = {"contrib": _CONTRIB}
    if importlib.util.find_spec("tf_keras") is None:
        removed["layers"] = _LAYERS
    for name, why in removed.items():
        setattr(v1, name, _RemovedModule(f"tensorflow.{name}", why))
    sys.meta_path.insert(
        0, _RemovedModuleFinder({f"tensorflow.{name}": why for name, why in removed.items()})
    )


class _RemovedModule(ModuleType):
    """A part of TensorFlow 1 that no longer exists."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name)
        self.__why = why

    def __getattr__(self, name: str) -> Any:
        # Python itself looks up such attributes.
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError(self.__why)


class _RemovedModuleFinder(MetaPathFinder):
    def __init__(self, removed: "Dict[str, str]") -> None:
        self._gone = removed

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
