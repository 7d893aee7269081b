"""`azureml.contrib.services.aml_response` for entry scripts that choose status and headers themselves."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flask import Response

_NO_HEADERS: "Mapping[str, str]" = MappingProxyType({})


class AMLResponse(Response):
    """A response whose body is the message, or the message as JSON.

    Args:
        message: text, bytes or an iterator of them; None for an empty JSON object. status_code: the status
        code. response_headers: the headers. As in v1, a value is split at its commas into several headers,
        even if the
            commas belong to one value (a date, `Cache-Control`).
        json_str: whether the body is the message as JSON, with the content type `application/json`. Otherwise
            the content type is `text/html; charset=utf-8`, unless there is a header spelled `Content-Type`.
        run_function_failed: value of the header `x-ms-run-function-failed`.
    """

    def __init__(
        self,
        message: Any,
        status_code: int,
        response_headers: "Mapping[str, str]" = _NO_HEADERS,
        json_str: bool = False,
        run_function_failed: bool = False,
    ) -> None:
        if message is None or json_str:
            content = {} if message is None else message
            super().__init__(json.dumps(content), status=status_code, mimetype="application/json")
        else:
            super().__init__(message, status=status_code)
            if "Content-Type" in response_headers:
                del self.headers["Content-Type"]
        self.headers["x-ms-run-function-failed"] = str(run_function_failed)
        for name, value in response_headers.items():
            for part in value.split(","):
                self.headers.add(name, part.strip())
