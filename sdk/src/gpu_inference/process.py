"""Runs other programs: their words are kept for the error message, and Ctrl-C ends them with us."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from gpu_inference.errors import GpuInferenceError

_TAIL_LINES = 25


class ProgramError(GpuInferenceError):
    """A program exited with an error. `said` is all that it wrote, for callers that translate it further."""

    def __init__(self, what: str, said: str) -> None:
        super().__init__(what)
        self.said = said


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout: float | None = None,
    log: Path | None = None,
) -> str:
    """Run a program to its end and return what it wrote to standard output.

    Args:
        command: the program and its arguments.
        env: variables added to our own environment.
        cwd: the folder to run it in.
        stdin: text for its standard input; none unless given.
        timeout: seconds until it is ended, with all its children.
        log: a file that gets both its outputs instead (the result is then empty); errors carry its tail.

    Raises:
        GpuInferenceError: it cannot be found or runs past the timeout.
        ProgramError: it exits non-zero; with its last lines.
    """
    words = [os.fspath(word) for word in command]
    output = log.open("ab") if log else subprocess.PIPE
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT if log else subprocess.PIPE,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            # A group of its own, so that a timeout or Ctrl-C reaches its children as well.
            start_new_session=True,
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise GpuInferenceError(f"The folder {cwd} does not exist.") from error
        raise GpuInferenceError(f"The program {words[0]!r} is not installed or not on PATH.") from error
    finally:
        if not isinstance(output, int):
            output.close()
    try:
        out, err = process.communicate(None if stdin is None else stdin.encode(), timeout)
    except BaseException as error:
        end_group(process)
        if isinstance(error, subprocess.TimeoutExpired):
            raise GpuInferenceError(f"{' '.join(words)} did not end within {timeout:.0f} s.") from error
        raise
    if process.returncode:
        said = log.read_text(errors="replace") if log else (err or out).decode(errors="replace")
        tail = "\n".join(said.strip().splitlines()[-_TAIL_LINES:])
        where = f" (whole log: {log})" if log else ""
        raise ProgramError(
            f"{' '.join(words)} exited with {process.returncode}{where}:\n{tail}", said.strip()
        )
    return "" if log else out.decode(errors="replace")


def end_group(process: subprocess.Popen[bytes], grace_seconds: float = 5) -> None:
    """End a program started with `start_new_session` and all its children: first asked, then killed."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)
        except ProcessLookupError:
            break
        try:
            process.wait(grace_seconds)
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()
