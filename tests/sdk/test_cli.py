"""The command itself: help, usage, exit statuses, completion in a shell."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpu_inference import __version__
from gpu_inference.cli import main

PROGRAM = Path(sys.executable).with_name("gpu-inference")


def completed(*words: str) -> list[str]:
    """Return what a bash that has the completion offers for the last word."""
    done = subprocess.run(
        [PROGRAM],
        env={
            **os.environ,
            "_GPU_INFERENCE_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["gpu-inference", *words]),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_a_shell_completes_commands_and_options() -> None:
    assert completed("de") == ["delete", "deploy"]
    assert completed("cluster", "set") == ["set-gpus", "setup"]
    assert completed("deploy", "--ov") == ["--overwrite"]
    assert completed("deploy", "--framework", "torch") == ["torch-gpu"]


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Usage: gpu-inference [OPTIONS] COMMAND")
    listed = {line.split()[0] for line in said.partition("Commands:\n")[2].splitlines()}
    services = "delete deploy keys list logs score state update uri wait"
    assert listed == {*services.split(), "chart", "cluster", "convert", "image"}


@pytest.mark.parametrize("words", [["-h"], ["deploy", "-h"], ["keys", "regenerate", "--help"]])
def test_help_is_no_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert "--help" in capsys.readouterr().out


def test_version_names_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"gpu-inference {__version__}\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["deploy"], "Missing option '--name'"),
        (["depoly"], "No such command 'depoly'"),
        (["score", "abc"], "Missing option '--data'"),
        (["deploy", "--name", "abc", "--framework", "pytorch"], "'pytorch' is not one of 'none'"),
        (["logs", "abc", "--lines", "many"], "'many' is not a valid integer"),
    ],
)
def test_a_call_that_makes_no_sense_ends_with_2(
    words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    said = capsys.readouterr()
    assert (caught.value.code, said.out) == (2, "")
    assert said.err.startswith("Usage: gpu-inference ")
    assert why in said.err
