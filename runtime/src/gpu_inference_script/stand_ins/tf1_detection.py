"""Detects whether a script was written for TensorFlow 1, and whether TensorFlow 2 is installed.

It reads files and imports nothing, because the result is needed before the script's first import.
"""

import ast
import importlib.util
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Set, Tuple

# Names that only version 1 of `tensorflow` has.
_ONLY_IN_1 = frozenset(
    [
        "AUTO_REUSE",
        "ConfigProto",
        "Dimension",
        "FixedLenFeature",
        "FixedLenSequenceFeature",
        "GPUOptions",
        "GraphDef",
        "GraphKeys",
        "InteractiveSession",
        "MetaGraphDef",
        "NodeDef",
        "OptimizerOptions",
        "Print",
        "RunMetadata",
        "RunOptions",
        "Session",
        "SessionLog",
        "Summary",
        "VERSION",
        "VarLenFeature",
        "VariableScope",
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
        "disable_resource_variables",
        "disable_v2_behavior",
        "div",
        "enable_eager_execution",
        "enable_resource_variables",
        "enable_v2_behavior",
        "extract_image_patches",
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
        "lin_space",
        "local_variables",
        "local_variables_initializer",
        "log",
        "logging",
        "make_template",
        "manip",
        "matrix_band_part",
        "matrix_inverse",
        "min_max_variable_partitioner",
        "model_variables",
        "moving_average_variables",
        "multinomial",
        "orthogonal_initializer",
        "parse_example",
        "parse_single_example",
        "placeholder",
        "placeholder_with_default",
        "py_func",
        "python_io",
        "random_crop",
        "random_normal",
        "random_shuffle",
        "random_uniform",
        "read_file",
        "reduce_join",
        "report_uninitialized_variables",
        "reset_default_graph",
        "resource_loader",
        "rsqrt",
        "set_random_seed",
        "sparse_placeholder",
        "sparse_tensor_to_dense",
        "sparse_to_dense",
        "string_split",
        "string_to_number",
        "substr",
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
# Likewise, in these parts of `tensorflow`.
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
# TensorFlow 2's version 1 API.
_BELOW_2 = ("compat", "v1")
# A script that supports both versions checks one of these.
_VERSIONS = frozenset({"__version__", "VERSION", "version"})


def find_version_1_use(app_root: Path, entry_script: str, source_directory: Optional[str]) -> Optional[str]:
    """Return where the script, or a user's module that it imports, uses a TensorFlow 1 name; else None.

    Files that check TensorFlow's version do not count.

    Args:
        app_root: the folder that holds the user's source folder.
        entry_script: the script's path, relative to the app root.
        source_directory: the user's source folder, relative to the app root.
    """
    script = app_root / entry_script
    folders = [script.parent, app_root]
    if source_directory:
        folders.append(app_root / source_directory)
    waiting = [script]
    seen: "Set[Path]" = set()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        try:
            tree = ast.parse(path.read_bytes(), str(path))
        except (SyntaxError, ValueError, OSError, RecursionError):
            # The import of the script will report it better.
            continue
        name = _version_1_name(tree)
        if name is not None:
            return f"{path.name} ({name})"
        for module in _imported(tree, path.parent, folders):
            waiting += [module.with_suffix(".py"), module / "__init__.py"]
    return None


def _imported(tree: ast.AST, here: Path, folders: Sequence[Path]) -> Iterator[Path]:
    """Yield the paths, without suffix, where imported modules may be."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from (folder.joinpath(*alias.name.split(".")) for folder in folders)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                # One dot is the module's folder; each further dot is one folder above.
                above = [here, *here.parents]
                bases: "Sequence[Path]" = above[node.level - 1 : node.level]
            else:
                bases = folders
            for base in bases:
                module = base.joinpath(*node.module.split(".")) if node.module else base
                yield module
                yield from (module / alias.name for alias in node.names)


def _version_1_name(tree: ast.AST) -> Optional[str]:
    """Return the full name, such as `tensorflow.Session`, of a TensorFlow 1 name that the code uses."""
    named: "Dict[str, Set[Tuple[str, ...]]]" = {}
    for node in ast.walk(tree):
        for name, path in _bound(node):
            if path[:1] == ("contrib",):
                return ".".join(("tensorflow", *path))
            named.setdefault(name, set()).add(path)
    # Ignore names that are also bound to tensorflow.compat.v1, as in try/except imports.
    places = {name: min(paths) for name, paths in named.items() if _BELOW_2 not in paths}
    used = [
        path
        for node in ast.walk(tree)
        for path in [_path(node, places)] + [path for name, path in _bound(node) if name in places]
        if _is_version_1_path(path)
    ]
    if not used or any(_checks_version(node, places) for node in ast.walk(tree)):
        return None
    return ".".join(("tensorflow", *used[0]))


def _bound(node: ast.AST) -> "Iterator[Tuple[str, Tuple[str, ...]]]":
    """Yield each name that a statement binds to a part of TensorFlow, and the path of that part."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top, *below = alias.name.split(".")
            if top == "tensorflow":
                yield (alias.asname, tuple(below)) if alias.asname else (top, ())
                if below[:1] == ["contrib"]:
                    yield top, tuple(below)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        top, *below = node.module.split(".")
        if top == "tensorflow":
            for alias in node.names:
                yield alias.asname or alias.name, (*below, alias.name)
    elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        # tf = tf.compat.v1
        names = _attributes(node.value)
        if tuple(names[1:]) == _BELOW_2:
            yield node.targets[0].id, _BELOW_2


def _attributes(node: ast.AST) -> "List[str]":
    """Return the names of `a.b.c` as a list; an empty list for any other node."""
    names: "List[str]" = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if names and isinstance(node, ast.Name) else []


def _path(node: ast.AST, places: "Dict[str, Tuple[str, ...]]") -> "Tuple[str, ...]":
    """Return the path below `tensorflow` that a node refers to; empty for any other node."""
    names = _attributes(node)
    return (*places[names[0]], *names[1:]) if names and names[0] in places else ()


def _is_version_1_path(path: "Tuple[str, ...]") -> bool:
    if not path:
        return False
    return path[0] in _ONLY_IN_1 or (len(path) > 1 and path[1] in _ONLY_IN_1_BELOW.get(path[0], ()))


def _checks_version(node: ast.AST, places: "Dict[str, Tuple[str, ...]]") -> bool:
    """Return whether a node is a condition on TensorFlow's version, or on an attribute of TensorFlow."""
    if not isinstance(node, (ast.If, ast.IfExp)):
        return False
    for each in ast.walk(node.test):
        if _path(each, places)[:1] and _path(each, places)[0] in _VERSIONS:
            return True
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "hasattr":
            asked = each.args[0] if each.args else None
            if isinstance(asked, ast.Name) and asked.id in places:
                return True
    return False


def has_version_2() -> bool:
    """Return whether TensorFlow 2 or later is installed."""
    try:
        spec = importlib.util.find_spec("tensorflow")
    except (ImportError, ValueError):
        return False
    if spec is None or not spec.submodule_search_locations:
        return False
    places = [Path(place) for place in spec.submodule_search_locations]
    versions = [
        found.name.split("-")[1]
        for place in places
        for found in place.parent.glob("tensorflow*-*.dist-info")
        if found.name.split("-")[0].split("_")[-1] in ("tensorflow", "cpu", "gpu", "intel")
    ]
    if versions:
        return any(not version.startswith(("0.", "1.")) for version in versions)
    # Installed under another name, or without pip.
    return any((place / "_api" / "v2" / "compat" / "v1").is_dir() for place in places)
