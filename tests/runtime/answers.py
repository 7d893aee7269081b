"""What is in an answer, for the tests."""

import json
from typing import Any

from gpu_inference_script.response import Response


def content(answer: Response) -> Any:
    """Return the JSON content of an answer that is whole."""
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)
