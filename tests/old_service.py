"""An orphaned service for the tests: a model that an old environment pickled, and its script of that time."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

MODEL = "diabetes_forest.pkl"
# As it ran under Azure ML SDK v1, but for the first line of init().
SCORE = f"""
import json
import logging
import sys

import joblib
import numpy as np
import sklearn
from azureml.core.model import Model


def init():
    print("Python", sys.version.split()[0], "scikit-learn", sklearn.__version__)
    global model
    model = joblib.load(Model.get_model_path("{MODEL}"))


def run(raw_data):
    data = np.array(json.loads(raw_data)["data"])
    print("patients:", len(data))
    logging.info("the data has the shape %s", data.shape)
    return model.predict(data).tolist()
"""
# Trees of scikit-learn before 1.3 have nodes of another layout: no later one loads them.
_TRAIN = """
import json
import sys

import joblib
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor

patients, progression = load_diabetes(return_X_y=True)
forest = RandomForestRegressor(n_estimators=20, random_state=0).fit(patients[:400], progression[:400])
joblib.dump(forest, sys.argv[1])
chosen = patients[400:405]
print(json.dumps({"patients": chosen.tolist(), "predictions": forest.predict(chosen).tolist()}))
"""


@dataclass(frozen=True)
class OldService:
    """A service's files, as in its image, and what its model says."""

    app_root: Path
    model: Path
    body: str
    predictions: list[float]
    """The old environment's own, for the patients of the body."""

    @property
    def source(self) -> Path:
        return self.app_root / "src"

    @property
    def settings(self) -> dict[str, str]:
        """The server's settings for it."""
        return {
            "AML_APP_ROOT": str(self.app_root),
            "AZUREML_SOURCE_DIRECTORY": "src",
            "AZUREML_ENTRY_SCRIPT": "src/score.py",
            "AZUREML_MODEL_DIR": str(self.model.parent),
        }


def old_service(python: Path, folder: Path) -> OldService:
    """Train the model with an old interpreter and lay the service out in a folder, which is its app root."""
    source, version = folder / "src", folder / "azureml-models" / MODEL / "1"
    source.mkdir()
    (source / "score.py").write_text(SCORE)
    version.mkdir(parents=True)
    model = version / MODEL
    trained = subprocess.run([python, "-c", _TRAIN, model], capture_output=True, text=True, check=False)
    assert trained.returncode == 0, trained.stderr
    said = json.loads(trained.stdout)
    return OldService(folder, model, json.dumps({"data": said["patients"]}), said["predictions"])
