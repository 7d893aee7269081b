"""Real server processes for the tests: made from a script's text, asked over real sockets, always ended."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests
from tests.ports import free_ports

# A hang is a failure here; a slow machine is not.
PATIENCE_SECONDS = 60
# A script whose run() of "hold" goes on until there is a file `go` in the server's folder.
HOLDING = """
import pathlib, time
def init(): pass
def run(data):
    if data == "hold":
        print("run has begun")
        while not pathlib.Path("go").exists():
            time.sleep(0.01)
    return data
"""
# Likewise, in a lock of C's: no signal and no timeout ends that call, only the file `go` does.
HOLDING_NATIVELY = """
import ctypes, pathlib, threading, time
def init(): pass
def run(data):
    if data == "hold":
        c, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)
        c.pthread_mutex_lock(lock)
        def unlock():
            while not pathlib.Path("go").exists():
                time.sleep(0.01)
            c.pthread_mutex_unlock(lock)
        threading.Thread(target=unlock, daemon=True).start()
        print("run has begun")
        c.pthread_mutex_lock(lock)
    return data
"""


class Server:
    """One `gpu-inference-server` process with a folder of its own."""

    def __init__(
        self,
        folder: Path,
        script: str | None,
        files: Sequence[str],
        settings: dict[str, str],
        python: str | Path = sys.executable,
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.port, self.health_port = free_ports(2)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AZUREML_")}
        environment |= {"AML_APP_ROOT": str(folder), "SERVER_PORT": str(self.port)}
        environment |= {"HEALTH_PORT": str(self.health_port), "SERVICE_NAME": "mnist"}
        if script is not None:
            source = folder / "src"
            source.mkdir()
            (source / "score.py").write_text(script, encoding="utf-8")
            environment |= {"AZUREML_ENTRY_SCRIPT": "src/score.py", "AZUREML_SOURCE_DIRECTORY": "src"}
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        self._log_path = folder / "log"
        with self._log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [python, "-m", "gpu_inference_runtime"],
                cwd=folder,
                env=environment | settings,
                stdout=log,
                stderr=subprocess.STDOUT,
                # So that SIGINT can go to the whole group, as Ctrl-C in a terminal does.
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log_path.read_text(encoding="utf-8")

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def management(self, path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.health_port}{path}", timeout=PATIENCE_SECONDS)

    def score(self, data: str | bytes, path: str = "/score", **headers: str) -> requests.Response:
        return requests.post(
            self.url(path), data=data, headers=headers, timeout=PATIENCE_SECONDS, allow_redirects=False
        )

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except (requests.ConnectionError, ConnectionError):
                pass
            if self.process.poll() is not None:
                pytest.fail(f"The server ended while waiting for: {what}\n{self.log}")
            time.sleep(0.02)
        pytest.fail(f"Never: {what}\n{self.log}")

    def wait_ready(self) -> None:
        self.wait_until(self._is_ready, "ready")

    def _is_ready(self) -> bool:
        # Asked very often while the server starts, which requests takes twenty times as long for.
        with contextlib.closing(HTTPConnection("127.0.0.1", self.health_port, PATIENCE_SECONDS)) as asking:
            asking.request("GET", "/ready")
            return asking.getresponse().status == 200

    def wait_for_log(self, text: str) -> None:
        self.wait_until(lambda: text in self.log, f"{text!r} in the log")

    def wait_for_exit(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)

    def end(self) -> None:
        if self.process.poll() is None:
            started = _descendants(self.process.pid)
            os.killpg(self.process.pid, signal.SIGKILL)
            # What a script has forked is in a session of its own.
            for pid in started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return [each for child in children for each in (child, *_descendants(child))]


class HeldRequest(threading.Thread):
    """A client whose request HOLDING, or HOLDING_NATIVELY, holds until it is released."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server = server
        self.answers: list[requests.Response] = []
        self.start()
        server.wait_for_log("run has begun")

    def run(self) -> None:
        self.answers.append(self._server.score("hold"))

    def released(self) -> requests.Response:
        (self._server.folder / "go").touch()
        self.join(PATIENCE_SECONDS)
        [answer] = self.answers
        return answer


StartServer = Callable[..., Server]
