"""All cases, by theme."""

from tests.runtime.differential.cases import (
    failures,
    in_the_wild,
    processes,
    raw_http,
    returns,
    routes,
    schema_inputs,
    schema_rules,
    settings,
    text_inputs,
)

CASES = tuple(
    case
    for theme in (
        *(routes, text_inputs, schema_inputs, schema_rules, raw_http),
        *(returns, failures, in_the_wild, processes, settings),
    )
    for case in theme.CASES
)

_names = [case.name for case in CASES]
assert len(_names) == len(set(_names)), "Two cases have the same name."
