"""Checks rendered objects as the lowest and the highest supported Kubernetes would, without either."""

import functools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema.protocols import Validator

FOLDER = Path(__file__).with_name("kubernetes-schemas")
_FILES = sorted(FOLDER.glob("v*.json"), key=lambda path: int(path.stem.split(".")[1]))
VERSIONS = tuple(path.stem for path in _FILES)
"""The lowest and the newest supported version: `("v1.30", "v1.37")`."""


def check_object(thing: dict[str, Any], versions: Sequence[str] = VERSIONS) -> None:
    """Fail unless all these versions would accept this object.

    Raises:
        AssertionError: one would not; with what it would say.
    """
    kind = f"{thing['apiVersion']}/{thing['kind']}"
    for version in versions:
        found = [
            f"{error.json_path}: {error.message}" for error in _validator(version, kind).iter_errors(thing)
        ]
        assert not found, f"{version} refuses {kind} {thing['metadata']['name']}: {found}"


@functools.cache
def _validator(version: str, kind: str) -> Validator:
    document = json.loads((FOLDER / f"{version}.json").read_text())
    custom = json.loads((FOLDER / "crds.json").read_text())["definitions"]
    definitions = document["definitions"] | custom
    name = kind if kind in custom else document["kinds"].get(kind)
    assert name, f"{version} has no {kind}, or generate.py was not asked for it"
    strict: type[Validator] = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
        jsonschema.Draft7Validator, {"x-kubernetes-list-map-keys": _unique_keys}
    )
    reference = {"$ref": f"#/definitions/{name.replace('/', '~1')}"}
    # In draft-07, nothing beside a reference counts.
    return strict({"definitions": definitions, "allOf": [reference]})


def _unique_keys(
    _validator: Validator, keys: list[str], items: list[dict[str, Any]], _schema: dict[str, Any]
) -> Iterator[jsonschema.ValidationError]:
    """Server-side apply refuses two entries of the same key, such as one variable's name given twice."""
    # Entries of ports and the like may leave out a key that has a default.
    seen = [tuple(item.get(key) for key in keys) for item in items]
    for key in sorted({str(key) for key in seen if seen.count(key) > 1}):
        yield jsonschema.ValidationError(f"duplicate entries for key {key}")
