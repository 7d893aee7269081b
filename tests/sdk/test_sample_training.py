"""The sample's training and entry script, on a network that is trained in a second on made-up images."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mnist_data
import pytest
import train
from tests.model_samples import WITHOUT_SKLEARN

SCRIPT = Path(train.__file__)


def run_train(*arguments: str | Path, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def put_model(outputs: Path, sources: str) -> Path:
    """Make a folder look like one that training wrote; return the checkpoint's file."""
    checkpoint = outputs / "model" / "mnist-tf.model.meta"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text("old")
    (outputs / "training.json").write_text(json.dumps({"accuracy": 0.98, "sources": sources}))
    return checkpoint


def test_a_model_that_these_sources_trained_is_kept(tmp_path: Path) -> None:
    checkpoint = put_model(tmp_path, train.sources_stamp())
    done = run_train("--outputs", tmp_path, "--data-dir", tmp_path / "nowhere", path="")
    assert (done.returncode, checkpoint.read_text()) == (0, "old")
    assert "is up to date (--force trains it again)" in done.stdout


def test_a_model_of_other_sources_or_an_incomplete_one_is_not_up_to_date(tmp_path: Path) -> None:
    assert not train.up_to_date(tmp_path)
    checkpoint = put_model(tmp_path, "other sources")
    assert not train.up_to_date(tmp_path)
    (tmp_path / "training.json").write_text(json.dumps({"sources": train.sources_stamp()}))
    assert train.up_to_date(tmp_path)
    checkpoint.unlink()
    assert not train.up_to_date(tmp_path)
    (tmp_path / "training.json").write_text("cut sho")
    assert not train.up_to_date(tmp_path)


def test_without_data_training_ends_with_a_sentence_and_keeps_the_old_model(tmp_path: Path) -> None:
    checkpoint = put_model(tmp_path, "other sources")
    done = run_train("--outputs", tmp_path, "--data-dir", tmp_path / "mnist", path="")
    assert done.returncode == 1
    assert done.stderr.startswith("train.py: npm, which fetches MNIST, is not on PATH.")
    assert "Traceback" not in done.stderr
    assert checkpoint.read_text() == "old"


def test_outputs_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    mnist_data.ensure(mnist_data.DEFAULT_FOLDER)
    done = run_train("--outputs", tmp_path / "file" / "outputs")
    assert done.returncode == 1
    assert re.fullmatch(r"train\.py: \S+/file/outputs cannot be written: .*Not a directory.*\n", done.stderr)


# In a process of its own, because the TF1 setting holds for a whole process. Each label has a stripe of the
# image to itself, which three short epochs are enough to learn.
TINY_RUN = """
import json, os, sys
from pathlib import Path
import mnist_data, numpy as np, train
from gpu_inference_script.stand_ins import packages
from gpu_inference_script.entry_script import load_entry_script
from gpu_inference_script.stand_ins.tf1 import use_tensorflow_v1

folder = Path(sys.argv[1])
(folder / "model").mkdir()
labels = np.arange(640) % 10
images = np.zeros((640, 784), np.float32)
for row, label in zip(images, labels):
    row[label * 70 : label * 70 + 70] = 1
digits = mnist_data.Digits(images, labels)
accuracy = train.train(digits, digits, folder / "model", epochs=3, wanted_accuracy=0.99)
refused = ""
try:
    train.train(digits, digits, folder, epochs=1, wanted_accuracy=1.01)
except train.TrainingError as error:
    refused = str(error)

use_tensorflow_v1()
packages.offer()
os.environ["AZUREML_MODEL_DIR"] = str(folder)
script = load_entry_script("src/score.py", Path(train.__file__).parent)
script.init()
answer = script.run(json.dumps({"data": images[[3, 7, 0]].tolist()}))
print(json.dumps({"accuracy": accuracy, "refused": refused, "answer": answer}))
"""


@dataclass(frozen=True)
class TinyRun:
    folder: Path
    printed: list[str]
    result: dict[str, Any]


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    folder = tmp_path_factory.mktemp("tiny")
    path = os.pathsep.join([str(SCRIPT.parent), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SKLEARN + TINY_RUN, folder],
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *printed, result = done.stdout.splitlines()
    return TinyRun(folder, printed, json.loads(result))


def test_training_tells_the_accuracy_of_each_epoch(tiny_run: TinyRun) -> None:
    assert tiny_run.result["accuracy"] == 1
    assert re.fullmatch(r"epoch 3 of 3: 100\.00% of 640 test images right \(\d+\.\d s\)", tiny_run.printed[2])


def test_training_saves_the_checkpoint_under_its_v1_name_with_no_path_in_it(tiny_run: TinyRun) -> None:
    model = tiny_run.folder / "model"
    assert sorted(path.name for path in model.iterdir()) == [
        "checkpoint",
        "mnist-tf.model.data-00000-of-00001",
        "mnist-tf.model.index",
        "mnist-tf.model.meta",
    ]
    assert (model / "checkpoint").read_text().splitlines()[0] == 'model_checkpoint_path: "mnist-tf.model"'


def test_a_network_that_is_not_good_enough_is_not_saved(tiny_run: TinyRun) -> None:
    assert "Nothing was saved." in tiny_run.result["refused"]
    assert [path.name for path in tiny_run.folder.iterdir()] == ["model"]


def test_the_entry_script_answers_with_one_digit_per_image(tiny_run: TinyRun) -> None:
    assert tiny_run.result["answer"] == [3, 7, 0]
