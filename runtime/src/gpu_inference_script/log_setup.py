"""Sets logging up: ours so that no script can silence it, and what is left to scripts as v1 left it.

v1 had no handler at the root, so that `logging.basicConfig` and `dictConfig` of scripts worked. Here it is
the same: our loggers have a handler of their own, and lines that nobody else handles go to logging's handler
of last resort, which is ours. No line can come twice by that.
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
# Those of them that hand their lines to nobody else.
_TOPS = tuple(name for name in _OURS if "." not in name)

# What a logging.json that was written for v1's server names of that package.
_V1_PACKAGE = "azureml_inference_server_http.log_config"
_V1_CLASSES = {
    "gpu_inference_runtime.observability.log_formats": "gpu_inference_script.log_formats",
    f"{_V1_PACKAGE}.AMLLogFormatter": "gpu_inference_script.log_formats.TextFormatter",
    # It left health checks out, which are never logged here.
    f"{_V1_PACKAGE}.RootAccessFilter": "logging.Filter",
}


_plain_handler: "Optional[logging.Handler]" = None


def writes_plain_lines(logger: logging.Logger) -> bool:
    """Whether a logger's lines are v1's lines on standard output, and nobody has configured anything else."""
    return (
        _plain_handler is not None
        and logger.handlers == [_plain_handler]
        and not (logger.filters or _plain_handler.filters)
        and logger.isEnabledFor(logging.INFO)
    )


class LoggingConfigurationError(ValueError):
    """The user's logging.json cannot be used; the text is one sentence."""


def configure_logging(log_format: str, log_level: str, app_root: str, entry_script: "Optional[str]") -> None:
    """Send what is logged to standard output in the format asked for, or where the user's logging.json says.

    Raises:
        LoggingConfigurationError: that file cannot be used.
    """
    # Python 3.6 has no such method.
    if isinstance(sys.stdout, io.TextIOWrapper) and hasattr(sys.stdout, "reconfigure"):
        # A character that the stream cannot take must not cost the line.
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
    """A logger that a script's `dictConfig`, `fileConfig` or `logging.disable` does not turn off."""

    @property
    def disabled(self) -> bool:
        return False

    @disabled.setter
    def disabled(self, value: bool) -> None:
        """Stay on."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  (the base class's name)
        return level >= self.getEffectiveLevel()


_original_basic_config = logging.basicConfig


@functools.wraps(_original_basic_config)
def _basic_config(**options: Any) -> None:
    # logging.info() and its like call this without options. A level alone is no reason either to write lines
    # in another way, without the request's id.
    if logging.root.handlers or options.keys() - {"level"}:
        _original_basic_config(**options)
    elif options.get("level") is not None:
        logging.root.setLevel(options["level"])


def _logging_json(app_root: Path, entry_script: "Optional[str]") -> "Optional[Path]":
    """Return the user's configuration of logging: in the app root, else beside the entry script."""
    folders = [app_root]
    if entry_script:
        folders.append((app_root / entry_script).parent)
    paths = [folder / "logging.json" for folder in folders]
    return next((path for path in paths if path.is_file()), None)


def _replace_with(path: Path) -> None:
    """Configure logging by the file alone; what it leaves out of ours follows v1's logger, else the root."""
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
    # Whatever the classes that it names raise, too.
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
