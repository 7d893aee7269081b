"""`azureml.contrib.services.aml_request` for entry scripts whose `run()` takes the HTTP request itself."""

from typing import Any, Callable, TypeVar

from flask import Request

F = TypeVar("F", bound=Callable[..., Any])

# What run() then gets is Flask's request: the name is there for annotations.
AMLRequest = Request

# Whether the script has used `rawhttp`; the server looks here when it has imported the script.
requested = False


def rawhttp(func: F) -> F:
    """Mark `run()` as one that takes the request; the function stays as it is."""
    global requested
    requested = True
    return func
