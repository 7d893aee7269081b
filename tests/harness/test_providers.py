"""How the SDK finds the clusters of the harness, and that it leaves the harness alone for all others."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import yaml

from gpu_inference.cluster import cluster_of, find_kubeconfig, open_cluster, provider_names
from gpu_inference.errors import GpuInferenceError
from gpu_inference.paths import local_kubeconfig, state_directory
from gpu_inference.process import run
from gpu_inference_testing.embedded import pki, processes
from gpu_inference_testing.embedded.cluster import EmbeddedCluster
from gpu_inference_testing.embedded.layout import NODE_MODULE, StateFolder

# Calls the command line, then says what of the harness was imported and whether /proc was listed.
WATCHED = """
import sys
sys.stderr = sys.stdout
listed = []
sys.addaudithook(lambda event, of: event in ("os.listdir", "os.scandir") and listed.append(str(of[0])))
from gpu_inference.cli import main
status = main(sys.argv[1:])
print(status, [name for name in sys.modules if name.startswith("gpu_inference_testing")], "/proc" in listed)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a user with a cluster of their own, which does not answer."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GPU_INFERENCE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    pki.create(tmp_path / "pki", "own", IPv4Address("127.0.0.1"), IPv4Address("127.0.0.2"))
    content = yaml.safe_load((tmp_path / "pki" / "admin.kubeconfig").read_text())
    content["clusters"][0]["cluster"] |= {"server": "https://127.0.0.1:1", "extensions": None}
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(yaml.safe_dump(content))
    return tmp_path


@pytest.fixture(params=["gpu-inference", "lab"])
def running(request: pytest.FixtureRequest, home: Path) -> Iterator[StateFolder]:
    """The state of a cluster that seems to run: a process with the command line of its node's is there."""
    state = StateFolder(home / "state" / request.param)
    pki.create(state.pki, request.param, IPv4Address("127.0.0.3"), IPv4Address("127.0.0.4"))
    shutil.copy(state.pki / "admin.kubeconfig", state.kubeconfig)
    sleeping = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen([*sleeping, "-m", NODE_MODULE, request.param, str(state.root)]) as node:
        deadline = time.monotonic() + 10
        while processes.find(request.param, state.root) is None:
            assert time.monotonic() < deadline
        yield state
        node.kill()


def test_the_providers_of_both_distributions_are_known() -> None:
    assert provider_names() == ["embedded", "kind", "kubeconfig"]


def test_both_sides_name_the_same_kubeconfig() -> None:
    assert StateFolder(state_directory() / "lab").kubeconfig == local_kubeconfig("lab")


@pytest.mark.parametrize("explicit", [False, True])
def test_deploy_to_the_users_own_cluster_leaves_the_harness_alone(home: Path, explicit: bool) -> None:
    (home / "src").mkdir()
    (home / "src" / "score.py").write_text("def init(): pass\ndef run(data): return data\n")
    words = ["deploy", "--name", "abc", "--source", str(home / "src"), "--entry-script", "score.py"]
    if explicit:
        words += ["--kubeconfig", str(home / ".kube" / "config")]
    said = run([sys.executable, "-c", WATCHED, *words])
    assert f"Images of this machine cannot be loaded into the cluster of {home}/.kube/config." in said
    assert said.endswith("\n1 [] False\n")


def test_the_watched_run_would_notice_the_harness(home: Path) -> None:
    said = run([sys.executable, "-c", WATCHED, "cluster", "status", "--name", "never"], cwd=home)
    assert said.startswith("cluster:      never")
    assert "'gpu_inference_testing.embedded.cluster'" in said
    assert said.endswith("] True\n")


def test_a_running_cluster_of_the_default_name_comes_before_the_users_own(running: StateFolder) -> None:
    default = running.root.name == "gpu-inference"
    own = Path.home() / ".kube" / "config"
    assert find_kubeconfig() == (running.kubeconfig if default else own)
    assert find_kubeconfig(context="staging") == own


def test_a_cluster_is_known_by_any_copy_of_its_kubeconfig_while_it_runs(
    running: StateFolder, home: Path
) -> None:
    copy = Path(shutil.copy(running.kubeconfig, home / "copy"))
    found = cluster_of(copy)
    assert isinstance(found, EmbeddedCluster)
    assert found.name == running.root.name
    assert cluster_of(copy, "no-such-context") is None
    assert cluster_of(home / ".kube" / "config") is None


@pytest.mark.parametrize(
    "extensions",
    [
        None,
        [],
        ["gpu-inference"],
        [{"name": "cluster_info", "extension": {"provider": "minikube.sigs.k8s.io"}}],
        [{"name": "gpu-inference", "extension": None}],
        [{"name": "gpu-inference", "extension": {"provider": "elsewhere", "name": "lab"}}],
        [{"name": "gpu-inference", "extension": {"provider": "embedded", "name": "lab"}}],
    ],
    ids=str,
)
def test_a_kubeconfig_that_no_running_cluster_owns_is_nobodys(home: Path, extensions: object) -> None:
    content = yaml.safe_load((home / ".kube" / "config").read_text())
    content["clusters"][0]["cluster"]["extensions"] = extensions
    (home / "config").write_text(yaml.safe_dump(content))
    assert cluster_of(home / "config") is None


@pytest.mark.parametrize("text", ["", "[]", "clusters: 3", "{", "\x00", "current-context: gone"])
def test_what_is_no_kubeconfig_is_nobodys(home: Path, text: str) -> None:
    (home / "config").write_text(text)
    assert cluster_of(home / "config") is None
    assert cluster_of(home / "missing") is None


def test_a_cluster_that_has_ended_is_nobodys(home: Path) -> None:
    kubeconfig = local_kubeconfig("gpu-inference")
    pki.create(kubeconfig.parent / "pki", "gpu-inference", IPv4Address("127.0.0.3"), IPv4Address("127.0.0.4"))
    shutil.copy(kubeconfig.parent / "pki" / "admin.kubeconfig", kubeconfig)
    assert cluster_of(kubeconfig) is None
    assert find_kubeconfig() == home / ".kube" / "config"


def test_a_cluster_made_anew_does_not_own_the_old_kubeconfig(running: StateFolder, home: Path) -> None:
    old = Path(shutil.copy(running.kubeconfig, home / "old"))
    shutil.rmtree(running.pki)
    pki.create(running.pki, running.root.name, IPv4Address("127.0.0.3"), IPv4Address("127.0.0.4"))
    shutil.copy(running.pki / "admin.kubeconfig", running.kubeconfig)
    assert cluster_of(old) is None


def test_an_option_that_no_provider_has_is_refused() -> None:
    with pytest.raises(GpuInferenceError, match="The option colour belongs to no provider, not to 'kind'"):
        open_cluster("kind", colour="blue")
