"""Keys: who may score, and that files are read again when they change."""

import os
from pathlib import Path

import pytest

from gpu_inference_runtime.access.keys import Keys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "primaryKey").write_text(" first \n")
    (tmp_path / "secondaryKey").write_text("zweiter-schlüssel")
    return tmp_path


def wsgi(text: str) -> str:
    """A header as WSGI hands it on: its bytes shown as Latin-1."""
    return text.encode().decode("latin-1")


@pytest.mark.parametrize(
    "header", ["Bearer first", "bearer first", "Bearer  first ", wsgi("Bearer zweiter-schlüssel")]
)
def test_either_key_lets_a_request_in(folder: Path, header: str) -> None:
    assert Keys(folder).refusal(header) is None


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "Unauthorized, no Auth Header"),
        ("", "Unauthorized, no Auth Header"),
        ("Bearer", "Unauthorized, the Authorization header must be 'Bearer KEY'"),
        ("Bearer ", "Unauthorized, the Authorization header must be 'Bearer KEY'"),
        ("Basic first", "Unauthorized, the Authorization header must be 'Bearer KEY'"),
        ("first", "Unauthorized, the Authorization header must be 'Bearer KEY'"),
        ("Bearer firs", "Unauthorized, the key is not one of this service's"),
        ("Bearer first2", "Unauthorized, the key is not one of this service's"),
        ("Bearer FIRST", "Unauthorized, the key is not one of this service's"),
        ("Bearer \u20ac", "Unauthorized, the key is not one of this service's"),
    ],
)
def test_anything_else_is_refused_with_the_reason(folder: Path, header: str | None, reason: str) -> None:
    assert Keys(folder).refusal(header) == reason


def test_a_key_changed_on_disk_holds_from_the_next_request(folder: Path) -> None:
    keys = Keys(folder)
    assert keys.refusal("Bearer first") is None
    (folder / "primaryKey").write_text("renewed")
    assert keys.refusal("Bearer first") is not None
    assert keys.refusal("Bearer renewed") is None


def test_a_swapped_secret_is_noticed_with_equal_times_and_sizes(tmp_path: Path) -> None:
    # The kubelet writes a new folder and moves the link ..data onto it.
    for name, key in (("..old", "aaaa"), ("..new", "bbbb")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "primaryKey").write_text(key)
        os.utime(tmp_path / name / "primaryKey", (1, 1))
    (tmp_path / "..data").symlink_to("..old")
    (tmp_path / "primaryKey").symlink_to("..data/primaryKey")
    keys = Keys(tmp_path)
    assert keys.refusal("Bearer aaaa") is None
    (tmp_path / "..data_tmp").symlink_to("..new")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert keys.refusal("Bearer aaaa") is not None
    assert keys.refusal("Bearer bbbb") is None


def test_without_readable_keys_nobody_gets_in(folder: Path) -> None:
    keys = Keys(folder)
    assert keys.refusal("Bearer first") is None
    (folder / "primaryKey").unlink()
    (folder / "secondaryKey").write_text("  \n")
    for header in ("Bearer first", "Bearer ", "Bearer \t"):
        assert keys.refusal(header) is not None


def test_no_key_is_ever_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    keys = Keys(folder)
    keys.refusal("Bearer first")
    (folder / "primaryKey").unlink()
    keys.refusal("Bearer first")
    assert len(caplog.records) == 3
    assert "first" not in caplog.text.replace(str(folder), "")
    assert "zweiter" not in caplog.text
