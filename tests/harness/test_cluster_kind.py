"""The command lines that kind and docker get.

Only the command lines: there is no Docker where these tests must run. `kind` and `docker` on PATH are
programs that write down how they were called and answer from a file. Whether kind does as it is told is not
shown here.
"""

from pathlib import Path

import pytest
from tests.kubeconfigs import write_kubeconfig

from gpu_inference.cluster import cluster_of, open_cluster
from gpu_inference.errors import GpuInferenceError
from gpu_inference_testing.archive import ArchivedImage
from gpu_inference_testing.embedded.images import write_pause_archive
from gpu_inference_testing.gpus import set_gpus
from gpu_inference_testing.kind import KindCluster

RECORDER = """\
#!/bin/sh
folder=$(dirname "$0")
echo "$(basename "$0") $*" >> "$folder/calls"
answer="$folder/answers/$1-$2"
if [ -x "$answer" ]; then exec "$answer"; fi
"""


class Recorder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "answers").mkdir(parents=True)
        for name in ("kind", "docker"):
            self._program(folder / name, RECORDER)

    def answer(self, words: str, script: str) -> None:
        self._program(self._folder / "answers" / words.replace(" ", "-"), f"#!/bin/sh\n{script}\n")

    def calls(self) -> list[str]:
        return (self._folder / "calls").read_text().splitlines()

    @staticmethod
    def _program(path: Path, script: str) -> None:
        path.write_text(script)
        path.chmod(0o755)


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("GPU_INFERENCE_STATE_DIR", str(tmp_path / "state"))
    return Recorder(tmp_path / "bin")


@pytest.fixture
def image(tmp_path: Path) -> ArchivedImage:
    (tmp_path / "program").touch()
    write_pause_archive(tmp_path / "program", tmp_path / "pause.tar")
    return ArchivedImage(tmp_path / "pause.tar")


def test_missing_cluster_is_created_with_a_kubeconfig_of_its_own(recorder: Recorder, tmp_path: Path) -> None:
    # kind says that it made it, and then has no kubeconfig: that is where the recorder's knowledge ends.
    recorder.answer("export kubeconfig", "echo 'no such cluster' >&2; exit 1")
    with pytest.raises(GpuInferenceError, match="no such cluster"):
        open_cluster("kind", "lab").up()
    kubeconfig = tmp_path / "state" / "kind-lab.kubeconfig"
    assert recorder.calls() == [
        "kind get clusters",
        f"kind create cluster --wait=120s --kubeconfig={kubeconfig} --name lab",
        f"kind export kubeconfig --kubeconfig={kubeconfig} --name lab",
    ]


def test_existing_cluster_is_not_created_again(recorder: Recorder) -> None:
    recorder.answer("get clusters", "echo other; echo lab")
    recorder.answer("export kubeconfig", "exit 1")
    with pytest.raises(GpuInferenceError, match=r"kind export kubeconfig .* exited with 1"):
        open_cluster("kind", "lab").up()
    assert len(recorder.calls()) == 2


def test_cluster_is_known_by_its_kubeconfig_while_it_exists(recorder: Recorder, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "state" / "kind-lab.kubeconfig"
    kubeconfig.parent.mkdir()
    recorder.answer("get clusters", "echo lab")
    written = write_kubeconfig(tmp_path / "as-kind-writes-it").read_text()
    recorder.answer("export kubeconfig", f"cat > '{kubeconfig}' <<'END'\n{written}\nEND")
    with pytest.raises(GpuInferenceError, match="does not answer"):
        open_cluster("kind", "lab").up()
    found = cluster_of(kubeconfig)
    assert isinstance(found, KindCluster)
    assert found.name == "lab"
    recorder.answer("get clusters", "echo other")
    assert cluster_of(kubeconfig) is None


def test_half_made_cluster_is_deleted(recorder: Recorder) -> None:
    recorder.answer("create cluster", "echo 'ERROR: failed to create cluster' >&2; exit 1")
    with pytest.raises(GpuInferenceError, match="ERROR: failed to create cluster"):
        open_cluster("kind", "lab").up()
    assert recorder.calls()[-1].startswith("kind delete cluster")


def test_cluster_is_deleted_with_its_kubeconfig(recorder: Recorder, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "state" / "kind-lab.kubeconfig"
    kubeconfig.parent.mkdir()
    kubeconfig.touch()
    open_cluster("kind", "lab").down()
    assert recorder.calls() == [f"kind delete cluster --kubeconfig={kubeconfig} --name lab"]
    assert not kubeconfig.exists()


def test_image_that_the_node_lacks_is_loaded_from_an_archive(
    recorder: Recorder, image: ArchivedImage
) -> None:
    recorder.answer("exec lab-control-plane", "exit 1")
    assert open_cluster("kind", "lab").load_image(image)
    inspect, load = recorder.calls()
    assert inspect.startswith("docker exec lab-control-plane crictl inspecti ")
    assert inspect.endswith(image.reference)
    assert load.startswith("kind load image-archive ")
    assert load.endswith("/image.tar --name lab")


def test_image_that_the_node_has_is_not_loaded_again(recorder: Recorder, image: ArchivedImage) -> None:
    recorder.answer("exec lab-control-plane", f"echo {image.image_id}")
    assert not open_cluster("kind", "lab").load_image(image)
    assert len(recorder.calls()) == 1


@pytest.mark.usefixtures("recorder")
def test_status_of_a_missing_cluster_is_not_running() -> None:
    assert not open_cluster("kind", "lab").status().running


@pytest.mark.usefixtures("recorder")
def test_gpus_on_a_missing_cluster_say_how_to_create_it() -> None:
    with pytest.raises(GpuInferenceError, match=r"no kind cluster 'lab'.*\n  .*--provider kind --name lab"):
        set_gpus(open_cluster("kind", "lab"), 2)


def test_machine_without_kind_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GpuInferenceError, match="'kind' is not installed"):
        open_cluster("kind", "lab").up()
