"""Model.get_model_path: the layout of models in an image, and the errors for what does not fit it."""

from pathlib import Path

import pytest

from gpu_inference_script.stand_ins.packages.azureml.core import model as stand_in
from gpu_inference_script.stand_ins.packages.azureml.exceptions import (
    AzureMLException,
    ModelNotFoundException,
    WebserviceException,
)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "azureml-models"
    monkeypatch.setattr(stand_in, "MODELS_DIR", str(folder))
    return folder


def put(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return str(path)


def test_the_one_entry_of_the_highest_version_is_the_path(models: Path) -> None:
    put(models / "net/9/old.pkl")
    newest = put(models / "net/10/new.pkl")
    assert stand_in.Model.get_model_path("net") == newest


def test_an_asked_for_version_is_taken(models: Path) -> None:
    old = put(models / "net/9/old.pkl")
    put(models / "net/10/new.pkl")
    assert stand_in.Model.get_model_path("net", version=9) == old


@pytest.mark.parametrize("version", [None, 0])
def test_a_model_that_was_never_registered_has_version_0(models: Path, version: int | None) -> None:
    local = put(models / "net/0/net.pkl")
    assert stand_in.Model.get_model_path("net", version) == local


def test_a_registered_folder_keeps_its_name(models: Path) -> None:
    put(models / "net/1/model/weights")
    assert stand_in.Model.get_model_path("net", _workspace=None) == str(models / "net/1/model")


@pytest.mark.parametrize("entries", [[], ["a", "b"]])
def test_a_version_folder_must_hold_one_entry(models: Path, entries: list[str]) -> None:
    folder = models / "net/1"
    folder.mkdir(parents=True)
    for name in entries:
        put(folder / name)
    with pytest.raises(WebserviceException) as caught:
        stand_in.Model.get_model_path("net")
    assert f"Dir {folder} can contain only 1 file or folder. Found [" in str(caught.value)


def test_what_volumes_add_beside_a_model_is_not_taken_for_one(models: Path) -> None:
    # A ConfigMap's volume shows its files as links into a folder that changes with its content.
    put(models / "net/3/..2026_11_22/weights.pkl")
    (models / "net/3/..data").symlink_to("..2026_11_22")
    (models / "net/3/weights.pkl").symlink_to("..data/weights.pkl")
    put(models / "net/3/lost+found/x")
    put(models / "net/3/.amlignore")
    put(models / "net/lost+found/x")
    put(models / "net/..data/x")
    assert stand_in.Model.get_model_path("net") == str(models / "net/3/weights.pkl")


def test_a_model_named_with_a_dot_is_found_where_it_is_alone(models: Path) -> None:
    hidden = put(models / "net/1/.weights")
    assert stand_in.Model.get_model_path("net") == hidden


def test_a_path_in_the_working_directory_stands_in_for_a_model(models: Path) -> None:
    put(models.parent / "local.pkl")
    assert stand_in.Model.get_model_path("local.pkl") == "local.pkl"


@pytest.mark.parametrize(
    ("version", "error"),
    [(None, ModelNotFoundException), (7, WebserviceException)],
    ids=["any version", "one"],
)
def test_a_missing_model_is_named_with_where_it_was_looked_for(
    models: Path, version: int | None, error: type[AzureMLException]
) -> None:
    put(models / "other/1/x")
    with pytest.raises(error) as caught:
        stand_in.Model.get_model_path("absent", version)
    assert caught.value.message == (
        f"Model absent not found in cache at {models} or in current working directory {models.parent}. "
        "For more info, set logging level to DEBUG."
    )


def test_a_missing_version_is_told_as_by_azure_mls_own_class(models: Path) -> None:
    put(models / "net/1/x")
    with pytest.raises(WebserviceException, match="Model net not found"):
        stand_in.Model.get_model_path("net", 2)


def test_a_model_without_versions_is_refused(models: Path) -> None:
    (models / "net").mkdir(parents=True)
    with pytest.raises(WebserviceException, match="versions is empty"):
        stand_in.Model.get_model_path("net")


@pytest.mark.usefixtures("models")
def test_arguments_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(WebserviceException, match="version should be an int"):
        stand_in.Model.get_model_path("net", "1")  # type: ignore[arg-type]
    with pytest.raises(WebserviceException, match="model_name is None"):
        stand_in.Model.get_model_path(None)  # type: ignore[arg-type]
