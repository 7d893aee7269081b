"""The files of versions agree with the files that have to repeat some of them."""

import re
from pathlib import Path

import pytest

from gpu_inference import versions as sdk_versions
from gpu_inference_testing import versions
from gpu_inference_testing.toolchain import programs
from gpu_inference_testing.toolchain.go_command import version_key

_GO_MODULES = sorted((Path(programs.__file__).parent / "go").iterdir())
_DOCKERFILE = Path(__file__).parents[2] / "runtime" / "Dockerfile"


def _required(program: str) -> dict[str, str]:
    text = next(folder for folder in _GO_MODULES if folder.name == program).joinpath("go.mod").read_text()
    return dict(re.findall(r"^(?:require )?\t?([\w.-]+/[\w./-]+) v(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("program", "module", "version"),
    [
        ("kubernetes", "k8s.io/kubernetes", versions.KUBERNETES),
        ("kubernetes", "k8s.io/kubelet", "0" + versions.KUBERNETES.removeprefix("1")),
        ("kubernetes", "go.etcd.io/etcd/server/v3", versions.ETCD),
        ("containerd", "github.com/containerd/containerd/v2", versions.CONTAINERD),
        ("coredns", "github.com/coredns/coredns", versions.COREDNS),
        ("keda", "github.com/kedacore/keda/v2", versions.KEDA),
        # The same as Kubernetes' own, so that what both are made of is fetched and compiled once.
        ("coredns", "k8s.io/client-go", "0" + versions.KUBERNETES.removeprefix("1")),
    ],
)
def test_a_go_module_requires_the_version_of_the_one_file(program: str, module: str, version: str) -> None:
    assert _required(program)[module] == version


def test_all_parts_of_kubernetes_are_of_its_version() -> None:
    text = (
        next(folder for folder in _GO_MODULES if folder.name == "kubernetes").joinpath("go.mod").read_text()
    )
    replaced = re.findall(r"^\t(k8s\.io/\S+) => (\S+) v(\S+)$", text, re.MULTILINE)
    assert len(replaced) > 25
    assert all(name == by for name, by, _ in replaced)
    assert {version for _, _, version in replaced} == {"0" + versions.KUBERNETES.removeprefix("1")}


def test_the_go_that_preflight_asks_for_is_the_one_that_the_modules_need() -> None:
    lines = [
        re.search(r"^go (\S+)$", (folder / "go.mod").read_text(), re.MULTILINE) for folder in _GO_MODULES
    ]
    needed = max(version_key(line.group(1)) for line in lines if line)
    assert version_key(versions.GO_MINIMUM) == needed
    assert version_key(versions.GO) >= needed


def test_every_go_module_is_one_that_gets_built() -> None:
    built = [programs.PAUSE, programs.CONTAINERD, programs.COREDNS, programs.KEDA, programs.KUBERNETES]
    assert sorted(program.sources for program in built) == _GO_MODULES


def test_kubectl_is_at_most_one_minor_version_from_the_api_server() -> None:
    assert abs(version_key(sdk_versions.KUBECTL)[1] - version_key(versions.KUBERNETES)[1]) <= 1


def test_the_base_built_here_is_of_the_suite_of_the_dockerfile() -> None:
    assert re.search(
        rf"^ARG BASE_IMAGE=\S+-{sdk_versions.DEBIAN_SUITE}$", _DOCKERFILE.read_text(), re.MULTILINE
    )
