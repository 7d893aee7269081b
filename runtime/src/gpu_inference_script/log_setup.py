"""Sets up logging: scripts cannot silence the server's loggers, and configure their own as in v1.

v1's root logger had no handler, so that `logging.basicConfig` and `dictConfig` worked in scripts. The same
holds here: the server's loggers have a handler of their own, and it is also logging's handler of last resort,
for lines that have no other handler. So no line appears twice.
"""

import functools
import io
import json
import logging
import logging.config
import sys
from pathlib import Path
from typing import Any, Optional

from gpu_inference_script.log_formats import JsonFormatter, TextFormatter, stamp_records

_V1 = "azmlinfsrv"
_OURS = (_V1, "azmlinfsrv.print", "gpu_inference", "gpu_inference_runtime", "gunicorn", "gunicorn.error")
# Those that do not propagate their lines.
_TOPS = tuple(name for name in _OURS if "." not in name)

# Names from v1's package in a logging.json that was written for v1's server.
_V1_PACKAGE = "azureml_inference_server_http.log_config"
_V1_CLASSES = {
    "gpu_inference_runtime.observability.log_formats": "gpu_inference_script.log_formats",
    f"{_V1_PACKAGE}.AMLLogFormatter": "gpu_inference_script.log_formats.TextFormatter",
    # It filtered out health checks, which are never logged here.
    f"{_V1_PACKAGE}.RootAccessFilter": "logging.Filter",
}


_plain_handler: "Optional[logging.Handler]" = None


def writes_plain_lines(logger: logging.Logger) -> bool:
    """Return whether a logger writes v1's lines to standard output, with its configuration unchanged."""
    return (
        _plain_handler is not None
        and logger.handlers == [_plain_handler]
        and not (logger.filters or _plain_handler.filters)
        and logger.isEnabledFor(logging.INFO)
    )


class LoggingConfigurationError(ValueError):
    """The user's logging.json cannot be used; the text is one sentence."""


def configure_logging(log_format: str, log_level: str, app_root: str, entry_script: "Optional[str]") -> None:
    """Log to standard output, or as the user's logging.json says.

    Args:
        log_format: `text` or `json`.
        log_level: name of a logging level.
        app_root: the app root, where a logging.json may be.
        entry_script: the entry script, which may have a logging.json beside it.

    Raises:
        LoggingConfigurationError: the logging.json cannot be used.
    """
    # Python 3.6 lacks `reconfigure`.
    if isinstance(sys.stdout, io.TextIOWrapper) and hasattr(sys.stdout, "reconfigure"):
        # A character that the stream cannot encode must not lose the line.
        sys.stdout.reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    stamp_records()
    for name in _OURS:
        logging.getLogger(name).__class__ = _OurLogger
    for name in _TOPS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(log_level)
        logger.propagate = False
    logging.root.handlers[:] = []
    logging.root.setLevel(log_level)
    # docs/decisions.md 70
    logging.lastResort = handler
    logging.basicConfig = _basic_config
    path = _logging_json(Path(app_root), entry_script)
    global _plain_handler
    _plain_handler = handler if log_format == "text" and path is None else None
    if path is not None:
        _replace_with(path)


class _OurLogger(logging.Logger):
    """A logger that scripts cannot turn off with `dictConfig`, `fileConfig` or `logging.disable`."""

    @property
    def disabled(self) -> bool:
        return False

    @disabled.setter
    def disabled(self, value: bool) -> None:
        """Stay enabled."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  (the base class's name)
        return level >= self.getEffectiveLevel()


_original_basic_config = logging.basicConfig


@functools.wraps(_original_basic_config)
def _basic_config(**options: Any) -> None:
    # logging.info() and others call this without options. Neither they nor a level alone should replace the
    # server's format, which has the request's id.
    if logging.root.handlers or options.keys() - {"level"}:
        _original_basic_config(**options)
    elif options.get("level") is not None:
        logging.root.setLevel(options["level"])


def _logging_json(app_root: Path, entry_script: "Optional[str]") -> "Optional[Path]":
    """Return the user's logging.json, in the app root or else beside the entry script; None without one."""
    folders = [app_root]
    if entry_script:
        folders.append((app_root / entry_script).parent)
    paths = [folder / "logging.json" for folder in folders]
    return next((path for path in paths if path.is_file()), None)


def _replace_with(path: Path) -> None:
    """Configure logging from the file. Server loggers that it lacks follow v1's logger, else the root."""
    try:
        text = path.read_text(encoding="utf-8")
        for theirs, ours in _V1_CLASSES.items():
            text = text.replace(theirs, ours)
        config = json.loads(text)
        for name in _TOPS:
            logging.getLogger(name).handlers.clear()
            logging.getLogger(name).propagate = True
        logging.config.dictConfig(config)
        named = set(config.get("loggers", {}))
    # Any exception: the file may name any classes.
    except Exception as error:
        why = f"{error} ({error.__cause__})" if error.__cause__ else str(error)
        raise LoggingConfigurationError(
            f"The logging configuration {path} cannot be used: {why.rstrip('.')}."
        ) from None
    if _V1 not in named:
        return
    v1 = logging.getLogger(_V1)
    for name in set(_TOPS) - named:
        logger = logging.getLogger(name)
        logger.handlers[:] = v1.handlers
        logger.filters[:] = v1.filters
        logger.setLevel(v1.level)
        logger.propagate = v1.propagate
