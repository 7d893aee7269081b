"""Where print() goes once it is part of the log, and what stays as it was."""

import builtins
import contextlib
import io
import sys

import pytest

from gpu_inference_script.logs import print_to_log


@pytest.fixture(autouse=True)
def _print_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtins, "print", builtins.print)
    print_to_log()


def test_a_print_is_one_line_of_the_scripts_logger(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    print("100 %", 7, None, sep="-", end="", flush=True)
    print("to", "stdout", file=sys.stdout)
    print()
    assert [(record.name, record.getMessage()) for record in caplog.records] == [
        ("azmlinfsrv.print", "100 %-7-None"),
        ("azmlinfsrv.print", "to stdout"),
        ("azmlinfsrv.print", ""),
    ]


def test_a_print_to_another_stream_goes_there(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("INFO")
    print("a", "b", sep=":", end="!", file=sys.stderr)
    assert capsys.readouterr().err == "a:b!"
    assert caplog.records == []


def test_a_print_while_the_script_catches_standard_output_is_caught(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    with contextlib.redirect_stdout(io.StringIO()) as caught:
        print("to the script")
    assert caught.getvalue() == "to the script\n"
    assert caplog.records == []
