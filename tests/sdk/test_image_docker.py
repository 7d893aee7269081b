"""Images with Docker: its command lines, and what the build context holds.

There is no Docker engine where these tests run. A program called `docker` stands on PATH instead: it writes
down how it is called, keeps the context of each build, and knows the images that it was asked to build.
What buildah does with the same Dockerfiles is tested for real in tests/live/test_images.py.
"""

import json
import re
import sys
from pathlib import Path

import pytest

from gpu_inference import __version__
from gpu_inference.errors import GpuInferenceError
from gpu_inference.image import FRAMEWORKS, BuiltImage, Model, find_engine, runtime_image, service_image
from gpu_inference.resources import runtime_directory

RECORDER = f"""#!{sys.executable} -IS
import hashlib, json, pathlib, shutil, sys
home = pathlib.Path(__file__).parent
words = sys.argv[1:]
with (home / "calls").open("a") as calls:
    calls.write(json.dumps(words) + "\\n")
options = dict(word.split("=", 1) for word in words if word.startswith("--") and "=" in word)
images = home / "images"
images.mkdir(exist_ok=True)
def kept(reference):
    return images / (hashlib.sha256(reference.encode()).hexdigest() + ".json")
if words[0] == "info":
    print("28.0.0")
elif words[0] == "build":
    label, content = options["--label"].split("=")
    shutil.rmtree(home / "context", ignore_errors=True)
    shutil.copytree(words[-1], home / "context", symlinks=True)
    facts = {{"Id": "sha256:" + content, "Size": 1, "Config": {{"Labels": {{label: content}}}}}}
    kept(options["--tag"]).write_text(json.dumps([facts]))
elif words[:2] == ["image", "inspect"]:
    if not kept(words[2]).exists():
        sys.exit(f"Error response from daemon: No such image: {{words[2]}}")
    print(kept(words[2]).read_text())
"""


class Docker:
    """The stand-in: how it was called and what it was given."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.program = home / "docker"
        self.program.write_text(RECORDER)
        self.program.chmod(0o755)

    def calls(self, command: str) -> list[list[str]]:
        log = self.home / "calls"
        calls: list[list[str]] = [json.loads(line) for line in log.read_text().splitlines()]
        return [call for call in calls if call[0] == command]

    @property
    def context(self) -> Path:
        return self.home / "context"


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    home = tmp_path / "bin"
    home.mkdir()
    monkeypatch.setenv("PATH", str(home))
    monkeypatch.setenv("GPU_INFERENCE_CACHE_DIR", str(tmp_path / "cache"))
    return Docker(home)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "score.py").write_text("def init(): pass\ndef run(data): return data\n")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs" / "model"
    folder.mkdir(parents=True)
    (folder / "weights").write_text("0.1 0.2")
    return folder


@pytest.fixture
def base(docker: Docker) -> BuiltImage:
    assert docker.program.exists()
    return runtime_image()


def test_docker_is_the_engine_where_it_answers(docker: Docker) -> None:
    assert find_engine().name == "docker"
    assert docker.calls("info") == [["info", "--format", "{{.ServerVersion}}"]]


def test_a_docker_whose_engine_is_not_running_is_not_the_engine(docker: Docker) -> None:
    docker.program.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2; exit 1\n")
    with pytest.raises(GpuInferenceError, match=r"no Docker engine responds, and buildah is not installed"):
        find_engine()


def test_the_runtime_image_is_built_from_its_dockerfile_on_the_default_base(docker: Docker) -> None:
    image = runtime_image("tensorflow-cpu")
    [build] = docker.calls("build")
    assert image.reference == f"docker.io/library/gpu-inference-runtime:{__version__}-tensorflow-cpu"
    assert f"--tag={image.reference}" in build
    assert [word for word in build if word.startswith("--build-arg")] == [
        "--build-arg=FRAMEWORK=tensorflow-cpu"
    ]
    assert build[-1] == str(runtime_directory())


def test_the_runtime_image_takes_another_base(docker: Docker) -> None:
    runtime_image(base_image="registry.example/python:3.12")
    [build] = docker.calls("build")
    assert "--build-arg=BASE_IMAGE=registry.example/python:3.12" in build


@pytest.mark.usefixtures("docker")
def test_runtime_images_on_several_bases_stand_side_by_side() -> None:
    bases = (None, "registry.example/python:3.12", "registry.example/python:3.13")
    references = [runtime_image(base_image=base).reference for base in bases]
    assert references[0] == f"docker.io/library/gpu-inference-runtime:{__version__}"
    assert all(reference.startswith(f"{references[0]}-on-") for reference in references[1:])
    assert len(set(references)) == 3


def test_the_runtime_image_is_built_again_only_for_another_base(docker: Docker) -> None:
    first = runtime_image()
    assert runtime_image().image_id == first.image_id
    assert len(docker.calls("build")) == 1
    assert runtime_image(base_image="registry.example/python:3.12").image_id != first.image_id
    assert len(docker.calls("build")) == 2


def test_a_framework_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(GpuInferenceError, match=r"choose one of none, .*tensorflow-gpu, torch-gpu\."):
        runtime_image("pytorch")


def test_each_framework_has_its_locked_packages() -> None:
    wanted = {
        path.stem.removeprefix("requirements-") for path in runtime_directory().glob("requirements-*.in")
    }
    assert len(wanted) > 5
    assert {"none", *wanted} == set(FRAMEWORKS)


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name != "none"])
def test_a_frameworks_packages_do_not_contradict_the_servers(framework: str) -> None:
    def locked(name: str) -> dict[str, set[str]]:
        text = (runtime_directory() / name).read_text()
        found: dict[str, set[str]] = {}
        for package, version in re.findall(r"^([a-z0-9.-]+)==([^ ;]+)", text, re.MULTILINE):
            found.setdefault(package, set()).add(version)
        return found

    servers, frameworks = locked("requirements.lock"), locked(f"requirements-{framework}.lock")
    both = servers.keys() & frameworks.keys()
    assert {name: frameworks[name] for name in both} == {name: servers[name] for name in both}
    assert frameworks.keys() - both


def test_a_service_image_holds_source_and_model_in_v1s_layout(
    docker: Docker, base: BuiltImage, source: Path, model: Path
) -> None:
    service_image("abc", source, "score.py", [Model("tf-dnn-mnist", model, 3)], base)
    files = {str(path.relative_to(docker.context)) for path in docker.context.rglob("*") if path.is_file()}
    assert files == {
        "Dockerfile",
        "source/src/score.py",
        "models/azureml-models/tf-dnn-mnist/3/model/weights",
    }
    assert (docker.context / "Dockerfile").read_text() == (
        f"FROM docker.io/library/gpu-inference-runtime:{__version__}\n"
        'COPY --chown=10001:0 ["models/", "/var/azureml-app/"]\n'
        'COPY --chown=10001:0 ["source/", "/var/azureml-app/"]\n'
        'ENV AML_APP_ROOT="/var/azureml-app"\n'
        'ENV AZUREML_SOURCE_DIRECTORY="src"\n'
        'ENV AZUREML_ENTRY_SCRIPT="src/score.py"\n'
        'ENV AZUREML_MODEL_DIR="/var/azureml-app/azureml-models/tf-dnn-mnist/3"\n'
        "WORKDIR /var/azureml-app\n"
    )


def test_with_several_models_the_model_folder_is_the_one_around_them(
    docker: Docker, base: BuiltImage, source: Path, model: Path
) -> None:
    models = [Model("m", model, 1), Model("m", model, 2)]
    service_image("abc", source, "score.py", models, base)
    dockerfile = (docker.context / "Dockerfile").read_text()
    assert 'AZUREML_MODEL_DIR="/var/azureml-app/azureml-models"\n' in dockerfile


def test_without_a_model_there_is_no_model_folder(docker: Docker, base: BuiltImage, source: Path) -> None:
    service_image("abc", source, "score.py", [], base)
    assert "AZUREML_MODEL_DIR" not in (docker.context / "Dockerfile").read_text()


def test_a_folder_whose_name_would_mean_something_in_a_dockerfile_keeps_it(
    docker: Docker, base: BuiltImage, source: Path
) -> None:
    odd = source.rename(source.parent / 'my "$HOME" code')
    service_image("abc", odd, "score.py", [], base)
    assert r'AZUREML_SOURCE_DIRECTORY="my \"\$HOME\" code"' in (docker.context / "Dockerfile").read_text()
    assert (docker.context / "source" / 'my "$HOME" code' / "score.py").is_file()


def test_a_service_image_is_built_again_only_when_something_in_it_changes(
    docker: Docker, base: BuiltImage, source: Path, model: Path
) -> None:
    def build() -> BuiltImage:
        return service_image("abc", source, "score.py", [Model("m", model)], base)

    first = build()
    assert build().image_id == first.image_id
    (model / "weights").write_text("0.3")
    second = build()
    (source / "helper.py").write_text("")
    third = build()
    assert len({first.reference, second.reference, third.reference}) == 3
    # One of them is the runtime's.
    assert len(docker.calls("build")) == 4


def test_a_service_image_is_called_after_the_service_and_its_content(base: BuiltImage, source: Path) -> None:
    image = service_image("abc", source, "score.py", [], base)
    content = image.image_id.removeprefix("sha256:")
    assert image.reference == f"docker.io/library/gpu-inference-abc:{content[:12]}"


def test_nothing_is_built_for_a_script_that_could_not_run(
    docker: Docker, base: BuiltImage, source: Path
) -> None:
    (source / "score.py").write_text("def init(): pass\n")
    with pytest.raises(GpuInferenceError, match=r"defines no run\(\)"):
        service_image("abc", source, "score.py", [], base)
    assert len(docker.calls("build")) == 1


def test_no_staged_copy_is_left_behind(base: BuiltImage, source: Path, tmp_path: Path) -> None:
    service_image("abc", source, "score.py", [], base)
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_image_is_saved_under_its_full_name(docker: Docker, base: BuiltImage, tmp_path: Path) -> None:
    base.save(tmp_path / "x.tar")
    assert docker.calls("save") == [["save", f"--output={tmp_path / 'x.tar'}", base.reference]]


def test_an_image_is_pushed_under_the_name_that_it_shall_have(docker: Docker, base: BuiltImage) -> None:
    base.push("registry.example/team/abc:1")
    assert docker.calls("tag") == [["tag", base.reference, "registry.example/team/abc:1"]]
    assert docker.calls("push") == [["push", "--quiet", "registry.example/team/abc:1"]]


def test_a_failed_build_shows_its_last_lines(docker: Docker, base: BuiltImage, source: Path) -> None:
    docker.program.write_text(
        RECORDER.replace(
            'elif words[0] == "build":', 'elif words[0] == "build":\n    sys.exit("No space left")'
        )
    )
    with pytest.raises(GpuInferenceError, match=r"docker build (.*\n)*No space left"):
        service_image("abc", source, "score.py", [], base)
