"""Builds the embedded cluster's programs from pinned Go modules, once per machine.

The cache key of a program is a digest of all its build inputs: a warm start does not run Go at all, and any
change causes a new build.
"""

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gpu_inference import cache
from gpu_inference.errors import GpuInferenceError
from gpu_inference.paths import cache_directory
from gpu_inference.process import end_group, run
from gpu_inference.progress import Progress
from gpu_inference_testing import versions
from gpu_inference_testing.toolchain.go_command import Go, build_environment, find_go

_SOURCES = Path(__file__).parent / "go"
# With less frequent garbage collection the compiler is a seventh faster and uses a few hundred MB more.
_COMPILERS_GOGC = "400"


@dataclass(frozen=True)
class Programs:
    """Paths of the built programs."""

    kubernetes: Path
    """The folder with kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy, etcd and
    fake-gpu-plugin."""
    containerd: Path
    """The folder with containerd, containerd-shim-runc-v2 and ctr."""
    coredns: Path
    pause: Path


@dataclass(frozen=True)
class GoProgram:
    """A Go module and how to build its programs."""

    name: str
    sources: Path
    version: str = ""
    packages: tuple[str, ...] = (".",)
    tags: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    """Go variables and the values that the linker sets."""
    links: tuple[str, ...] = ()
    """Names of symbolic links to the built program."""

    @property
    def title(self) -> str:
        """Name and version, for progress messages."""
        return f"{self.name} {self.version}".rstrip()

    def build_arguments(self) -> list[str]:
        """Return the arguments of `go build`, without the output path."""
        variables = [f"-X {name}={value}" for name, value in self.variables]
        return [
            "-trimpath",
            # The linker drops debug information anyway (-s -w); not generating it saves a fifth of the time.
            "-gcflags=all=-dwarf=false",
            *self.list_arguments(),
            "-ldflags",
            " ".join(["-s", "-w", *variables]),
        ]

    def list_arguments(self) -> list[str]:
        """Return the flags that determine which packages and modules a build needs."""
        return ["-tags", ",".join(self.tags)]

    def key(self, go: Go) -> str:
        """Return a digest of all inputs of the build."""
        digest = hashlib.sha256()
        inputs = [go.version, build_environment(), self.build_arguments(), self.packages, self.links]
        digest.update(json.dumps(inputs).encode())
        for path in sorted(self.sources.iterdir()):
            digest.update(f"\n{path.name} {path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def folder(self, go: Go) -> Path:
        """Return the cache folder of the built program; it need not exist yet."""
        return cache_directory() / "programs" / f"{self.name}-{self.key(go)}"


def _kubernetes() -> GoProgram:
    major, minor, _ = versions.KUBERNETES.split(".")
    build = {
        "gitVersion": f"v{versions.KUBERNETES}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "archive",
        "gitCommit": f"k8s.io/kubernetes@v{versions.KUBERNETES}",
        "buildDate": versions.KUBERNETES_RELEASED,
    }
    return GoProgram(
        name="kubernetes",
        sources=_SOURCES / "kubernetes",
        version=versions.KUBERNETES,
        tags=("notest", "grpcnotrace"),
        # Without these the server reports v0.0.0, which does not satisfy a chart's kubeVersion.
        variables=tuple(
            (f"{package}.{name}", value)
            for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
            for name, value in build.items()
        ),
        links=(
            "etcd",
            "fake-gpu-plugin",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-proxy",
            "kube-scheduler",
            "kubelet",
        ),
    )


def _containerd() -> GoProgram:
    module = "github.com/containerd/containerd/v2"
    return GoProgram(
        name="containerd",
        sources=_SOURCES / "containerd",
        version=versions.CONTAINERD,
        packages=tuple(f"{module}/cmd/{name}" for name in ("containerd", "containerd-shim-runc-v2", "ctr")),
        tags=("no_btrfs", "no_devmapper", "no_zfs"),
        variables=((f"{module}/version.Version", f"v{versions.CONTAINERD}"),),
    )


def _keda() -> GoProgram:
    module = "github.com/kedacore/keda/v2"
    return GoProgram(
        name="keda",
        sources=_SOURCES / "keda",
        version=versions.KEDA,
        packages=tuple(f"{module}/cmd/{name}" for name in ("operator", "adapter")),
        tags=("notest", "grpcnotrace"),
        variables=((f"{module}/version.Version", versions.KEDA),),
    )


PAUSE = GoProgram(name="pause", sources=_SOURCES / "pause")
CONTAINERD = _containerd()
COREDNS = GoProgram(
    name="coredns", sources=_SOURCES / "coredns", version=versions.COREDNS, tags=("notest", "grpcnotrace")
)
KUBERNETES = _kubernetes()
# Not in _ALL: only tests of autoscaling need it, and it takes as long to build as all of _ALL.
KEDA = _keda()

# From small to large, so that the modules of the largest are fetched while the others are compiled.
_ALL = (PAUSE, CONTAINERD, COREDNS, KUBERNETES)


def build_programs(progress: Progress) -> Programs:
    """Return the embedded cluster's programs; build those that are not in the cache.

    Raises:
        GpuInferenceError: Go is missing, a module cannot be fetched, a build fails, or the disk is full.
    """
    pause, containerd, coredns, kubernetes = build(_ALL, progress)
    return Programs(
        kubernetes=kubernetes, containerd=containerd, coredns=coredns / "coredns", pause=pause / "pause"
    )


def are_built() -> bool:
    """Return whether all programs of `build_programs` are in the cache."""
    go = find_go()
    return go is not None and all(program.folder(go).is_dir() for program in _ALL)


def build(programs: Sequence[GoProgram], progress: Progress, search_path: str | None = None) -> list[Path]:
    """Return the folder of each program; build those that are not in the cache.

    The modules of all programs are fetched in the background while earlier programs are compiled. A lock
    prevents concurrent processes from building the same program twice.

    Args:
        programs: the programs, in build order.
        progress: receives the steps.
        search_path: where to find Go; see `find_go`.

    Raises:
        GpuInferenceError: Go is missing, a module cannot be fetched, a build fails, or the disk is full.
    """
    go = find_go(search_path)
    if go is None:
        raise GpuInferenceError("Go is not installed, or not on PATH.", "gpu-inference cluster setup")
    folders = [program.folder(go) for program in programs]
    if all(folder.is_dir() for folder in folders):
        return folders
    with cache.locked(cache_directory() / "programs", progress), ExitStack() as downloads:
        missing = [
            (program, folder)
            for program, folder in zip(programs, folders, strict=True)
            if not folder.is_dir()
        ]
        fetching = [downloads.enter_context(_fetching_modules(program, go)) for program, _ in missing]
        for (program, folder), fetch in zip(missing, fetching, strict=True):
            if fetch.is_running():
                with progress.step(f"Fetching the Go modules of {program.title}"):
                    fetch.wait()
            fetch.check()
            with progress.step(f"Compiling {program.title} (once on this machine)"):
                _compile(program, go, folder)
    return folders


class _Fetch:
    """A running `go list` for the packages of a build, which makes Go fetch their modules."""

    def __init__(self, program: GoProgram, process: subprocess.Popen[bytes], log: Path) -> None:
        self._program = program
        self._process = process
        self._log = log

    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> None:
        self._process.wait()

    def check(self) -> None:
        if self._process.returncode == 0:
            return
        output = self._log.read_text(errors="replace").strip()
        cache.raise_if_disk_is_full(output)
        lines = [line for line in output.splitlines() if not line.startswith("go: downloading")]
        raise GpuInferenceError(
            f"The Go modules of {self._program.title} cannot be fetched:\n" + "\n".join(lines[-25:]),
            "Show where Go fetches modules from: go env GOPROXY",
        )


@contextmanager
def _fetching_modules(program: GoProgram, go: Go) -> Iterator[_Fetch]:
    with tempfile.TemporaryDirectory(prefix="gpu-inference-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [go.program, "list", "-deps", *program.list_arguments(), *program.packages],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
                env={**os.environ, **build_environment()},
                cwd=program.sources,
                start_new_session=True,
            )
        try:
            yield _Fetch(program, process, log)
        finally:
            if process.poll() is None:
                end_group(process)


def _compile(program: GoProgram, go: Go, folder: Path) -> None:
    with (
        cache.new_entry(folder) as unfinished,
        # Go does not remove its working folder if it is killed.
        tempfile.TemporaryDirectory(dir=folder.parent, prefix=cache.UNFINISHED) as work,
    ):
        try:
            run(
                [go.program, "build", *program.build_arguments(), "-o", f"{unfinished}/", *program.packages],
                env=build_environment() | {"GOTMPDIR": work, "GOGC": _COMPILERS_GOGC},
                cwd=program.sources,
            )
        except GpuInferenceError as error:
            cache.raise_if_disk_is_full(str(error))
            raise GpuInferenceError(f"{program.title} cannot be compiled: {error}") from error
        for link in program.links:
            (unfinished / link).symlink_to(program.name)
