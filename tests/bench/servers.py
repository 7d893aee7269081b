"""Starts the servers that are compared, speaks nothing but HTTP to them, and ends all their processes."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from tests.bench import environments, processes
from tests.bench.workloads import Requests, Workloads
from tests.ports import free_ports

from gpu_inference.errors import GpuInferenceError

SERVICES = Path(__file__).parent / "services"
START_PATIENCE_SECONDS = 120.0

_FRONT_END = {
    "GPU_INFERENCE_FRONT_END": "azureml",
    "GPU_INFERENCE_MAX_QUEUE_WAIT_MS": "250",
    "GPU_INFERENCE_MAX_CONCURRENT_REQUESTS": "1",
}
MODES: dict[str, dict[str, str]] = {
    "plain": {},
    "merge": {"GPU_INFERENCE_BATCHING": "merge"},
    "merge+fast_json": {"GPU_INFERENCE_BATCHING": "merge", "GPU_INFERENCE_FAST_JSON": "true"},
    "array": {"GPU_INFERENCE_BATCHING": "array", "GPU_INFERENCE_ARRAY_DTYPE": "float32"},
    "two scripts": {"WORKER_COUNT": "2"},
    "front end": _FRONT_END,
    "schema, front end": _FRONT_END | {"GPU_INFERENCE_BATCHING": "schema"},
    "array, front end": _FRONT_END
    | {"GPU_INFERENCE_BATCHING": "array", "GPU_INFERENCE_ARRAY_DTYPE": "float32"},
}
"""Every setting of ours that the benchmark uses: how each of our servers differs from one with no option."""


@dataclass(frozen=True)
class Spec:
    """One server: which program, how it is set, and which model it answers with."""

    program: str
    """`ours`, `incumbent`, `kserve`, `pytriton`, `mlserver` or `mlserver batching`."""
    model: str
    """`echo`, `numpy`, `tensorflow`, `gpu`, `gil` or `counting`."""
    cores: int = 1
    """1: one core of its own; 2: both, together with the clients."""
    mode: str = "plain"
    """One of `MODES`; only of ours."""

    @property
    def label(self) -> str:
        """A name for files and messages."""
        mode = f" {self.mode}" if self.program == "ours" else ""
        return f"{self.program}{mode}, {self.model}, {self.cores}c"

    @property
    def file_name(self) -> str:
        """The same for files."""
        return self.label.replace(", ", "-").replace(" ", "-")

    @property
    def form(self) -> str:
        """The protocol that its clients speak."""
        forms = {"kserve": "kserve", "pytriton": "v2", "mlserver": "v2", "mlserver batching": "v2"}
        return "v1 with key" if self.mode.endswith("front end") else forms.get(self.program, "v1")


@dataclass
class Server:
    """A server that runs."""

    spec: Spec
    port: int
    process: "subprocess.Popen[bytes]"
    log: Path
    began: float
    """When its process was started, by the monotonic clock."""
    health_path: str = "/"
    _seen: set[int] = field(default_factory=set)

    def cpu(self) -> processes.CpuMeter:
        """Begin to count the processor time of all its processes."""
        self._seen.update(processes.tree(self.process.pid))
        return processes.CpuMeter(self.process.pid)

    def memory(self) -> processes.Memory:
        """What all its processes have in memory."""
        return processes.memory(self.process.pid)

    def exchange(self, request: bytes, timeout: float = 60.0) -> tuple[int, bytes]:
        """Send one whole request on a connection of its own and return status and body.

        Raises:
            OSError, HTTPException: there is no answer.
        """
        with socket.create_connection(("127.0.0.1", self.port), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(request)
            response = HTTPResponse(connection)
            response.begin()
            return response.status, response.read()

    def wait_for(self, request: bytes, right: Callable[[bytes], bool]) -> float:
        """Return after how many seconds since its start the server answered a request rightly with 200.

        Raises:
            GpuInferenceError: it ends, or answers otherwise for too long.
        """
        said = "no answer"
        while time.monotonic() - self.began < START_PATIENCE_SECONDS:
            if self.process.poll() is not None:
                raise GpuInferenceError(f"ended with status {self.process.returncode}: {self._last_words()}")
            try:
                status, body = self.exchange(request, START_PATIENCE_SECONDS)
                if status == 200 and right(body):
                    return time.monotonic() - self.began
                said = f"HTTP {status}" if status != 200 else f"a wrong answer: {body[:80]!r}"
                if status not in (404, 503):
                    # It serves, and answers this wrongly: waiting changes nothing.
                    raise GpuInferenceError(f"answers {said}")
            except (OSError, HTTPException):
                pass
            time.sleep(0.005)
        raise GpuInferenceError(f"did not serve within {START_PATIENCE_SECONDS:.0f} s: {said}")

    def stop(self) -> None:
        """End the server and everything that it started."""
        self._seen.update(processes.tree(self.process.pid))
        for kind, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, kind)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
                break
        for pid in self._seen - {self.process.pid}:
            if _is_under(pid, self._seen):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1][-300:] if lines else "it said nothing"


def _is_under(pid: int, family: set[int]) -> bool:
    # Its number may have gone to another process since: only what nobody else has begun is ended.
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    parent, _, session = (int(word) for word in stat.rpartition(")")[2].split()[1:4])
    return parent in family or session in family


class Starter:
    """Knows how each program is started."""

    def __init__(
        self, workloads: Workloads, logs: Path, pythons: Mapping[str, Path], server_core: int
    ) -> None:
        """Take the interpreters of the peers that are installed, by name."""
        self._workloads = workloads
        self._logs = logs
        self._pythons = pythons
        self._core = server_core
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, spec: Spec) -> Server:
        """Start a server; it does not serve yet."""
        ports = free_ports(3)
        environment = self._environment(spec, ports)
        command = self._command(spec, ports)
        if spec.cores == 1:
            command = ["taskset", "--cpu-list", str(self._core), *command]
        log = self._logs / f"{spec.file_name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self._folder(spec),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        health = "/v2/health/ready" if spec.form == "v2" else "/"
        return Server(spec, ports[0], process, log, time.monotonic(), health)

    @contextmanager
    def serving(self, spec: Spec) -> Iterator[tuple[Server, Requests]]:
        """Have a server serve within the block, with requests of one row for it.

        Raises:
            GpuInferenceError: it does not serve.
        """
        requests = self._workloads.requests("row", spec.form, spec.model)
        server = self.start(spec)
        try:
            server.wait_for(requests.files[0].read_bytes(), lambda body: requests.check(0, body))
            yield server, requests
        finally:
            server.stop()

    def _command(self, spec: Spec, ports: list[int]) -> list[str]:
        if spec.program == "ours":
            return [sys.executable, "-m", "gpu_inference_runtime"]
        if spec.program == "incumbent":
            command = str(environments.incumbent_python().with_name("azmlinfsrv"))
            return [
                command,
                "--port",
                str(ports[0]),
                "--health_port",
                str(ports[1]),
                "--entry_script",
                _script(spec),
            ]
        python = self._pythons[spec.program.split()[0]]
        if spec.program.startswith("mlserver"):
            return [str(python), "-c", "from mlserver.cli import main; main()", "start", "."]
        return [str(python), str(SERVICES / f"{spec.program}_service.py")]

    def _environment(self, spec: Spec, ports: list[int]) -> dict[str, str]:
        # What the person who measures has set for Python, a server or a library stays out, except where
        # modules are found.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "AZUREML_", "AML_", "GPU_INFERENCE_", "OMP_", "TF_"))
        }
        paths = [str(SERVICES), os.environ.get("PYTHONPATH", "")]
        environment |= {
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "BENCH_MODEL": spec.model,
            "BENCH_PORT": str(ports[0]),
            "BENCH_PORTS": " ".join(map(str, ports)),
            "AZUREML_MODEL_DIR": str(self._workloads.model_folder),
            "AML_APP_ROOT": str(SERVICES),
            "AZUREML_ENTRY_SCRIPT": _script(spec),
            "SERVICE_NAME": "bench",
        }
        if spec.program == "ours":
            environment |= {"SERVER_PORT": str(ports[0]), "HEALTH_PORT": str(ports[1]), **MODES[spec.mode]}
        if spec.mode.endswith("front end"):
            environment["GPU_INFERENCE_KEYS_DIR"] = str(self._workloads.keys_folder)
        if spec.program.startswith("mlserver"):
            names = ("HTTP_PORT", "GRPC_PORT", "METRICS_PORT")
            environment |= {f"MLSERVER_{name}": str(port) for name, port in zip(names, ports, strict=True)}
            environment |= {"MLSERVER_HOST": "127.0.0.1", "MLSERVER_PARALLEL_WORKERS": "0"}
            environment |= {
                "MLSERVER_MODEL_NAME": "net",
                "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_service.Net",
            }
            if spec.program == "mlserver batching":
                environment |= {
                    "MLSERVER_MODEL_MAX_BATCH_SIZE": "32",
                    "MLSERVER_MODEL_MAX_BATCH_TIME": "0.002",
                }
        return environment

    def _folder(self, spec: Spec) -> Path:
        # A folder of its own: MLServer takes every model-settings.json below it, and keeps files there.
        folder = self._logs / "folders" / spec.file_name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _script(spec: Spec) -> str:
    name = next((word for word in ("array", "schema") if word in spec.mode), "article")
    if spec.model in ("echo", "counting"):
        name = spec.model
    return str(SERVICES / f"{name}_script.py")
