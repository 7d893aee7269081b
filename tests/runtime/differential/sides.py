"""The two servers that are compared, each a real process with a folder and a port of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.ports import free_ports
from tests.runtime.differential.cases.case import Case, get
from tests.runtime.differential.exchange import send
from tests.runtime.server_process import PATIENCE_SECONDS

import gpu_inference_script

_ROOT = Path(__file__).parents[3]
_PACKAGES = str(Path(gpu_inference_script.__file__).parent / "stand_ins" / "packages")
_HEALTH = get("/")
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TMPDIR")


@dataclass(frozen=True)
class Side:
    """One of the two servers.

    Args:
        name: for messages and folders.
        python: the interpreter of its environment.
        entry: its main function, as `module:function`.
        libraries: modules that it imports, or scripts do; none that looks at variables or the working folder
            while it is imported, as gunicorn.config does.
        path: folders that go to the end of `sys.path`.
    """

    name: str
    python: Path
    entry: str
    libraries: tuple[str, ...]
    path: tuple[str, ...] = ()


_OF_SCRIPTS = ("flask", "pandas", "inference_schema.schema_decorators")
INCUMBENT = Side(
    "incumbent",
    _ROOT / ".venv-incumbent" / "bin" / "python",
    "azureml_inference_server_http.amlserver:run",
    (
        *_OF_SCRIPTS,
        "flask_cors",
        "pydantic_settings",
        "azure.monitor.opentelemetry.exporter",
        "gunicorn.arbiter",
        "gunicorn.workers.sync",
    ),
    # Azure ML's SDK is not installed: its Model class is our stand-in on both sides.
    (_PACKAGES,),
)
OURS = Side(
    "ours",
    Path(sys.executable),
    "gpu_inference_runtime.__main__:main",
    (
        *_OF_SCRIPTS,
        "opentelemetry.sdk.trace",
        "gunicorn.arbiter",
        "gpu_inference_runtime.process.server",
        "gpu_inference_runtime.web.pages",
    ),
)


class Zygote:
    """The process that a side's servers are forked from."""

    def __init__(self, side: Side) -> None:
        if not side.python.exists():
            pytest.fail(f"{side.python} is missing: `make .venv-incumbent/.installed` makes it.")
        self.side = side
        self._process = subprocess.Popen(
            [side.python, Path(__file__).with_name("zygote.py"), side.entry, *side.libraries],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lock = threading.Lock()
        self._answer()

    def order(self, **order: Any) -> dict[str, Any]:
        """Return the answer to an order."""
        with self._lock:
            assert self._process.stdin
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return self._answer()

    def end(self) -> None:
        """End it and all that it started."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(PATIENCE_SECONDS)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The zygote of {self.side.name} has ended, see its lines above.")
        answer: dict[str, Any] = json.loads(line)
        return answer


class Running:
    """A server that was started for a case."""

    def __init__(self, zygote: Zygote, case: Case, folder: Path) -> None:
        self._zygote = zygote
        self.name = zygote.side.name
        self.folder = folder
        self.port, health_port = free_ports(2)
        for name, content in case.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        arguments = [argument.replace("{port}", str(self.port)) for argument in case.arguments]
        self._log = folder / "server.log"
        self._log.touch()
        self.pid: int = zygote.order(
            start={
                "folder": str(folder),
                "log": str(self._log),
                "arguments": arguments,
                "environment": self._environment(case.settings, health_port),
                "path": zygote.side.path,
            }
        )["pid"]
        self.exit_status: int | None = None

    def _environment(self, settings: Mapping[str, str], health_port: int) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        # The incumbent overwrites HEALTH_PORT; HOME: it leaves a control socket there.
        own = {"AML_APP_ROOT": str(self.folder), "HEALTH_PORT": str(health_port), "HOME": str(self.folder)}
        own |= {"AZUREML_SOURCE_DIRECTORY": "src", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        given = {name: value.replace("{root}", str(self.folder)) for name, value in settings.items()}
        return {name: value for name, value in (kept | own | given).items() if value != "{unset}"}

    @property
    def log(self) -> str:
        """What it has written so far, with the folder's and the processes' own names left out."""
        return self._log.read_text(encoding="utf-8", errors="replace").replace(str(self.folder), "{root}")

    def ended(self) -> bool:
        """Whether the server has ended; then `exit_status` tells how."""
        if self.exit_status is None:
            self.exit_status = self._zygote.order(wait=self.pid, block=False)["exit"]
        return self.exit_status is not None

    def wait_until_ready(self) -> bool:
        """Return whether it serves; False when it ended instead."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.ended():
            with contextlib.suppress(ConnectionRefusedError):
                if send(_HEALTH, self.port).status == 200:
                    return True
            if time.monotonic() > end:
                pytest.fail(f"{self.name} never got ready.\n{self.log}")
            time.sleep(0.03)
        return False

    def wait_for_exit(self) -> int:
        """Return its exit status, or minus the signal's number."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.ended():
            if time.monotonic() > end:
                pytest.fail(f"{self.name} never ended.\n{self.log}")
            time.sleep(0.03)
        assert self.exit_status is not None
        return self.exit_status

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something is so of the running server."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > end or self.ended():
                pytest.fail(f"{self.name}: never came {what}.\n{self.log}")
            time.sleep(0.03)

    def end(self) -> None:
        """End it with all its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if self.exit_status is None:
            self._zygote.order(wait=self.pid, block=True)


@contextlib.contextmanager
def running(zygotes: Sequence[Zygote], case: Case, folder: Path) -> Iterator[list[Running]]:
    """Start the case's server on each side and end them all."""
    servers: list[Running] = []
    try:
        for number, zygote in enumerate(zygotes):
            # Of the same length: paths may be in answers, and their length then is too.
            own = folder / str(number)
            own.mkdir()
            servers.append(Running(zygote, case, own))
        yield servers
    finally:
        for server in servers:
            server.end()
