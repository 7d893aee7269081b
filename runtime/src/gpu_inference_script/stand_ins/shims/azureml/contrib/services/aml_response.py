"""`azureml.contrib.services.aml_response` for entry scripts that choose status and headers themselves."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flask import Response

_NO_HEADERS: "Mapping[str, str]" = MappingProxyType({})


class AMLResponse(Response):
    """A response with the message as its body, or as the JSON text of it.

    Args:
        message: text, bytes or an iterator of them; None for an empty JSON object.
        status_code: HTTP's.
        response_headers: each value's parts between commas become headers of their own, also where the commas
            belong to one value (a date, `Cache-Control`): clients of v1 services got them so.
        json_str: whether the body is the message as JSON, then with the content type `application/json`.
            Otherwise that is `text/html; charset=utf-8`, unless there is a header `Content-Type`, spelt so.
        run_function_failed: what the header `x-ms-run-function-failed` says.
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
