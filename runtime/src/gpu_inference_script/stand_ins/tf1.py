"""TensorFlow 1 for scripts of its time: `import tensorflow as tf` gives them the TF1 API of TensorFlow 2.

Unless a setting says otherwise, that depends on whether the script, or a module beside it, uses names that
only TensorFlow 1 has.
"""

import ast
import importlib
import importlib.util
import logging
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set

from gpu_inference_script.config import Config

_CONTRIB = (
    "tf.contrib was removed in TensorFlow 2 and nothing can stand in for it: rewrite the script without it,"
    " or serve it from an image with TensorFlow 1."
)
_LAYERS = (
    "tf.layers needs Keras 2, which TensorFlow 2.16 and later do not bring: add the package tf-keras to the"
    " image, or use tf.keras.layers."
)


# Names that `tensorflow` has had in version 1 alone.
_ONLY_IN_1 = frozenset(
    [
        "AUTO_REUSE",
        "Dimension",
        "ConfigProto",
        "GPUOptions",
        "GraphKeys",
        "GraphDef",
        "InteractiveSession",
        "MetaGraphDef",
        "NodeDef",
        "OptimizerOptions",
        "RunMetadata",
        "RunOptions",
        "Session",
        "SessionLog",
        "Summary",
        "add_check_numerics_ops",
        "add_to_collection",
        "add_to_collections",
        "all_variables",
        "app",
        "arg_max",
        "arg_min",
        "assign",
        "assign_add",
        "assign_sub",
        "colocate_with",
        "contrib",
        "count_nonzero",
        "create_partitioned_variables",
        "decode_csv",
        "decode_raw",
        "depth_to_space",
        "disable_eager_execution",
        "disable_v2_behavior",
        "enable_eager_execution",
        "flags",
        "get_collection",
        "get_collection_ref",
        "get_default_graph",
        "get_default_session",
        "get_local_variable",
        "get_seed",
        "get_session_handle",
        "get_session_tensor",
        "get_variable",
        "get_variable_scope",
        "gfile",
        "global_variables",
        "global_variables_initializer",
        "glorot_normal_initializer",
        "glorot_uniform_initializer",
        "initialize_all_variables",
        "initialize_local_variables",
        "initialize_variables",
        "is_variable_initialized",
        "layers",
        "local_variables",
        "local_variables_initializer",
        "log",
        "logging",
        "manip",
        "matrix_inverse",
        "min_max_variable_partitioner",
        "model_variables",
        "moving_average_variables",
        "multinomial",
        "parse_example",
        "parse_single_example",
        "placeholder",
        "placeholder_with_default",
        "py_func",
        "python_io",
        "random_normal",
        "random_uniform",
        "read_file",
        "report_uninitialized_variables",
        "reset_default_graph",
        "resource_loader",
        "set_random_seed",
        "sparse_placeholder",
        "sparse_to_dense",
        "string_split",
        "tables_initializer",
        "to_double",
        "to_float",
        "to_int32",
        "to_int64",
        "trainable_variables",
        "truncated_normal",
        "truncated_normal_initializer",
        "uniform_unit_scaling_initializer",
        "user_ops",
        "variable_axis_size_partitioner",
        "variable_op_scope",
        "variable_scope",
        "variables_initializer",
        "variance_scaling_initializer",
        "write_file",
    ]
)
# Likewise, of `tensorflow.train` and `tensorflow.saved_model`.
_ONLY_IN_1_BELOW = {
    "train": frozenset(
        [
            "AdadeltaOptimizer",
            "AdagradOptimizer",
            "AdamOptimizer",
            "FtrlOptimizer",
            "GradientDescentOptimizer",
            "MomentumOptimizer",
            "MonitoredSession",
            "MonitoredTrainingSession",
            "NewCheckpointReader",
            "Optimizer",
            "RMSPropOptimizer",
            "Saver",
            "Scaffold",
            "SessionManager",
            "Supervisor",
            "export_meta_graph",
            "get_global_step",
            "get_or_create_global_step",
            "import_meta_graph",
            "latest_meta_graph",
        ]
    ),
    "saved_model": frozenset({"loader", "simple_save", "tag_constants", "signature_constants", "builder"}),
    "nn": frozenset({"rnn_cell", "dynamic_rnn", "static_rnn", "softmax_cross_entropy_with_logits_v2"}),
}

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
    elif config.tensorflow_v1 == "auto" and config.entry_script is not None:
        found = used_of_version_1(Path(config.app_root), config.entry_script, config.source_directory)
        if found is not None and _has_version_2():
            log.info(
                "Stand-in: tensorflow is tensorflow.compat.v1, since %s uses TensorFlow 1's API"
                " (GPU_INFERENCE_TENSORFLOW_V1=false turns that off)",
                found,
            )
            use_tensorflow_v1()


def used_of_version_1(app_root: Path, entry_script: str, source_directory: Optional[str]) -> Optional[str]:
    """Return where the script, or a module beside it, uses a name of TensorFlow 1's; None if nowhere.

    It looks at the text alone. Modules in the source folder count only where something imports them.
    """
    script = app_root / entry_script
    folders = [script.parent, app_root] + ([app_root / source_directory] if source_directory else [])
    waiting = [script]
    seen: "Set[Path]" = set()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        try:
            tree = ast.parse(path.read_bytes(), str(path))
        except (SyntaxError, ValueError):
            # The import of the script says it better.
            continue
        name = _name_of_version_1(tree)
        if name is not None:
            return "{} ({})".format(path.name, name)
        for module in _imported(tree):
            below = Path(*module.split("."))
            waiting += [folder / below.with_suffix(".py") for folder in folders]
            waiting += [folder / below / "__init__.py" for folder in folders]
    return None


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            for alias in node.names:
                yield "{}.{}".format(node.module, alias.name)


def _name_of_version_1(tree: ast.AST) -> Optional[str]:
    """Return a name of TensorFlow 1's that the code uses by `import tensorflow`, as it is written in full."""
    aliases: "Set[str]" = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "tensorflow":
                    aliases.add(alias.asname or "tensorflow")
                elif alias.name.startswith("tensorflow.contrib"):
                    return alias.name
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tensorflow":
            below = (node.module or "").split(".")[1:]
            if below[:1] == ["contrib"]:
                return node.module
            for alias in node.names:
                if _is_of_version_1(below + [alias.name]):
                    return "{}.{}".format(node.module, alias.name)
    for node in ast.walk(tree):
        names = _attributes(node)
        if names and names[0] in aliases and _is_of_version_1(names[1:]):
            return ".".join(["tensorflow"] + names[1:])
    return None


def _attributes(node: ast.AST) -> List[str]:
    """Return `a.b.c` as a list of its names; an empty one for anything else."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id] + names[::-1] if names and isinstance(node, ast.Name) else []


def _is_of_version_1(names: List[str]) -> bool:
    if not names:
        return False
    return names[0] in _ONLY_IN_1 or (len(names) > 1 and names[1] in _ONLY_IN_1_BELOW.get(names[0], ()))


def _has_version_2() -> bool:
    """Whether TensorFlow 2 or later is there, by its folder and `.dist-info`: it is not imported for this."""
    try:
        spec = importlib.util.find_spec("tensorflow")
    except (ImportError, ValueError):
        return False
    if spec is None or not spec.submodule_search_locations:
        return False
    # Version 1.13 and later have it as well, but not with the version 2 API below it.
    places = [Path(place) for place in spec.submodule_search_locations]
    if any((place / "_api" / "v2" / "compat" / "v1").is_dir() for place in places):
        versions = [
            found.name.split("-")[1]
            for place in places
            for found in place.parent.glob("tensorflow*-*.dist-info")
            if found.name.split("-")[0].split("_")[-1] in ("tensorflow", "cpu", "gpu", "intel")
        ]
        return not versions or any(not version.startswith(("0.", "1.")) for version in versions)
    return False


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
