"""`azureml.contrib.services.aml_request` for entry scripts whose `run()` takes the HTTP request itself."""

from typing import Any, Callable, TypeVar

from flask import Request

F = TypeVar("F", bound=Callable[..., Any])

# run() gets Flask's request object; scripts use this name in annotations.
AMLRequest = Request

# Whether the script used `rawhttp`; the server reads this after it has imported the script.
requested = False


def rawhttp(func: F) -> F:
    """Mark `run()` as taking the whole request; the function itself does not change."""
    global requested
    requested = True
    return func
