"""Requests made from the server's own specification by schemathesis, and answers held to it."""

from functools import partial
from typing import Any

import requests
import schemathesis
from schemathesis import APIOperation, Case, CheckFunction, GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)
from tests.runtime.fuzz.properties import Fuzzed
from tests.runtime.fuzz.runs import for_all
from tests.runtime.fuzz.targets import KEY
from tests.runtime.server_process import PATIENCE_SECONDS

_SCORING = "RunMLService"
_CONFORMANCE: list[CheckFunction] = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def operations(fuzzed: Fuzzed) -> list[APIOperation[Any, Any, Any, Any]]:
    """Return the operations that the server says it has."""
    answer = requests.get(
        fuzzed.server.url("/swagger.json?version=3"), headers=_key(fuzzed), timeout=PATIENCE_SECONDS
    )
    assert answer.status_code == 200, answer.text
    schema = schemathesis.openapi.from_dict(answer.json())
    found = list(schema.get_all_operations())
    assert all(isinstance(result, Ok) for result in found), found
    return [result.ok() for result in found if isinstance(result, Ok)]


def fuzz_operations(fuzzed: Fuzzed, examples: int, from_seed: int | None = None) -> None:
    """Send to each operation what its schema allows, and what it does not."""
    load_all_checks()
    found = operations(fuzzed)
    assert _SCORING in {operation.definition.raw["operationId"] for operation in found}
    for operation in found:
        checks: list[CheckFunction] = [not_a_server_error]
        # v1's specification names other types for the health check and for itself than v1's server sent.
        if operation.definition.raw["operationId"] == _SCORING:
            checks += [*_CONFORMANCE, *([ignored_auth] if fuzzed.kind.asks_key else [])]
        for mode in GenerationMode:
            requests_of_mode = operation.as_strategy(generation_mode=mode)
            for_all(requests_of_mode, partial(_check, fuzzed, checks), examples, from_seed)


def _check(fuzzed: Fuzzed, checks: list[CheckFunction], case: Case[Any]) -> None:
    headers = _key(fuzzed)
    answer = case.call(base_url=fuzzed.server.url(""), headers=headers, timeout=PATIENCE_SECONDS)
    case.validate_response(answer, checks=checks, headers=headers)
    fuzzed.check_log()
    fuzzed.check_usual_request()


def _key(fuzzed: Fuzzed) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY}"} if fuzzed.kind.asks_key else {}
