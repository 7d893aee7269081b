"""Runs other programs: errors contain their output, and Ctrl-C ends them with this process."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from gpu_inference.errors import GpuInferenceError

_TAIL_LINES = 25


class ProgramError(GpuInferenceError):
    """A program exited with an error. `output` is everything that it wrote, for callers that parse it."""

    def __init__(self, what: str, output: str) -> None:
        super().__init__(what)
        self.output = output


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout: float | None = None,
    log: Path | None = None,
) -> str:
    """Run a program, wait until it ends, and return its standard output.

    Args:
        command: the program and its arguments.
        env: variables to add to this process' environment.
        cwd: the folder to run it in.
        stdin: text for its standard input. Default: none.
        timeout: seconds after which it is ended with all its children. Default: no limit.
        log: a file to append standard output and standard error to; the result is then empty.

    Raises:
        GpuInferenceError: the program is not found or does not end within the timeout.
        ProgramError: it exits non-zero; the message contains its last lines.

    Example:
        version = run(["helm", "version", "--short"], timeout=10).strip()
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
            # A process group of its own, so that a timeout or Ctrl-C also ends its children.
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
        written = log.read_text(errors="replace") if log else (err or out).decode(errors="replace")
        tail = "\n".join(written.strip().splitlines()[-_TAIL_LINES:])
        where = f" (whole log: {log})" if log else ""
        raise ProgramError(
            f"{' '.join(words)} exited with {process.returncode}{where}:\n{tail}", written.strip()
        )
    return "" if log else out.decode(errors="replace")


def end_group(process: subprocess.Popen[bytes], grace_seconds: float = 5) -> None:
    """End a program started with `start_new_session` and all its children: SIGTERM, then SIGKILL."""
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
