"""The server against its own OpenAPI, by schemathesis (longer: tests/soak)."""

from pathlib import Path

from tests.runtime.fuzz.openapi import fuzz_operations
from tests.runtime.fuzz.properties import Fuzzed
from tests.runtime.fuzz.targets import KINDS
from tests.runtime.server_process import StartServer


def test_the_server_answers_as_its_specification_says(start_server: StartServer, tmp_path: Path) -> None:
    kind = KINDS["schema with keys"]
    fuzzed = Fuzzed(kind, kind.start(start_server, tmp_path / "keys"))
    fuzz_operations(fuzzed, examples=15)
    fuzzed.check_rest()
