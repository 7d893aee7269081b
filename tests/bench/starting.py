"""How long a server takes until its first score, and what it then has in memory."""

import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.bench.arithmetic import Spread
from tests.bench.findings import Finding
from tests.bench.load import Generator, Phase
from tests.bench.processes import Memory
from tests.bench.servers import SERVICES, Spec, Starter
from tests.bench.workloads import Workloads

from gpu_inference.errors import GpuInferenceError
from gpu_inference.process import end_group, run
from gpu_inference.progress import Progress

_ECHO_SECONDS = 0.8
_ECHO_MEGABYTES = 85.0
_BARE_RATIO = 1.05
_BARE = """
import sys
import article_script
article_script.init()
article_script.run(open(sys.argv[1], encoding="utf-8").read())
print("scored", flush=True)
"""


class StartTrial:
    """Starts servers one after another, alone on the machine."""

    def __init__(
        self, starter: Starter, workloads: Workloads, generator: Generator, progress: Progress
    ) -> None:
        self._starter = starter
        self._workloads = workloads
        self._generator = generator
        self._progress = progress

    def findings(self, repeats: int) -> list[Finding]:
        """Measure start and memory with the echo script and with TensorFlow."""
        return [*self._echo(repeats), *self._tensorflow(repeats)]

    def _echo(self, repeats: int) -> list[Finding]:
        with self._progress.step("start and memory: echo"):
            try:
                ours, our_memory = self._starts(Spec("ours", "echo", cores=2), repeats)
                theirs, their_memory = self._starts(Spec("incumbent", "echo", cores=2), repeats)
            except GpuInferenceError as error:
                return [_not_measured("echo: first score", error)]
        seconds, their_seconds = Spread.of(ours).median, Spread.of(theirs).median
        return [
            Finding(
                15,
                "echo: start to first score",
                f"≤ {_ECHO_SECONDS} s",
                f"{seconds:.2f} s (incumbent {their_seconds:.2f} s)",
                seconds <= _ECHO_SECONDS,
                their_seconds / seconds,
            ),
            Finding(
                15,
                "echo: memory of all processes (RSS)",
                f"≤ {_ECHO_MEGABYTES:.0f} MB",
                _compared(our_memory, their_memory),
                our_memory.rss <= _ECHO_MEGABYTES,
                their_memory.rss / our_memory.rss,
                details={"ours": asdict(our_memory), "incumbent": asdict(their_memory)},
            ),
        ]

    def _tensorflow(self, repeats: int) -> list[Finding]:
        with self._progress.step("start and memory: TensorFlow"):
            bare, ours, theirs = [], [], []
            try:
                for _ in range(repeats):
                    bare.append(self._bare())
                    seconds, our_memory = self._starts(Spec("ours", "tensorflow", cores=2), 1)
                    ours += seconds
                    seconds, their_memory = self._starts(Spec("incumbent", "tensorflow", cores=2), 1)
                    theirs += seconds
            except GpuInferenceError as error:
                return [_not_measured("TF: first score", error)]
        median = Spread.of(ours).median
        ratio = median / Spread.of(bare).median
        return [
            Finding(
                15,
                "TF: start to first score",
                f"≤ {_BARE_RATIO}x of a bare import + load",
                f"{ratio:.2f}x ({median:.2f} s; incumbent {Spread.of(theirs).median:.2f} s)",
                ratio <= _BARE_RATIO,
                1 / ratio,
            ),
            Finding(
                15,
                "TF: memory of all processes (RSS)",
                "≤ the incumbent's",
                _compared(our_memory, their_memory),
                our_memory.rss <= their_memory.rss,
                their_memory.rss / our_memory.rss,
                details={"ours": asdict(our_memory), "incumbent": asdict(their_memory)},
            ),
        ]

    def _starts(self, spec: Spec, repeats: int) -> tuple[list[float], Memory]:
        requests = self._workloads.requests("row", spec.form, spec.model)
        first = requests.files[0].read_bytes()
        seconds = []
        for _ in range(repeats):
            server = self._starter.start(spec)
            try:
                seconds.append(server.wait_for(first, lambda body: requests.check(0, body)))
                self._generator.load(server.port, requests.files, 8, [Phase(0.5)])
                memory = server.memory()
            finally:
                server.stop()
        return seconds, memory

    def _bare(self) -> float:
        body = (
            self._workloads.requests("row", "v1", "tensorflow")
            .files[0]
            .read_bytes()
            .partition(b"\r\n\r\n")[2]
        )
        path = self._workloads.model_folder / "row.json"
        path.write_bytes(body)
        # Nothing of Python's own variables, as the servers have it.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment |= {
            "PYTHONPATH": str(SERVICES),
            "BENCH_MODEL": "tensorflow",
            "AZUREML_MODEL_DIR": str(self._workloads.model_folder),
        }
        began = time.monotonic()
        with subprocess.Popen(
            [sys.executable, "-c", _BARE, str(path)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            assert process.stdout
            try:
                scored = process.stdout.readline() == b"scored\n"
                seconds = time.monotonic() - began
            finally:
                # Its end is not what is measured, and an interrupted one must not stay.
                end_group(process)
        if not scored:
            raise GpuInferenceError("the article's script does not run by itself")
        return seconds


def machine() -> dict[str, str]:
    """Return what a reader must know of the machine to judge the figures."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    return {
        "processor": cpu,
        "cores": str(os.cpu_count()),
        "kernel": os.uname().release,
        "python": sys.version.split()[0],
        "commit": run(["git", "describe", "--always", "--dirty"], cwd=SERVICES).strip(),
    }


def _compared(ours: Memory, theirs: Memory) -> str:
    return f"{ours.rss:.0f} MB, PSS {ours.pss:.0f} (incumbent {theirs.rss:.0f}, PSS {theirs.pss:.0f})"


def _not_measured(what: str, error: GpuInferenceError) -> Finding:
    return Finding(15, what, "-", f"not measured: {error}", None)
