"""Trains the sample's regression on scikit-learn's own diabetes data and saves it with joblib.

Needs scikit-learn. `outputs/sklearn_regression_model.pkl` is then the model as people registered it with
Azure ML v1: a pickle of a pipeline. It loads with the scikit-learn that wrote it.
"""

import argparse
import json
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent
MODEL = "sklearn_regression_model.pkl"
SEED = 42
# Rows of the test set that become sample requests.
CHOSEN = (0, 1, 2)


def sample_requests(model: Pipeline, patients: np.ndarray) -> dict[str, str]:
    """Return the files' texts by name: one patient each, all of them at once, and the answers to expect."""
    chosen = [patients[[row]] for row in CHOSEN] + [patients[list(CHOSEN)]]
    names = [f"patient-{row}.json" for row in CHOSEN] + ["patients.json"]
    bodies = {name: {"data": rows.tolist()} for name, rows in zip(names, chosen, strict=True)}
    expected = {name: model.predict(rows).tolist() for name, rows in zip(names, chosen, strict=True)}
    return {
        name: json.dumps(content) + "\n" for name, content in [*bodies.items(), ("expected.json", expected)]
    }


def main() -> None:
    """Train, save, and say how good the model is."""
    parser = argparse.ArgumentParser(description="Train the sample's regression.")
    parser.add_argument(
        "--outputs", type=Path, default=HERE / "outputs", help=f"where {MODEL} goes (outputs)"
    )
    parser.add_argument("--sample-requests", type=Path, help="a folder to write the sample requests to, too")
    chosen = parser.parse_args()
    patients, progression = load_diabetes(return_X_y=True, scaled=False)
    training, test, training_truth, test_truth = train_test_split(
        patients, progression, test_size=0.2, random_state=SEED
    )
    model = make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(training, training_truth)
    r2 = r2_score(test_truth, model.predict(test))
    print(f"R² on {len(test)} patients that it has not seen: {r2:.3f}")
    chosen.outputs.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, chosen.outputs / MODEL)
    print(f"saved {chosen.outputs / MODEL}")
    if chosen.sample_requests:
        chosen.sample_requests.mkdir(parents=True, exist_ok=True)
        for name, text in sample_requests(model, test).items():
            (chosen.sample_requests / name).write_text(text)


if __name__ == "__main__":
    main()
