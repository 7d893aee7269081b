"""Converts Flask's `Response` objects, which `run()` may return; `AMLResponse` is a subclass.

Flask is not imported for this: if `run()` returns such an object, the script has imported Flask.
"""

import re
import sys
from typing import Any, Iterator, List, Optional, Tuple, Union

from gpu_inference_script.response import RUN_FAILED, Response

# What HTTP allows in headers. Checked early: once a response is being sent, errors cannot be reported.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-zA-Z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class UnsendableError(Exception):
    """The script's response cannot be sent; the text says why, without quoting header values."""


def is_response(result: object) -> bool:
    """Return whether `run()` returned a whole response of Flask or Werkzeug, rather than content."""
    module = sys.modules.get("werkzeug.wrappers.response")
    if module is not None:
        return isinstance(result, getattr(module, "Response", ()))
    # Werkzeug before version 1 had all classes in one module.
    return isinstance(result, getattr(sys.modules.get("werkzeug.wrappers"), "BaseResponse", ()))


def from_flask(response: Any, front_end: str, *headers: "Tuple[str, str]") -> Response:
    """Return a Flask response as one of the server's, with more headers. A streamed body stays streamed.

    All of the script's headers are kept, except that the server sets the Content-Length of a whole body
    itself.

    Args:
        response: Flask's or Werkzeug's response.
        front_end: `azureml` or `none`: whose responses clients get.
        *headers: more headers, names and values.

    Raises:
        UnsendableError: the status does not end a request, or a header or the reason phrase has characters
        that
            HTTP does not allow.
    """
    status, reason, given = checked_head(response)
    if status >= 500:
        given = [pair for pair in given if pair[0].lower() != RUN_FAILED]
        given.append((RUN_FAILED, "True"))
    # azureml-fe changed a model's own 500 to 502, and passed on all others.
    if status == 500 and front_end == "azureml":
        status, reason = 502, None
    return with_body_of(response, status, reason, [*given, *headers])


def checked_head(response: Any) -> "Tuple[int, Optional[str], List[Tuple[str, str]]]":
    """Return status, reason phrase and headers of a response.

    Raises:
        UnsendableError: they cannot be sent.
    """
    given = [(name, str(value)) for name, value in response.headers.items()]
    for name, value in given:
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise UnsendableError(
                f"The header {name!r} of the response has characters that HTTP does not allow."
            )
    status = int(response.status_code)
    # After a status below 200, clients wait for another response.
    if not 200 <= status <= 999:
        raise UnsendableError(f"The response's status is {status}, and must be from 200 to 999.")
    reason: "str" = response.status.partition(" ")[2]
    if not _VALUE.fullmatch(reason):
        raise UnsendableError(
            "The words after the response's status have characters that HTTP does not allow."
        )
    return status, reason, given


def with_body_of(
    response: Any, status: int, reason: "Optional[str]", headers: "List[Tuple[str, str]]"
) -> Response:
    """Return a response with the body of a Flask response, which is closed when all of it has been read."""
    types = [value for name, value in headers if name.lower() == "content-type"]
    if len(types) == 1:
        headers = [pair for pair in headers if pair[0].lower() != "content-type"]
    if response.is_streamed:
        body: "Union[bytes, Iterator[bytes]]" = _parts(response)
    else:
        headers = [pair for pair in headers if pair[0].lower() != "content-length"]
        body = b"".join(response.iter_encoded())
        response.close()
    return Response(status, body, tuple(headers), types[0] if len(types) == 1 else None, reason=reason)


def _parts(response: Any) -> "Iterator[bytes]":
    """Yield the parts of a streamed body; close the response at its end, or when the generator is closed."""
    try:
        yield from response.iter_encoded()
    finally:
        response.close()
