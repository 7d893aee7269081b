"""Images in files: which name and which id they have, and that the pause image is one."""

import json
import tarfile
from pathlib import Path

import pytest

from gpu_inference.errors import GpuInferenceError
from gpu_inference_testing.archive import ArchivedImage, write_archive
from gpu_inference_testing.embedded.images import write_pause_archive


@pytest.fixture
def pause(tmp_path: Path) -> Path:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    archive = tmp_path / "pause.tar"
    write_pause_archive(program, archive)
    return archive


def test_pause_archive_holds_the_image_that_containerd_is_told_to_use(pause: Path) -> None:
    assert ArchivedImage(pause).reference == "localhost/gpu-inference-pause:1"


def test_pause_container_does_not_run_as_root(pause: Path) -> None:
    with tarfile.open(pause) as archive:
        (name,) = (name for name in archive.getnames() if name.endswith(".json") and name != "manifest.json")
        file = archive.extractfile(name)
        assert file is not None
        assert json.load(file)["config"] == {"Entrypoint": ["/pause"], "User": "65535:65535"}


def test_equal_content_has_an_equal_id_and_other_content_another(pause: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again.tar", tmp_path / "other.tar"
    write_pause_archive(tmp_path / "program", again)
    (tmp_path / "program").write_bytes(b"\x7fELF2")
    write_pause_archive(tmp_path / "program", other)
    assert ArchivedImage(again).image_id == ArchivedImage(pause).image_id
    assert ArchivedImage(other).image_id != ArchivedImage(pause).image_id
    assert ArchivedImage(pause).image_id.startswith("sha256:")


def test_saved_archive_is_the_same(pause: Path, tmp_path: Path) -> None:
    ArchivedImage(pause).save(tmp_path / "saved.tar")
    assert (tmp_path / "saved.tar").read_bytes() == pause.read_bytes()


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_file_that_is_no_archive_is_a_sentence(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "x.tar"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(
        GpuInferenceError, match=r"x\.tar is not an archive with an image: .*\n  .*docker save"
    ):
        ArchivedImage(file)


def test_archive_with_two_images_is_refused(pause: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.tar"
    with tarfile.open(pause) as source, tarfile.open(both, "w") as target:
        for member in source:
            if member.name != "manifest.json":
                target.addfile(member, source.extractfile(member))
        manifest = source.extractfile("manifest.json")
        assert manifest is not None
        (tmp_path / "manifest.json").write_text(json.dumps(json.load(manifest) * 2))
        target.add(tmp_path / "manifest.json", "manifest.json")
    with pytest.raises(GpuInferenceError, match="contains 2 images with 2 names, but one is needed"):
        ArchivedImage(both)


def test_an_image_of_programs_holds_each_of_them_by_its_name_and_can_run_it(tmp_path: Path) -> None:
    programs = {}
    for name in ("one", "other"):
        programs[name] = tmp_path / f"built-{name}"
        programs[name].write_text(name)
    archive = tmp_path / "image.tar"
    write_archive(archive, "localhost/two:1", programs, user="1000:1000")
    assert ArchivedImage(archive).reference == "localhost/two:1"
    with tarfile.open(archive) as image:
        (layer,) = (image.extractfile(name) for name in image.getnames() if name.endswith("/layer.tar"))
        with tarfile.open(fileobj=layer) as files:
            assert files.getnames() == ["one", "other"]
            assert all(file.mode == 0o755 for file in files.getmembers())
            content = files.extractfile("other")
            assert content is not None
            assert content.read() == b"other"
