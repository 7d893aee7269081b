"""Request ids: every row of the contract's table, the limit on their length, and what goes with them."""

import logging
import os
import uuid

import pytest

from gpu_inference_runtime import __version__
from gpu_inference_runtime.http.request_ids import IdMaker, Ids
from gpu_inference_script.logs import current_request_id

NO_VERSION = IdMaker(sends_server_version=False)


def headers_of(ids: Ids) -> dict[str, str]:
    *lines, end = ids.lines.decode("latin-1").split("\r\n")
    assert end == ""
    headers = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    assert len(headers) == len(lines)
    return headers


def refusal_of(ids: Ids) -> tuple[int, bytes]:
    assert ids.refused is not None
    assert isinstance(ids.refused.body, bytes)
    return ids.refused.status, ids.refused.body


@pytest.mark.parametrize(
    "sent", [{}, {b"x-request-id": b""}, {b"x-request-id": b" \t"}], ids=["none", "empty", "blank"]
)
def test_a_request_without_ids_gets_one_new_id_twice(sent: dict[bytes, bytes]) -> None:
    ids = NO_VERSION.for_request(sent)
    headers = headers_of(ids)
    assert list(headers) == ["x-request-id", "x-ms-request-id"]
    assert headers["x-request-id"] == headers["x-ms-request-id"] == ids.request_id
    assert ids.refused is None


def test_new_ids_are_random_uuids() -> None:
    made = [NO_VERSION.for_request({}).request_id for _ in range(1000)]
    assert len(set(made)) == 1000
    known = [uuid.UUID(each) for each in made]
    assert {(each.version, each.variant) for each in known} == {(4, uuid.RFC_4122)}
    assert [str(each) for each in known] == made
    # Every digit but the version takes all of its values.
    for place in range(36):
        allowed = {8: 1, 13: 1, 14: 1, 18: 1, 19: 4, 23: 1}.get(place, 16)
        assert len({each[place] for each in made}) == allowed


def test_a_forked_process_makes_other_ids() -> None:
    maker = IdMaker(sends_server_version=False)
    maker.for_request({})
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, maker.for_request({}).request_id.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        theirs = answer.read()
    os.waitpid(child, 0)
    assert uuid.UUID(theirs).version == 4
    assert theirs not in {maker.for_request({}).request_id for _ in range(200)}


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ({"x-request-id": "R"}, {"x-request-id": "R", "x-ms-request-id": "R"}),
        (
            {"x-request-id": "R", "x-ms-client-request-id": "C"},
            {"x-request-id": "R", "x-ms-request-id": "C", "x-ms-client-request-id": "C"},
        ),
        (
            {"x-request-id": "R", "x-ms-request-id": "L"},
            {"x-request-id": "R", "x-ms-request-id": "L", "x-ms-client-request-id": "L"},
        ),
        (
            {"x-request-id": "R", "x-ms-request-id": "L", "x-ms-client-request-id": "C"},
            {"x-request-id": "R", "x-ms-request-id": "L", "x-ms-client-request-id": "C"},
        ),
        (
            {"x-request-id": "R", "traceid": "T"},
            {"x-request-id": "R", "x-ms-request-id": "R", "TraceId": "T"},
        ),
        ({"x-request-id": "ä b, c"}, {"x-request-id": "ä b, c", "x-ms-request-id": "ä b, c"}),
        ({"x-request-id": "R", "traceid": ""}, {"x-request-id": "R", "x-ms-request-id": "R"}),
        ({"x-request-id": "R \t"}, {"x-request-id": "R", "x-ms-request-id": "R"}),
    ],
)
def test_ids_sent_come_back(sent: dict[str, str], answered: dict[str, str]) -> None:
    ids = NO_VERSION.for_request({name.encode(): value.encode("latin-1") for name, value in sent.items()})
    assert headers_of(ids) == answered
    assert ids.request_id == answered["x-request-id"]


@pytest.mark.parametrize("name", [b"x-ms-client-request-id", b"x-ms-request-id", b"traceid"])
def test_a_request_with_another_id_gets_a_new_one_besides(name: bytes) -> None:
    ids = NO_VERSION.for_request({name: b"C"})
    assert uuid.UUID(ids.request_id).version == 4
    assert headers_of(ids)["x-request-id"] == ids.request_id
    assert headers_of(ids)["x-ms-request-id"] == (ids.request_id if name == b"traceid" else "C")


@pytest.mark.parametrize(
    ("header", "names", "echoed"),
    [
        ("x-request-id", "x-request-id", {}),
        ("x-ms-request-id", "x-ms-request-id and x-ms-client-request-id", {"x-request-id": "R"}),
        ("x-ms-client-request-id", "x-ms-request-id and x-ms-client-request-id", {"x-request-id": "R"}),
    ],
)
def test_an_id_of_more_than_100_characters_is_refused_and_not_echoed(
    header: str, names: str, echoed: dict[str, str]
) -> None:
    sent = {b"x-request-id": b"R", b"traceid": b"T"}
    longest = NO_VERSION.for_request(sent | {header.encode(): b"x" * 100})
    assert longest.refused is None
    assert headers_of(longest)[header] == "x" * 100
    ids = NO_VERSION.for_request(sent | {header.encode(): b"x" * 101})
    assert refusal_of(ids) == (431, b'{"message": "%b must not exceed 100 characters"}' % names.encode())
    assert headers_of(ids) == echoed | {"TraceId": "T"}
    assert ids.request_id == echoed.get("x-request-id", "")


@pytest.mark.parametrize("sent", [{}, {b"x-request-id": b"R"}, {b"x-request-id": b"x" * 101}])
def test_the_servers_version_is_sent_unless_that_is_turned_off(sent: dict[bytes, bytes]) -> None:
    name = "x-ms-server-version"
    assert (
        headers_of(IdMaker(sends_server_version=True).for_request(sent))[name]
        == f"gpu-inference/{__version__}"
    )
    assert name not in headers_of(NO_VERSION.for_request(sent))


def test_the_old_use_of_x_ms_request_id_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    seen = []

    def note(record: logging.LogRecord) -> bool:
        seen.append((record.getMessage(), current_request_id()))
        return True

    log = logging.getLogger("gpu_inference")
    log.addFilter(note)
    try:
        with caplog.at_level(logging.WARNING, "gpu_inference"):
            NO_VERSION.for_request({b"x-request-id": b"R", b"x-ms-client-request-id": b"C"})
            NO_VERSION.for_request({b"x-ms-request-id": b""})
            assert seen == []
            NO_VERSION.for_request({b"x-request-id": b"R", b"x-ms-request-id": b"an-id"})
    finally:
        log.removeFilter(note)
    line = "The request's header x-ms-request-id is deprecated: send x-ms-client-request-id instead."
    assert seen == [(line, "R")]
