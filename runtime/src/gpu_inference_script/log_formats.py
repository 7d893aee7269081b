"""How a log record is written: as v1's line, or as one JSON object. Both can be named in a logging.json."""

import json
import logging
import sys
import time
from typing import Any, Dict, Optional

from gpu_inference_script.logs import current_request_id

V1_FORMAT = "%(asctime)s %(levelname).1s [%(process)d] %(name)s - %(request)s%(message)s"


class TextFormatter(logging.Formatter):
    """v1's line, in UTC, with the request's id in brackets before the message of a request's line.

    Other formats may hold `%(request_id)s`, or `%(request)s`, which is the id with brackets and a space, and
    empty outside of requests.
    """

    converter = staticmethod(time.gmtime)

    def __init__(
        self,
        fmt: "Optional[str]" = None,
        datefmt: "Optional[str]" = None,
        style: "Any" = "%",
        **more: Any,
    ) -> None:
        # `validate` and `defaults` came with later versions of Python.
        super().__init__(fmt or V1_FORMAT, datefmt, style, **more)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        request_id = _request_id(record)
        record.request = f"[{request_id}] " if request_id else ""
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """One JSON object in one line. `request_id` and the ids of the trace stand in it where there are any."""

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
    """Give each record the id of its request where it is made: a handler may write it on another thread."""
    make = logging.getLogRecordFactory()

    def stamped(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = make(*arguments, **named)
        record.request_id = current_request_id()
        return record

    logging.setLogRecordFactory(stamped)


def _request_id(record: logging.LogRecord) -> str:
    # A script may have put a record factory of its own in the place of ours.
    return str(getattr(record, "request_id", "")) or current_request_id()


def _trace_ids() -> "Dict[str, str]":
    # Only where telemetry, or the script, has imported it.
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return {}
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
