"""What the log says about the model's folder when a script could not start."""

from pathlib import Path

from gpu_inference_script.failure_hints import describe_model_dir


def test_an_unset_folder_is_said_to_be_unset() -> None:
    assert describe_model_dir(None) == describe_model_dir("") == "AZUREML_MODEL_DIR is not set."


def test_a_missing_folder_is_named_with_where_it_was_looked_from() -> None:
    assert describe_model_dir("models/absent/1") == (
        f"AZUREML_MODEL_DIR is 'models/absent/1', which does not exist (working directory {Path.cwd()})."
    )


def test_files_and_folders_are_listed_by_their_paths(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights").touch()
    assert describe_model_dir(str(tmp_path)).splitlines()[1:] == ["  model/", "  model/weights"]


def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path) -> None:
    assert describe_model_dir(str(tmp_path)).endswith(" and holds:\n  nothing")


def test_a_large_folder_does_not_flood_the_log(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / str(number)).touch()
    lines = describe_model_dir(str(tmp_path)).splitlines()
    assert len(lines) == 52
    assert lines[-1] == "  …"


def test_a_configmaps_hidden_entries_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / "..2026_11_22").mkdir()
    (tmp_path / "..2026_11_22/weights").touch()
    (tmp_path / "..data").symlink_to("..2026_11_22")
    (tmp_path / "weights").symlink_to("..data/weights")
    assert describe_model_dir(str(tmp_path)).splitlines()[1:] == ["  weights"]
