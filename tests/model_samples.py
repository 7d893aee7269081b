"""The samples of model-samples/ for tests: trained by their own train.py, laid out as in a service's image.

Each has requests in `sample-requests/` of its source folder, and the answers to them in `expected.json`.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpu_inference.image import Framework

SAMPLES = Path(__file__).parents[1] / "model-samples"
# Scores differ in their last digits from machine to machine.
TOLERANCE = 0.01
# For processes that import TensorFlow: Keras imports scikit-learn where it is installed, which takes seconds.
# In TensorFlow's image it is not.
WITHOUT_SKLEARN = "import sys\nsys.modules['sklearn'] = None\n"


def agree(answer: Any, expected: Any) -> bool:
    """Return whether two JSON values are equal but for the last digits of fractions."""
    if isinstance(expected, float):
        return isinstance(answer, float) and abs(answer - expected) <= TOLERANCE
    if isinstance(expected, dict):
        return answer.keys() == expected.keys() and all(agree(answer[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return len(answer) == len(expected) and all(map(agree, answer, expected))
    return bool(answer == expected)


@dataclass(frozen=True)
class Sample:
    """One of the samples.

    Args:
        name: its folder's.
        model_name: what its model is registered as.
        model: the file or folder of the model, below what train.py writes.
        framework: what its image is built with.
    """

    name: str
    model_name: str
    model: str
    framework: Framework

    @property
    def folder(self) -> Path:
        return SAMPLES / self.name

    @property
    def inference(self) -> dict[str, Any]:
        """What its inferenceconfig.json says."""
        loaded: dict[str, Any] = json.loads((self.folder / "inferenceconfig.json").read_text())
        return loaded

    @property
    def source(self) -> Path:
        return self.folder / str(self.inference["sourceDirectory"])

    @property
    def requests(self) -> dict[str, tuple[bytes, Any]]:
        """The body of each sample request and the answer to expect, by the file's name."""
        folder = self.source / "sample-requests"
        expected = json.loads((folder / "expected.json").read_text())
        return {name: ((folder / name).read_bytes(), answer) for name, answer in expected.items()}

    def train(self, outputs: Path, *arguments: str | Path, python: str | Path = sys.executable) -> Path:
        """Run train.py; return where the model is."""
        done = subprocess.run(
            [python, self.folder / "train.py", "--outputs", outputs, *arguments],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return outputs / self.model

    def lay_out(self, model: Path, app_root: Path) -> dict[str, str]:
        """Put the source folder and a trained model below an app root; return the server's settings."""
        source, script = self.source.name, str(self.inference["entryScript"])
        version = app_root / "azureml-models" / self.model_name / "1"
        version.mkdir(parents=True)
        shutil.copytree(self.source, app_root / source, ignore=shutil.ignore_patterns("__pycache__"))
        if model.is_dir():
            shutil.copytree(model, version / model.name)
        else:
            shutil.copy(model, version)
        return {
            "AML_APP_ROOT": str(app_root),
            "AZUREML_SOURCE_DIRECTORY": source,
            "AZUREML_ENTRY_SCRIPT": f"{source}/{script}",
            "AZUREML_MODEL_DIR": str(version),
            **self.inference["environment"].get("environmentVariables", {}),
        }

    def assert_scored(self, score: Callable[[bytes], Any]) -> None:
        """Send each sample request; fail unless all answers are those to expect."""
        answers = {name: score(body) for name, (body, _) in self.requests.items()}
        wrong = {
            name: answers[name]
            for name, (_, expected) in self.requests.items()
            if not agree(answers[name], expected)
        }
        assert wrong == {}
        assert len(answers) >= 3


SKLEARN = Sample(
    "sklearn-diabetes", "sklearn_regression_model.pkl", "sklearn_regression_model.pkl", "scikit-learn"
)
ONNX = Sample("onnx-digits", "onnx-digits", "digits.onnx", "onnxruntime-cpu")
TF1 = Sample("mnist-tf", "tf-dnn-mnist", "model", "tensorflow-cpu")
TF2 = Sample("tf2-iris", "tf2-iris", "model", "tensorflow-cpu")
TORCH = Sample("torch-spirals", "torch_spirals", "spirals.pt", "torch-gpu")
EVERY = (SKLEARN, ONNX, TF1, TF2, TORCH)
