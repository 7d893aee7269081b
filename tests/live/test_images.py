"""Images as buildah really builds them here: what is in them, how large, and what is left of builds.

The first run makes the base image from Debian packages and installs the runtime's dependencies (minutes);
later ones find both in the cache, as users do.
"""

import json
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from tests import ctrl_c

from gpu_inference.cli import main
from gpu_inference.errors import GpuInferenceError
from gpu_inference.image import BuiltImage, Model, runtime_image, service_image
from gpu_inference.image.debian_base import debian_base
from gpu_inference.image.engine import Buildah
from gpu_inference.paths import cache_directory
from gpu_inference.progress import Progress, Silent

OWN_LAYERS_LIMIT_BYTES = 150_000_000
BASE_LIMIT_BYTES = 140_000_000
SOURCE = Path(__file__).parent / "echo"


@pytest.fixture(scope="module")
def engine() -> Buildah:
    return Buildah()


@pytest.fixture(scope="module")
def base(engine: Buildah) -> BuiltImage:
    return debian_base(engine, Progress())


@pytest.fixture(scope="module")
def runtime(engine: Buildah) -> BuiltImage:
    return runtime_image(engine=engine, progress=Progress())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_text("0.1 0.2")
    (folder / "weights").chmod(0o600)
    return folder


class Archive:
    """A docker-archive: its configuration, and the files of its layers."""

    def __init__(self, image: BuiltImage, folder: Path) -> None:
        path = folder / "image.tar"
        image.save(path)
        self.files: dict[str, tarfile.TarInfo] = {}
        with tarfile.open(path) as archive:
            [manifest] = json.loads(self._read(archive, "manifest.json"))
            self.names: list[str] = manifest["RepoTags"]
            self.config_digest = "sha256:" + manifest["Config"].removesuffix(".json")
            self.config = json.loads(self._read(archive, manifest["Config"]))["config"]
            for name in manifest["Layers"]:
                with tarfile.open(fileobj=archive.extractfile(name)) as layer:
                    self.files.update({member.name: member for member in layer})
        path.unlink()

    @staticmethod
    def _read(archive: tarfile.TarFile, name: str) -> bytes:
        file = archive.extractfile(name)
        assert file is not None
        return file.read()


def test_the_base_is_a_small_debian_with_python_and_without_documentation(
    base: BuiltImage, tmp_path: Path
) -> None:
    files = Archive(base, tmp_path).files
    assert base.size_bytes < BASE_LIMIT_BYTES
    assert {"usr/bin/python3", "etc/ssl/certs/ca-certificates.crt"} <= files.keys()
    unwanted = ("usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/")
    # The index of all info pages is written by a package's script; it is empty.
    assert sum(file.size for name, file in files.items() if name.startswith(unwanted)) < 1000


def test_the_runtime_adds_little_to_its_base_and_runs_as_a_user_without_rights(
    runtime: BuiltImage, base: BuiltImage, tmp_path: Path
) -> None:
    archive = Archive(runtime, tmp_path)
    assert runtime.size_bytes - base.size_bytes < OWN_LAYERS_LIMIT_BYTES
    assert archive.config["User"] == "10001:0"
    assert archive.config["WorkingDir"] == "/var/azureml-app"
    assert "opt/gpu-inference/bin/python" in archive.files


def test_nothing_of_this_machines_settings_stays_in_the_runtime_image(
    runtime: BuiltImage, base: BuiltImage, tmp_path: Path
) -> None:
    archive = Archive(runtime, tmp_path)
    certificates = "etc/ssl/certs/ca-certificates.crt"
    assert archive.files[certificates].size == Archive(base, tmp_path).files[certificates].size
    settings = archive.files.get("etc/pip.conf")
    assert settings is None or settings.size == 0
    assert not any(variable.startswith("PIP_") for variable in archive.config["Env"])


def test_an_image_keeps_its_id_and_full_name_in_an_archive(runtime: BuiltImage, tmp_path: Path) -> None:
    archive = Archive(runtime, tmp_path)
    assert archive.config_digest == runtime.image_id
    assert archive.names == [runtime.reference]
    assert runtime.reference.startswith("docker.io/library/gpu-inference-runtime:")


def test_a_service_image_has_v1s_layout_and_the_services_user_may_read_all_of_it(
    runtime: BuiltImage, model: Path, tmp_path: Path
) -> None:
    archive = Archive(
        service_image("images-test", SOURCE, "score.py", [Model("My_Model.v1", model, 2)], runtime), tmp_path
    )
    script = archive.files["var/azureml-app/echo/score.py"]
    weights = archive.files["var/azureml-app/azureml-models/My_Model.v1/2/model/weights"]
    assert (script.uid, script.gid) == (10001, 0)
    assert (weights.uid, weights.gid, weights.mode & 0o777) == (10001, 0, 0o600)
    assert {
        "AML_APP_ROOT=/var/azureml-app",
        "AZUREML_SOURCE_DIRECTORY=echo",
        "AZUREML_ENTRY_SCRIPT=echo/score.py",
        "AZUREML_MODEL_DIR=/var/azureml-app/azureml-models/My_Model.v1/2",
    } <= set(archive.config["Env"])
    assert archive.config["User"] == "10001:0"


def test_an_unchanged_image_is_not_built_again(runtime: BuiltImage, engine: Buildah, model: Path) -> None:
    def build() -> BuiltImage:
        return service_image("images-test", SOURCE, "score.py", [Model("m", model)], runtime)

    before = build()
    listed = {image.reference: image.image_id for image in engine.images()}
    assert build().image_id == before.image_id
    assert runtime_image(engine=engine).image_id == runtime.image_id
    assert {image.reference: image.image_id for image in engine.images()} == listed


def test_the_list_of_images_as_json_has_their_names_ids_and_sizes(
    runtime: BuiltImage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["image", "list", "--output", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    expected = {
        "reference": runtime.reference,
        "size_bytes": runtime.size_bytes,
        "image_id": runtime.image_id,
    }
    assert expected in listed


def test_an_image_with_two_names_is_found_by_each(runtime: BuiltImage, engine: Buildah, model: Path) -> None:
    one, other = (
        service_image(name, SOURCE, "score.py", [Model("m", model)], runtime)
        for name in ("images-test", "images-test-too")
    )
    assert one.image_id == other.image_id
    try:
        assert {one.reference, other.reference} <= {image.reference for image in engine.images()}
        for image in (one, other):
            found = engine.find(image.reference)
            assert found
            assert (found.reference, found.image_id) == (image.reference, image.image_id)
    finally:
        engine.remove(other.reference)
    assert engine.find(other.reference) is None
    assert engine.find(one.reference)


def test_a_removed_image_is_gone(runtime: BuiltImage, engine: Buildah, model: Path) -> None:
    (model / "weights").write_text("0.3")
    image = service_image("images-test", SOURCE, "score.py", [Model("m", model)], runtime)
    assert engine.find(image.reference) is not None
    engine.remove(image.reference)
    assert engine.find(image.reference) is None


def test_a_failed_build_says_why_and_leaves_no_container(
    base: BuiltImage, engine: Buildah, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {base.reference}\nRUN echo 'no such wheel' && exit 7\n")
    with pytest.raises(GpuInferenceError, match=r"exited with \d+:\n(.*\n)*.*exit status 7"):
        engine.build("localhost/images-test:failed", tmp_path, content="x")
    assert engine.find("localhost/images-test:failed") is None
    _assert_nothing_is_left()


def test_an_interrupted_build_leaves_no_process_container_or_mount(base: BuiltImage, tmp_path: Path) -> None:
    sign = "sleep 61.75"
    (tmp_path / "Dockerfile").write_text(f"FROM {base.reference}\nRUN {sign}\n")
    program = (
        "import pathlib; from gpu_inference.image.engine import Buildah\n"
        f"Buildah().build('localhost/images-test:cut', pathlib.Path({str(tmp_path)!r}), content='x')"
    )
    build = ctrl_c.start([sys.executable, "-c", program], stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while not _runs(sign):
            assert build.poll() is None, build.communicate()[1].decode()
            assert time.monotonic() < deadline, "The build never came to its long step."
            time.sleep(0.1)
        build.send_signal(signal.SIGINT)
        _, said = build.communicate(timeout=30)
    finally:
        build.kill()
        build.wait()
    assert b"KeyboardInterrupt" in said
    assert not _runs(sign)
    _assert_nothing_is_left()


def test_the_base_is_made_once(base: BuiltImage, engine: Buildah) -> None:
    assert debian_base(engine, Silent()).image_id == base.image_id


def _runs(command: str) -> bool:
    """Whether a process of this machine runs exactly that."""
    expected = command.replace(" ", "\0") + "\0"
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if process.read_text(errors="replace") == expected:
                return True
        except OSError:
            continue
    return False


def _assert_nothing_is_left() -> None:
    store = cache_directory() / "images"
    containers = store / "overlay-containers" / "containers.json"
    assert json.loads(containers.read_text() or "[]") == []
    assert [
        line for line in Path("/proc/mounts").read_text().splitlines() if f"{store}/overlay/" in line
    ] == []
