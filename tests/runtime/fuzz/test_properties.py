"""The properties that fuzzing relies on can fail: a server that breaks one is seen to."""

from pathlib import Path

import h11
import pytest
from tests.runtime.fuzz.properties import Fuzzed
from tests.runtime.fuzz.runs import fuzz_right_requests
from tests.runtime.fuzz.targets import KINDS, Kind
from tests.runtime.fuzz.wire import answers
from tests.runtime.server_process import StartServer

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
_LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"
# Each breaks another property where a client sends something of its own.
BAD_SCRIPTS = {
    "fails": "def run(data):\n    return int(data)",
    "logs what it gets": "def run(data):\n    print(data)\n    return data",
    "answers another's": "last = []\ndef run(data):\n    last.append(data)\n    return last[-2:][0]",
}


def test_only_whole_answers_in_order_are_accepted() -> None:
    assert [answer.body for answer in answers(_OK + _LAST, ["POST", "POST"])] == [b"hi", b"hi"]
    assert answers(b"", ["POST"]) == []
    [head] = answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", ["HEAD"])
    assert head.body == b""
    for bad in (_OK[:-1], _OK + b"x", _LAST + _OK, b"HTTP/1.1 200 OK\r\nX\r\n\r\n", b"<html>", _OK[:30]):
        with pytest.raises(h11.RemoteProtocolError):
            answers(bad, ["POST", "POST"])


@pytest.mark.parametrize("name", BAD_SCRIPTS)
def test_a_server_that_breaks_a_property_is_seen(
    start_server: StartServer, tmp_path: Path, name: str
) -> None:
    script = "def init(): pass\n" + BAD_SCRIPTS[name]
    kind = Kind(script, KINDS["echo"].usual, KINDS["echo"].check)
    fuzzed = Fuzzed(kind, kind.start(start_server, tmp_path))
    with pytest.raises(AssertionError):
        fuzz_right_requests(fuzzed, 20)
