"""The comparison itself: what it sees, and what it leaves out."""

from pathlib import Path
from typing import Any

import pytest
from tests.runtime.differential.comparing import as_wanted, differences, lines
from tests.runtime.differential.exchange import Reply

_ONE = "5a1c4a5e-3f0b-4a35-9a52-0c6a4a3f8f10"
_TWO = "0d9f7c1e-64a3-4b7c-8a44-6c1f3f0b2a77"
_HEADERS = (("Server", "gunicorn"), ("x-request-id", _ONE), ("x-ms-request-id", _ONE), ("X-A", "1"))


def _lines(*headers: tuple[str, str], status: int = 200, reason: str = "OK", body: bytes = b"x") -> list[str]:
    return lines(Reply(status, reason, headers, body), Path("/app"))


def _differences(*headers: tuple[str, str], **differing: Any) -> list[str]:
    return differences(_lines(*_HEADERS), _lines(*headers, **differing))


def test_the_same_answer_does_not_differ() -> None:
    assert _differences(*_HEADERS) == []


@pytest.mark.parametrize(
    ("changed", "differing"),
    [
        (_differences(*_HEADERS, status=201), ["-status: 200", "+status: 201"]),
        (_differences(*_HEADERS, reason="Fine"), ["-reason: OK", "+reason: Fine"]),
        (_differences(*_HEADERS, status=201, reason="Fine"), ["-status: 200", "+status: 201"]),
        (_differences(*_HEADERS, body=b"y"), ["-body: x", "+body: y"]),
        (_differences(*_HEADERS[:3]), ["-X-A: 1"]),
        (_differences(*_HEADERS[:3], ("X-A", "2")), ["-X-A: 1", "+X-A: 2"]),
        (_differences(*_HEADERS[:3], ("x-a", "1")), ["-X-A: 1", "+x-a: 1"]),
        (_differences(*_HEADERS, ("X-A", "1")), ["+X-A: 1"]),
        (
            _differences(*_HEADERS[:2], ("x-ms-request-id", _TWO), _HEADERS[3]),
            ["-x-ms-request-id: <id 1>", "+x-ms-request-id: <id 2>"],
        ),
    ],
)
def test_each_line_that_differs_is_told(changed: list[str], differing: list[str]) -> None:
    assert changed == differing


def test_made_up_ids_dates_times_and_folders_do_not_count() -> None:
    def answer(made_up: str, folder: str) -> list[str]:
        headers = (("x-request-id", made_up), ("Date", folder), ("x-ms-run-fn-exec-ms", f"0.{folder[-3:]}"))
        return lines(Reply(200, "OK", headers, f"{folder}/src".encode()), Path(folder))

    assert differences(answer(_ONE, "/app/123"), answer(_TWO, "/app/456")) == []


def test_an_id_of_the_clients_counts() -> None:
    assert differences(_lines(("x-request-id", "a")), _lines(("x-request-id", "b"))) != []


def test_a_wanted_line_without_an_ellipsis_is_compared_whole() -> None:
    assert as_wanted(["+body: long", "-status: 1"], ["-status: 1", "+body: lo…"])
    assert not as_wanted(["+body: long"], ["+body: lo"])
    assert not as_wanted(["+body: long"], [])
    assert not as_wanted([], ["+body: long"])
