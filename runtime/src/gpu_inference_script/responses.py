"""Answers from Flask's `Response`, which `run()` may return, and `AMLResponse`, which is one.

Flask is not imported for this: where `run()` returns such an object, the script has imported it.
"""

import re
import sys
from typing import Any, Iterator, List, Optional, Tuple, Union

from gpu_inference_script.messages import RUN_FAILED, Answer

# What HTTP lets a header consist of. A server that finds out only while it sends cannot answer any more.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-zA-Z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class UnsendableError(Exception):
    """The script made a response that cannot be sent; the text says why, and quotes no value of a header."""


def is_response(result: object) -> bool:
    """Whether `run()` returned a whole response, Flask's or Werkzeug's, instead of content."""
    module = sys.modules.get("werkzeug.wrappers.response")
    if module is not None:
        return isinstance(result, getattr(module, "Response", ()))
    # Before version 1 of Werkzeug all were in one module.
    return isinstance(result, getattr(sys.modules.get("werkzeug.wrappers"), "BaseResponse", ()))


def response_answer(response: Any, front_end: str, *headers: "Tuple[str, str]") -> Answer:
    """Return a response as it is, with headers added; a streamed one stays so, and begins at once.

    Of the script's headers only Content-Length may be lost: the front end counts a whole body itself.

    Raises:
        UnsendableError: its status is none that ends a request, or a header, or the words after the status,
            have characters that HTTP does not allow.
    """
    status, reason, given = checked_head(response)
    if status >= 500:
        given = [pair for pair in given if pair[0].lower() != RUN_FAILED]
        given.append((RUN_FAILED, "True"))
    # azureml-fe told clients a model's own 500 as 502, and passed all others on.
    if status == 500 and front_end == "azureml":
        status, reason = 502, None
    return answer_of(response, status, reason, [*given, *headers])


def checked_head(response: Any) -> "Tuple[int, Optional[str], List[Tuple[str, str]]]":
    """Return status, the words after it, and the headers of a response.

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
    # After one below 200 clients wait for another answer.
    if not 200 <= status <= 999:
        raise UnsendableError(f"The response's status is {status}, and must be from 200 to 999.")
    reason: "str" = response.status.partition(" ")[2]
    if not _VALUE.fullmatch(reason):
        raise UnsendableError(
            "The words after the response's status have characters that HTTP does not allow."
        )
    return status, reason, given


def answer_of(
    response: Any, status: int, reason: "Optional[str]", headers: "List[Tuple[str, str]]"
) -> Answer:
    """Return an answer with the body of a response, which is closed when all of it was read."""
    types = [value for name, value in headers if name.lower() == "content-type"]
    if len(types) == 1:
        headers = [pair for pair in headers if pair[0].lower() != "content-type"]
    if response.is_streamed:
        body: "Union[bytes, Iterator[bytes]]" = _parts(response)
    else:
        headers = [pair for pair in headers if pair[0].lower() != "content-length"]
        body = b"".join(response.iter_encoded())
        response.close()
    return Answer(status, body, tuple(headers), types[0] if len(types) == 1 else None, reason=reason)


def _parts(response: Any) -> "Iterator[bytes]":
    """Yield a streamed body; at its end, or where nobody wants more of it, close what it comes from."""
    try:
        yield from response.iter_encoded()
    finally:
        response.close()
