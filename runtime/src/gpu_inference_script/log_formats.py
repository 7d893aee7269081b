"""Log formatters: v1's lines, and JSON objects. A logging.json may name both."""

import json
import logging
import sys
import time
from typing import Any, Dict, Optional

from gpu_inference_script.logs import current_request_id

V1_FORMAT = "%(asctime)s %(levelname).1s [%(process)d] %(name)s - %(request)s%(message)s"


class TextFormatter(logging.Formatter):
    """Formats lines like v1's server, in UTC, with the request's id in brackets before the message.

    Other formats may use `%(request_id)s`, or `%(request)s`: the id with brackets and a space, or an empty
    text outside of requests.
    """

    converter = staticmethod(time.gmtime)

    def __init__(
        self,
        fmt: "Optional[str]" = None,
        datefmt: "Optional[str]" = None,
        style: "Any" = "%",
        **more: Any,
    ) -> None:
        # `more`: `validate` and `defaults` came with later versions of Python.
        super().__init__(fmt or V1_FORMAT, datefmt, style, **more)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        request_id = _request_id(record)
        record.request = f"[{request_id}] " if request_id else ""
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """Formats each record as a JSON object in one line, with the request's id and the trace's ids if any."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }  # type: Dict[str, Any]
        request_id = _request_id(record)
        if request_id:
            line["request_id"] = request_id
        line.update(_trace_ids())
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(line)


def stamp_records() -> None:
    """Store the request's id in each record when it is made: a handler may write it on another thread."""
    make = logging.getLogRecordFactory()

    def stamped(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = make(*arguments, **named)
        record.request_id = current_request_id()
        return record

    logging.setLogRecordFactory(stamped)


def _request_id(record: logging.LogRecord) -> str:
    # The script may have replaced the record factory.
    return str(getattr(record, "request_id", "")) or current_request_id()


def _trace_ids() -> "Dict[str, str]":
    # Only if the server's traces or the script imported it.
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return {}
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
