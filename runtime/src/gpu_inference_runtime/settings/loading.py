"""Loads the settings. Precedence: command line, environment variables, config.json, defaults."""

import argparse
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NoReturn

from gpu_inference_runtime.settings.checks import validation_errors, validation_warnings
from gpu_inference_runtime.settings.definition import Settings, SettingsError
from gpu_inference_runtime.settings.sources import SOURCES, Place, Source
from gpu_inference_runtime.settings.values import ToleratedError


def load_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Return the settings, each from the first place that has it. An empty variable counts as absent.

    Relative paths start at the app root (AML_APP_ROOT, else the working directory); those on the command
    line start at the working directory. A bad value that v1's server started with is no error: it is
    reported in `Settings.warnings`.

    Args:
        arguments: the command line, without the program's name.
        environment: the environment variables.

    Raises:
        SettingsError: a value is invalid, or two settings contradict each other.

    Example:
        >>> load_settings(["--port", "8080"], {"SERVICE_NAME": "mnist"}).port
        8080
    """
    try:
        flags = _parse_flags(arguments)
    except _FlagError as error:
        raise SettingsError(str(error)) from None
    # As in v1: an instrumentation key on the command line turns telemetry on.
    if "appinsights_instrumentation_key" in flags:
        environment = {**environment, "AML_APP_INSIGHTS_ENABLED": "true"}
    # A person who types a flag means their own working directory; variables belong to the app root.
    for name in {"model_dir", "config_file"} & flags.keys():
        flags[name] = os.path.normpath(Path.cwd() / flags[name])
    # Named files and folders that do not exist: what is wrong, and what is used instead.
    absent: list[tuple[str, str]] = []
    named_root = environment.get("AML_APP_ROOT")
    app_root = _app_root(named_root, absent)
    config_file, config = _config(flags, environment, app_root, absent)
    if not named_root and config.get("AML_APP_ROOT"):
        named_root = config["AML_APP_ROOT"]
        app_root = _app_root(named_root, absent)
    if "entry_script" in flags:
        flags["entry_script"] = _resolve_script(flags["entry_script"], app_root)

    values: dict[str, Any] = {}
    warnings: list[str] = []
    for source in SOURCES:
        _read_setting(source, flags, environment, config, values, warnings)
        if isinstance(value := values.get(source.field), Path):
            values[source.field] = app_root / value
    if "script_python" in values:
        values["script_python"] = str(values["script_python"])
    # v1's oldest images have their script at main.py, and no variable for it.
    names_location = (
        (named_root and Path(named_root).is_dir()) or _named_config(flags, environment) or config_file
    )
    if "entry_script" not in values and names_location and (app_root / "main.py").is_file():
        values["entry_script"] = "main.py"
    for sentence, instead in absent:
        # Someone who names a folder or file has a script there: the built-in one must not run in its place.
        if "entry_script" not in values:
            raise SettingsError(f"{sentence}.")
        warnings.append(f"{sentence}: {instead}.")
    settings = Settings(
        **values,
        app_root=app_root,
        config_file=config_file,
        health_port_was_given="health_port" in values,
    )
    for sentence in validation_errors(settings):
        raise SettingsError(sentence)
    return replace(settings, warnings=(*warnings, *validation_warnings(settings)))


def without_credentials(text: str) -> str:
    """Return the text without the user and password of URLs in it."""
    return re.sub(r"(?<=://)[^/@\s]*@", "…@", text)


def _read_setting(
    source: Source,
    flags: Mapping[str, str],
    environment: Mapping[str, str],
    config: Mapping[str, str],
    values: dict[str, Any],
    warnings: list[str],
) -> None:
    """Add a setting's value to `values` if it has one, and complaints about it to `warnings`."""
    complaints = []
    for place, name, text in _candidates(source, flags, environment, config):
        try:
            values[source.field] = source.parse(text)
            break
        except ValueError as error:
            complaint = f"{name} is {without_credentials(text)!r} but {error}"
            tolerated = isinstance(error, ToleratedError)
            if not tolerated and place not in source.v1_ignored:
                raise SettingsError(f"{complaint}.") from None
            complaints.append(complaint)
            if tolerated:
                break
    for complaint in complaints:
        defaults = {each.name: each.default for each in fields(Settings)}
        used = values.get(source.field, defaults[source.field])
        shown = str(used).lower() if isinstance(used, bool) else used
        warnings.append(f"{complaint}: {'it is ignored' if used is None else f'{shown} is used instead'}.")


def _candidates(
    source: Source, flags: Mapping[str, str], environment: Mapping[str, str], config: Mapping[str, str]
) -> Iterator[tuple[Place, str, str]]:
    """Yield place, name and text wherever the setting is given; the highest precedence comes first."""
    if source.flag and source.flag in flags:
        yield "flag", f"--{source.flag}", flags[source.flag]
    if environment.get(source.variable):
        yield "variable", source.variable, environment[source.variable]
    if source.variable in config:
        yield "file", f"{source.variable} in the configuration file", config[source.variable]


def _app_root(named: str | None, absent: list[tuple[str, str]]) -> Path:
    root = Path(named or Path.cwd()).absolute()
    if os.path.lexists(root):
        return root
    # v1's server started anyway, and found a script that a flag named.
    sentence = f"AML_APP_ROOT is {os.fspath(root)!r}, which is not a folder"
    absent.append((sentence, f"the working directory, {Path.cwd()}, is used instead"))
    return Path.cwd()


def _resolve_script(text: str, app_root: Path) -> str:
    """Return the script's path: below the working directory, else below the app root if it exists there."""
    here, there = (os.path.normpath(folder / text) for folder in (Path.cwd(), app_root))
    return there if Path(there).is_file() and not Path(here).is_file() else here


def _named_config(flags: Mapping[str, str], environment: Mapping[str, str]) -> str | None:
    return flags.get("config_file") or environment.get("AZUREML_CONFIG_FILE")


def _config(
    flags: Mapping[str, str], environment: Mapping[str, str], app_root: Path, absent: list[tuple[str, str]]
) -> tuple[Path | None, dict[str, str]]:
    """Return the configuration file, None if there is none, and its entries."""
    path = None
    if explicit := _named_config(flags, environment):
        path = app_root / explicit
        if not path.exists() or not path.stat().st_size:
            what = "is empty" if path.exists() else "does not exist"
            absent.append((f"The configuration file {path} {what}", "the server goes on without it"))
            path = None
    if path is None:
        script = environment.get("AZUREML_ENTRY_SCRIPT")
        if "entry_script" in flags:
            script = _resolve_script(flags["entry_script"], app_root)
        path = _find_config(app_root, (app_root / script).parent if script else None)
    if path is None:
        return None, {}
    try:
        return path, _read_config(path)
    except ValueError as error:
        raise SettingsError(str(error)) from None


class _FlagError(Exception):
    """The command line is invalid; the text is one sentence."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _FlagError(f"{message[:1].upper()}{message[1:]}; --help lists the flags.")


def _parse_flags(arguments: Sequence[str]) -> dict[str, str]:
    """Return the text of each flag on the command line, by the flag's name.

    Raises:
        _FlagError: a flag is unknown, or has no value.
    """
    given = vars(_parser().parse_args(arguments))
    return {name: text for name, text in given.items() if isinstance(text, str)}


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gpu-inference-server",
        description="Serve an Azure ML v1 entry script (init() and run()) over HTTP.",
        epilog="Each flag has an environment variable; most settings only have a variable: docs/settings.md.",
    )
    for source in SOURCES:
        if source.flag:
            parser.add_argument(f"--{source.flag}", help=source.help)
    parser.add_argument(
        "--config_file", help="JSON file with settings, by environment variable (config.json)"
    )
    # v1's server accepted it without listing it in --help; here it has no effect.
    parser.add_argument("--rest", action="store_true", help=argparse.SUPPRESS)
    return parser


def _find_config(app_root: Path, script_folder: Path | None) -> Path | None:
    """Return the default configuration file: in the app root, else beside the entry script."""
    folders = [folder for folder in (app_root, script_folder) if folder is not None]
    candidates = (folder / "config.json" for folder in folders)
    # An empty file counts as absent, as in v1.
    return next((found for found in candidates if found.is_file() and found.stat().st_size), None)


def _read_config(path: Path) -> dict[str, str]:
    """Return the file's entries as text, like environment variables.

    Raises:
        ValueError: the file does not hold a JSON object; the text is a sentence.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"The configuration file {path} cannot be read as JSON: {error}.") from None
    if not isinstance(content, dict):
        raise ValueError(f"The configuration file {path} must hold a JSON object.")
    # A config.json beside the script may belong to the model: unknown entries are not an error.
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in content.items()
        if value is not None
    }
