"""Starts our server as in the image, asks it over HTTP, knows its processes, and always ends them."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from types import TracebackType

_HERE = Path(__file__).parent
_SOURCE = _HERE.parents[1] / "runtime" / "src"
_START_SECONDS = 90.0
_STOP_SECONDS = 15.0
_OURS = ("AZUREML_", "AML_", "GPU_INFERENCE_", "OTEL_")
_METRIC = re.compile(r"^(\w+)(?:\{.*?\})? (\S+)$", re.MULTILINE)
# The program of a script process, as `ps` shows it.
_SCRIPT_PROGRAM = "gpu_inference_script/start.py"


class ServerError(Exception):
    """The server did not start, or ended; the text says what it wrote last."""


@dataclass(frozen=True)
class Answer:
    """What came of a request."""

    status: int
    """0 where the connection broke."""
    body: bytes
    began: float
    seconds: float


class Server:
    """One server with one of the services, from its start to its end.

    Args:
        name: for its log.
        script: a file of `services/`.
        folder: where its log is written.
        environment: settings of the server and of the script, beside those of this process.
    """

    def __init__(self, name: str, script: str, folder: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.port, self.management_port = _free_ports()
        settings = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
        settings |= {
            "PYTHONPATH": str(_SOURCE),
            "AML_APP_ROOT": str(_HERE),
            "AZUREML_SOURCE_DIRECTORY": "services",
            "AZUREML_ENTRY_SCRIPT": f"services/{script}",
            "SERVER_PORT": str(self.port),
            "HEALTH_PORT": str(self.management_port),
            "SERVICE_NAME": "gpu",
        }
        self._log_path = folder / f"{name}.log"
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gpu_inference_runtime"],
                cwd=folder,
                env=settings | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._began = time.monotonic()

    def __enter__(self) -> "Server":
        try:
            self._wait_ready()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _wait_ready(self) -> None:
        while self.management("/ready").status != 200:
            if self._process.poll() is not None:
                raise ServerError(f"{self.name}: ended with {self._process.returncode}: {self.log[-1500:]}")
            if time.monotonic() - self._began > _START_SECONDS:
                raise ServerError(f"{self.name}: not ready after {_START_SECONDS:.0f} s: {self.log[-1500:]}")
            time.sleep(0.05)
        self.start_seconds = time.monotonic() - self._began

    def end(self) -> None:
        """Stop it, with patience."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    # What is asked

    def score(self, body: bytes | str, timeout: float = 60.0) -> Answer:
        return self._ask(self.port, "POST", "/score", body, timeout)

    def get(self, path: str, timeout: float = 10.0) -> Answer:
        return self._ask(self.port, "GET", path, None, timeout)

    def management(self, path: str) -> Answer:
        return self._ask(self.management_port, "GET", path, None, 10.0)

    def _ask(self, port: int, method: str, path: str, body: bytes | str | None, timeout: float) -> Answer:
        began = time.monotonic()
        with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout)) as connection:
            try:
                connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
                response = connection.getresponse()
                return Answer(response.status, response.read(), began, time.monotonic() - began)
            except (OSError, HTTPException):
                return Answer(0, b"", began, time.monotonic() - began)

    def exchange(self, request: bytes) -> Answer:
        """Send a whole request on a connection of its own."""
        began = time.monotonic()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 60.0) as connection:
                connection.sendall(request)
                with contextlib.closing(HTTPResponse(connection)) as response:
                    response.begin()
                    return Answer(response.status, response.read(), began, time.monotonic() - began)
        except (OSError, HTTPException):
            return Answer(0, b"", began, time.monotonic() - began)

    def metrics(self) -> dict[str, float]:
        """Its metrics at one moment, without regard to labels."""
        text = self.management("/metrics").body.decode()
        return {name: float(value) for name, value in _METRIC.findall(text)}

    # What it is

    @property
    def log(self) -> str:
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def front_pid(self) -> int:
        """The process that has the sockets.

        Raises:
            ServerError: there is none.
        """
        script = self.script_pid()
        parents = _parents()
        front = parents.get(script, 0)
        if parents.get(front) != self._process.pid:
            raise ServerError(f"{self.name}: the script process {script} has no front")
        return front

    def script_pid(self) -> int:
        """The process that runs the script.

        Raises:
            ServerError: there is none.
        """
        parents = _parents()
        for pid in parents:
            if parents.get(parents[pid]) == self._process.pid and _SCRIPT_PROGRAM in _command(pid):
                return pid
        raise ServerError(f"{self.name}: there is no script process")


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def _parents() -> dict[int, int]:
    """The parent of each process. Not from `children`, which some sandboxes do not have."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name, in brackets, may hold anything.
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    return parents


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""
