"""Validates the user's entry script before an image is built, so that errors show up now and not in the pod.

The script is not executed, because its imports exist only in the image. A script that may define the required
functions dynamically is accepted.
"""

import ast
import symtable
from pathlib import Path

from gpu_inference.errors import GpuInferenceError

_REQUIRED = ("init", "run")
# A script that uses one of these may define names dynamically.
_DYNAMIC_DEFINITION = ("exec", "globals", "setattr", "vars", "locals")


def require_entry_script(source_directory: Path, entry_script: str) -> None:
    """Raise GpuInferenceError unless the file is a valid entry script.

    Args:
        source_directory: the user's source folder.
        entry_script: the script's path relative to that folder.

    Raises:
        GpuInferenceError: it is not a .py file in the folder, has a syntax error, or does not define `init`
            and `run` at its top level.
    """
    path = source_directory / entry_script
    if not source_directory.is_dir():
        raise GpuInferenceError(f"The source folder {source_directory} does not exist.")
    if not path.resolve().is_relative_to(source_directory.resolve()):
        raise GpuInferenceError(
            f"The entry script {entry_script} is outside the source folder {source_directory}.",
            "Give its path relative to the source folder.",
        )
    if not path.is_file():
        raise GpuInferenceError(f"The entry script {entry_script} does not exist in {source_directory}.")
    if path.suffix != ".py":
        raise GpuInferenceError(f"The entry script {path} must be a Python file (.py).")
    source = path.read_bytes()
    tree = _parse(source, path)
    missing = [name for name in _REQUIRED if not _may_define(name, source, tree)]
    if missing:
        raise GpuInferenceError(
            f"The entry script {path} defines no {' and no '.join(f'{name}()' for name in missing)}.",
            "Define init(), which is called once at the start, and run(data), which is called per request.",
        )


def _parse(source: bytes, path: Path) -> ast.Module:
    try:
        return ast.parse(source, str(path))
    except SyntaxError as error:
        where = f", line {error.lineno}" if error.lineno else ""
        text = f": {error.text.strip()}" if error.text else ""
        raise GpuInferenceError(
            f"The entry script {path} has a syntax error{where} ({error.msg}){text}."
        ) from error
    except ValueError as error:
        # Python 3.11 raises ValueError for null bytes; later versions raise SyntaxError.
        raise GpuInferenceError(f"The entry script {path} is not Python ({error}).") from error


def _may_define(name: str, source: bytes, tree: ast.Module) -> bool:
    top = symtable.symtable(source, "entry script", "exec")  # type: ignore[arg-type]  # bytes keep its encoding line
    if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.walk(tree)) or any(
        _uses(top, function) for function in _DYNAMIC_DEFINITION
    ):
        return True
    return _binds(top, name) or any(_binds_globally(child, name) for child in top.get_children())


def _binds(table: symtable.SymbolTable, name: str) -> bool:
    if name not in table.get_identifiers():
        return False
    symbol = table.lookup(name)
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def _binds_globally(table: symtable.SymbolTable, name: str) -> bool:
    here = name in table.get_identifiers() and table.lookup(name).is_declared_global() and _binds(table, name)
    return here or any(_binds_globally(child, name) for child in table.get_children())


def _uses(table: symtable.SymbolTable, name: str) -> bool:
    here = name in table.get_identifiers() and table.lookup(name).is_referenced()
    return here or any(_uses(child, name) for child in table.get_children())
