"""The lines that people search v1's logs for: their format, what scripts print, and the access lines."""

import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.runtime.differential.cases.case import ask, case, get, post
from tests.runtime.differential.exchange import send
from tests.runtime.differential.sides import Running, Zygote, running

_SCRIPT = """
import logging, sys

def init():
    print("init", "says", 1, sep="-")
    sys.stdout.write("written by init\\n")

def run(data):
    print("run says", data)
    print("to stderr", file=sys.stderr)
    print()
    logging.getLogger("mine").warning("a warning")
    if data == "fail":
        raise ValueError("why it failed")
    return data
"""
_ASKS = (
    post(b"one", headers=(("x-request-id", "id-1"),)),
    post(b"fail"),
    post(b"\xff"),
    get("/score?x=1"),
    get("/"),
    ask("HEAD"),
    ask("PUT"),
    get("/swagger.json?version=9"),
    get("/nowhere"),
)
_LOGGING = json.dumps(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "own": {
                "class": "azureml_inference_server_http.log_config.AMLLogFormatter",
                "format": "OWN %(name)s|%(message)s",
            }
        },
        "handlers": {
            "own": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "own"}
        },
        "loggers": {"azmlinfsrv": {"level": "INFO", "handlers": ["own"], "propagate": False}},
    }
)
# v1's format: time in UTC, level, process, logger; ours has the request's id in front of the message.
_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ([IWEC]) \[\d+\] (\S+) - (?:\[[\w-]+\] )?(.*)")
_TIME = re.compile(r"\d+\.\d{3}ms")
_ACCESS = re.compile(r"(GET|POST|HEAD|PUT) /\S* \d{3} <time>")


def _logged(zygotes: Sequence[Zygote], folder: Path) -> list[Running]:
    with running(zygotes, case("logs", _SCRIPT), folder) as servers:
        for server in servers:
            assert server.wait_until_ready()
            for each in _ASKS:
                send(each, server.port)
            # A line may come after its answer.
            server.wait_until(partial(_has_last_line, server), "the last line")
        return servers


def _has_last_line(server: Running) -> bool:
    return "/nowhere" in server.log


def _records(log: str) -> list[tuple[str, str, str]]:
    found = [match.groups() for line in log.splitlines() if (match := _LINE.fullmatch(line))]
    return [(level, name, _TIME.sub("<time>", text)) for level, name, text in found]


def test_a_logging_json_replaces_the_format_on_both_sides(zygotes: Sequence[Zygote], tmp_path: Path) -> None:
    with running(
        zygotes, case("logging.json", _SCRIPT, files={"logging.json": _LOGGING}), tmp_path
    ) as servers:
        for server in servers:
            assert server.wait_until_ready()
            send(post(b"one"), server.port)
            server.wait_until(partial(_has_own_access_line, server), "the access line in the user's format")
            assert "OWN azmlinfsrv.print|run says one\n" in server.log


def _has_own_access_line(server: Running) -> bool:
    return (
        re.search(r"^OWN azmlinfsrv\|POST /score 200 \d+\.\d{3}ms 5$", server.log, re.MULTILINE) is not None
    )


def test_lines_are_the_incumbents_but_for_wanted_differences(
    zygotes: Sequence[Zygote], tmp_path: Path
) -> None:
    theirs, ours = (server.log for server in _logged(zygotes, tmp_path))

    def printed(log: str) -> list[tuple[str, str]]:
        return [(level, text) for level, name, text in _records(log) if name == "azmlinfsrv.print"]

    assert printed(ours) == printed(theirs) != []

    def access(log: str) -> list[str]:
        return [text for _, name, text in _records(log) if name == "azmlinfsrv" and _ACCESS.match(text)]

    # The incumbent writes queries, which may be a client's data, and no line where no view answers.
    expected = [line.replace("/score?x=1", "/score").replace("?version=9", "") for line in access(theirs)]
    assert [line for line in access(ours) if not re.match(r"PUT|GET /nowhere", line)] == expected != []
    # Each request has one access line, the one with its id.
    assert ["gunicorn.access" in log for log in (theirs, ours)] == [True, False]
    for log in (theirs, ours):
        assert "written by init\n" in log
        assert "ValueError: why it failed" in log
        assert "to stderr\n" in log
        assert "a warning" in log
        assert not any(text.startswith("GET / ") for _, name, text in _records(log) if name == "azmlinfsrv")
    assert any(name == "azmlinfsrv" and text for _, name, text in _records(theirs))
