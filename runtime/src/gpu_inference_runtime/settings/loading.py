"""Finds the settings: command line over environment over config.json over default, and the app root first."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from gpu_inference_runtime.settings.checks import contradictions, oddities
from gpu_inference_runtime.settings.config_file import find_config, read_config
from gpu_inference_runtime.settings.flags import FlagError, parse_flags
from gpu_inference_runtime.settings.settings import Settings, SettingsError
from gpu_inference_runtime.settings.sources import SOURCES, Place, Source
from gpu_inference_runtime.settings.values import ToleratedError


def load_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Return the settings, each from the first place that has it; an empty variable counts as absent.

    The app root (AML_APP_ROOT, else the working directory) is where relative paths begin, but for those of
    the command line, which begin in the working directory. What v1's server started with does not end this
    start either: it is told in `Settings.warnings`.

    Raises:
        SettingsError: a value is not what its setting takes, or two settings contradict each other.
    """
    try:
        flags = parse_flags(arguments)
    except FlagError as error:
        raise SettingsError(str(error)) from None
    # As in v1: who names an instrumentation key on the command line wants telemetry.
    if "appinsights_instrumentation_key" in flags:
        environment = {**environment, "AML_APP_INSIGHTS_ENABLED": "true"}
    # Flags are a person's, who means the folder that they are in; variables belong to the app root.
    for name in {"model_dir", "config_file"} & flags.keys():
        flags[name] = os.path.normpath(Path.cwd() / flags[name])
    # What is absent: a sentence without its end, and what happens instead.
    absent: list[tuple[str, str]] = []
    named_root = environment.get("AML_APP_ROOT")
    app_root = _app_root(named_root, absent)
    config_file, config = _config(flags, environment, app_root, absent)
    if not named_root and config.get("AML_APP_ROOT"):
        named_root = config["AML_APP_ROOT"]
        app_root = _app_root(named_root, absent)
    if "entry_script" in flags:
        flags["entry_script"] = _script_of_flag(flags["entry_script"], app_root)

    values: dict[str, Any] = {}
    warnings: list[str] = []
    for source in SOURCES:
        _read(source, flags, environment, config, values, warnings)
        if isinstance(value := values.get(source.field), Path):
            values[source.field] = app_root / value
    if "script_python" in values:
        values["script_python"] = str(values["script_python"])
    # v1's oldest images have their script there, and no variable for it.
    says_where = (
        (named_root and Path(named_root).is_dir()) or _named_config(flags, environment) or config_file
    )
    if "entry_script" not in values and says_where and (app_root / "main.py").is_file():
        values["entry_script"] = "main.py"
    for sentence, instead in absent:
        # Whoever named a folder or a file has a script there: the built-in one must not answer in its place.
        if "entry_script" not in values:
            raise SettingsError(f"{sentence}.")
        warnings.append(f"{sentence}: {instead}.")
    settings = Settings(
        **values,
        app_root=app_root,
        config_file=config_file,
        health_port_was_given="health_port" in values,
    )
    for sentence in contradictions(settings):
        raise SettingsError(sentence)
    return replace(settings, warnings=(*warnings, *oddities(settings)))


def without_credentials(text: str) -> str:
    """Return text with the user and password of a URL in it left out."""
    return re.sub(r"(?<=://)[^/@\s]*@", "…@", text)


def _read(
    source: Source,
    flags: Mapping[str, str],
    environment: Mapping[str, str],
    config: Mapping[str, str],
    values: dict[str, Any],
    warnings: list[str],
) -> None:
    """Put a setting's value into `values`, where it has one, and what is said about it into `warnings`."""
    complaints = []
    for place, name, text in _given(source, flags, environment, config):
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


def _given(
    source: Source, flags: Mapping[str, str], environment: Mapping[str, str], config: Mapping[str, str]
) -> Iterator[tuple[Place, str, str]]:
    """Yield each place that has the setting, the first in rank first, with what it is called there."""
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
    # v1's server only looked there for what may be there, and found a script that a flag named all the same.
    sentence = f"AML_APP_ROOT is {os.fspath(root)!r}, which is not a folder"
    absent.append((sentence, f"the working directory, {Path.cwd()}, is used instead"))
    return Path.cwd()


def _script_of_flag(text: str, app_root: Path) -> str:
    """Return the path of the script: in the working directory, else where the app root has it."""
    here, there = (os.path.normpath(folder / text) for folder in (Path.cwd(), app_root))
    return there if Path(there).is_file() and not Path(here).is_file() else here


def _named_config(flags: Mapping[str, str], environment: Mapping[str, str]) -> str | None:
    return flags.get("config_file") or environment.get("AZUREML_CONFIG_FILE")


def _config(
    flags: Mapping[str, str], environment: Mapping[str, str], app_root: Path, absent: list[tuple[str, str]]
) -> tuple[Path | None, dict[str, str]]:
    """Return the configuration file, where there is one, and its entries."""
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
            script = _script_of_flag(flags["entry_script"], app_root)
        path = find_config(app_root, (app_root / script).parent if script else None)
    if path is None:
        return None, {}
    try:
        return path, read_config(path)
    except ValueError as error:
        raise SettingsError(str(error)) from None
