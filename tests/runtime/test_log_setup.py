"""The log of real servers: its formats, the request in each line, what a script's own logging changes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.runtime.server_process import Server, StartServer

TALKATIVE = """
import asyncio, contextlib, contextvars, io, logging, sys, threading, warnings
def init():
    print("printed in init")
    logging.getLogger("of.the.script").info("logged in init")
def run(data):
    print("printed in run")
    logging.info("logged at the root")
    logging.getLogger("of.the.script").warning("logged in run")
    asyncio.run(asyncio.to_thread(logging.info, "logged by a thread of asyncio"))
    thread = threading.Thread(target=contextvars.copy_context().run, args=(print, "printed by a thread"))
    thread.start()
    thread.join()
    sys.stdout.write("written as it is\\n")
    caught = io.StringIO()
    with contextlib.redirect_stdout(caught):
        print("caught by the script")
    if "fail" in data:
        raise RuntimeError("as asked")
    return caught.getvalue()
"""
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ([DIWEC]) \[\d+\] (\S+) - (.*)")


def lines(server: Server) -> list[tuple[str, str, str]]:
    """Return level, logger and the rest of each line in v1's format."""
    return [(found[1], found[2], found[3]) for found in map(LINE.fullmatch, server.log.splitlines()) if found]


@pytest.fixture(scope="module")
def talkative(start_module_server: StartServer) -> Server:
    server = start_module_server(TALKATIVE)
    server.wait_ready()
    return server


def test_all_log_lines_of_a_request_carry_its_id(
    talkative: Server,
) -> None:
    assert talkative.score("x", **{"x-request-id": "R-1"}).json() == "caught by the script\n"
    talkative.wait_for_log("[R-1] POST /score 200")
    found = [line for line in lines(talkative) if "R-1" in line[2]]
    assert [line for line in found if line[1] != "azmlinfsrv"] == [
        ("I", "azmlinfsrv.print", "[R-1] printed in run"),
        ("I", "root", "[R-1] logged at the root"),
        ("W", "of.the.script", "[R-1] logged in run"),
        ("I", "root", "[R-1] logged by a thread of asyncio"),
        ("I", "azmlinfsrv.print", "[R-1] printed by a thread"),
    ]
    ((_, _, access),) = (line for line in found if line[1] == "azmlinfsrv")
    assert re.fullmatch(r"\[R-1\] POST /score 200 \d+\.\d{3}ms 24", access)
    assert "\nwritten as it is\n" in talkative.log


def test_what_init_prints_and_logs_is_there_without_an_id(talkative: Server) -> None:
    assert ("I", "azmlinfsrv.print", "printed in init") in lines(talkative)
    assert ("I", "of.the.script", "logged in init") in lines(talkative)


def test_no_body_query_or_header_is_ever_logged(
    talkative: Server,
) -> None:
    secret = {"Authorization": "Bearer very-secret", "Cookie": "id=very-secret"}
    for data in ("very-secret", "fail very-secret", b"\xff very-secret"):
        talkative.score(data, path="/score?key=very-secret", **secret, **{"x-request-id": "R-2"})
    talkative.score("very-secret", path="/elsewhere?key=very-secret", **secret)
    talkative.wait_for_log("[R-2] POST /score 400")
    assert "very-secret" not in talkative.log


def test_the_level_says_which_lines_there_are(start_server: StartServer) -> None:
    server = start_server(TALKATIVE, AZUREML_LOG_LEVEL="warning")
    server.wait_ready()
    server.score("x")
    assert {level for level, _, _ in lines(server)} == {"W"}


def test_json_lines_hold_the_request_the_trace_and_the_exception(start_server: StartServer) -> None:
    server = start_server(
        TALKATIVE,
        GPU_INFERENCE_LOG_FORMAT="json",
        AML_APP_INSIGHTS_ENABLED="true",
        # Nobody is there: what matters is the trace's id.
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
    )
    server.wait_ready()
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"x-request-id": "R-3", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    assert server.score("fail", **headers).status_code == 500
    server.wait_for_log("POST /score 500")
    found: list[dict[str, Any]] = [json.loads(text) for text in server.log.splitlines() if text[0] == "{"]
    printed = next(line for line in found if line["message"] == "printed in run")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", printed.pop("time"))
    assert re.fullmatch("[0-9a-f]{16}", printed.pop("span_id"))
    assert isinstance(printed.pop("process"), int)
    assert printed == {
        "level": "INFO",
        "logger": "azmlinfsrv.print",
        "message": "printed in run",
        "request_id": "R-3",
        "trace_id": trace,
    }
    (failure,) = (line for line in found if "exception" in line)
    assert failure["exception"].endswith("RuntimeError: as asked")
    assert failure["request_id"] == "R-3"
    assert [text for text in server.log.splitlines() if text[0] != "{"] == ["written as it is"]


SILENCING = """
import logging, logging.config, sys
def init():
    logging.config.dictConfig({
        "version": 1,
        "disable_existing_loggers": True,
        "formatters": {"mine": {"format": "mine %(request_id)s: %(message)s"}},
        "handlers": {"out": {"class": "logging.StreamHandler", "stream": sys.stdout, "formatter": "mine"}},
        "root": {"level": "ERROR", "handlers": ["out"]},
        "loggers": {"mine": {"level": "DEBUG", "handlers": ["out"], "propagate": False}},
    })
    for handler in list(logging.root.handlers):
        logging.root.removeHandler(handler)
    print("printed after that")
def run(data):
    logging.getLogger("mine").debug("a line of my own")
    if data == "off":
        logging.disable(logging.CRITICAL)
    return data
"""


def test_a_script_that_configures_logging_leaves_our_lines(
    start_server: StartServer,
) -> None:
    server = start_server(SILENCING)
    server.wait_ready()
    for data, request_id in (("x", "R-4"), ("off", "R-5"), ("x", "R-6")):
        server.score(data, **{"x-request-id": request_id})
        server.wait_for_log(f"[{request_id}] POST /score 200")
    assert server.log.count("mine R-4: a line of my own\n") == 1
    assert [server.log.count(text) for text in ("a line of my own", "printed after that", "/score 200")] == [
        # What the script turned off for itself is off.
        *(2, 1, 3)
    ]
    assert "User's init has completed" in server.log


SETUP = """
import logging, sys
from gpu_inference_script.log_setup import configure_logging
configure_logging("text", "INFO", "", None)
own = logging.getLogger("gpu_inference")
"""


@pytest.mark.parametrize(
    ("script", "out", "err"),
    [
        ("logging.warning('a'); own.info('b')", ["W root a", "I gpu_inference b"], []),
        ("logging.basicConfig(); logging.info('a')", ["I root a"], []),
        ("logging.basicConfig(level=logging.DEBUG); logging.debug('a')", ["D root a"], []),
        ("logging.basicConfig(level='ERROR'); logging.info('a'); own.info('b')", ["I gpu_inference b"], []),
        (
            "logging.basicConfig(format='mine: %(message)s'); logging.info('a'); own.info('b')",
            ["I gpu_inference b"],
            ["mine: a"],
        ),
        (
            "logging.root.addHandler(logging.StreamHandler()); logging.info('a'); own.info('b')",
            ["I gpu_inference b"],
            ["a"],
        ),
        (
            "logging.getLogger('x').addHandler(logging.StreamHandler()); logging.getLogger('x').info('a')",
            [],
            ["a"],
        ),
        (
            "logging.setLogRecordFactory(logging.LogRecord); logging.info('a')",
            ["I root a"],
            [],
        ),
        ("logging.info('\\udcff')", ["I root \\udcff"], []),
    ],
)
def test_each_line_comes_once_and_where_the_script_wants_it(
    script: str, out: list[str], err: list[str]
) -> None:
    done = subprocess.run([sys.executable, "-c", SETUP + script], capture_output=True, text=True, check=True)
    found = map(LINE.fullmatch, done.stdout.splitlines())
    assert [f"{line[1]} {line[2]} {line[3]}" for line in found if line] == out
    assert done.stderr.splitlines() == err


V1_CONFIG = {
    "version": 1,
    "handlers": {
        "file": {"class": "logging.FileHandler", "filename": "azmlinfsrv.log", "formatter": "azmlinfsrv"}
    },
    "formatters": {
        "azmlinfsrv": {
            "class": "azureml_inference_server_http.log_config.AMLLogFormatter",
            "format": "v1 %(name)s: %(message)s",
            "style": "%",
        }
    },
    "filters": {"health": {"()": "azureml_inference_server_http.log_config.RootAccessFilter"}},
    "loggers": {
        "azmlinfsrv": {"level": "INFO", "handlers": ["file"], "filters": ["health"], "propagate": False}
    },
}


def configured(folder: Path, config: str, script: str) -> subprocess.CompletedProcess[str]:
    (folder / "src").mkdir()
    (folder / "src" / "logging.json").write_text(config)
    code = (
        "import logging, os\n"
        "from gpu_inference_script.log_setup import configure_logging\n"
        "from gpu_inference_runtime.settings import load_settings\n"
        "settings = load_settings([], os.environ)\n"
        "script = settings.entry_script\n"
        "configure_logging(settings.log_format, settings.log_level, str(settings.app_root), script)\n"
    )
    environment = {**os.environ, "AML_APP_ROOT": str(folder), "AZUREML_ENTRY_SCRIPT": "src/score.py"}
    return subprocess.run(
        [sys.executable, "-c", code + script], env=environment, cwd=folder, capture_output=True, text=True
    )


def test_an_old_logging_json_decides_where_all_lines_go(tmp_path: Path) -> None:
    script = """
for name in ("azmlinfsrv", "azmlinfsrv.print", "gpu_inference", "gunicorn.error", "of.the.script"):
    logging.getLogger(name).info("a line")
"""
    done = configured(tmp_path, json.dumps(V1_CONFIG), script)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "azmlinfsrv.log").read_text().splitlines() == [
        "v1 azmlinfsrv: a line",
        "v1 azmlinfsrv.print: a line",
        "v1 gpu_inference: a line",
        "v1 gunicorn.error: a line",
    ]
    (line,) = map(LINE.fullmatch, done.stdout.splitlines())
    assert line
    assert (line[2], line[3]) == ("of.the.script", "a line")


def test_a_logging_json_with_a_root_alone_takes_everything_there(tmp_path: Path) -> None:
    config = {
        "version": 1,
        "handlers": {"out": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}},
        "root": {"level": "INFO", "handlers": ["out"]},
    }
    done = configured(
        tmp_path, json.dumps(config), "for name in ('azmlinfsrv', 'x'): logging.getLogger(name).info(name)"
    )
    assert (done.stdout, done.stderr) == ("azmlinfsrv\nx\n", "")


def test_a_logging_json_can_ask_for_our_formats(tmp_path: Path) -> None:
    config = {
        "version": 1,
        "formatters": {"ours": {"()": "gpu_inference_script.log_formats.JsonFormatter"}},
        "handlers": {
            "out": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "ours"}
        },
        "root": {"handlers": ["out"]},
    }
    done = configured(tmp_path, json.dumps(config), "logging.getLogger('gpu_inference').info('a line')")
    assert json.loads(done.stdout)["message"] == "a line"


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[]", "dictionary doesn't specify a version"),
        ('{"version": 2}', "Unsupported version: 2"),
        (
            '{"version": 1, "handlers": {"h": {"class": "my.Handler"}}, "root": {"handlers": ["h"]}}',
            "Unable to configure handler 'h' (Cannot resolve 'my.Handler': No module named 'my')",
        ),
    ],
)
def test_an_unusable_logging_json_ends_the_start(
    start_server: StartServer, config: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "logging.json").write_text(config)
    server = start_server(None, AML_APP_ROOT=str(tmp_path))
    assert server.wait_for_exit() == 1
    assert server.log == (
        f"gpu-inference-server: The logging configuration {tmp_path}/logging.json cannot be used: {why}.\n"
    )
