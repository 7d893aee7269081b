"""Trains the sample's network on scikit-learn's own handwritten digits and exports it as ONNX.

Needs scikit-learn, skl2onnx and Pillow. `outputs/digits.onnx` then takes `pixels`, 64 numbers from 0 (paper)
to 16 (ink) for each image of 8 by 8, and returns the labels and the probabilities of all ten digits.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

HERE = Path(__file__).parent
MODEL = "digits.onnx"
SIDE = 8
SEED = 42
# One pixel of the data set becomes so many in a picture: people can look at it.
ENLARGEMENT = 8


def picture(pixels: np.ndarray) -> Image.Image:
    """Return 64 numbers from 0 to 16 as a picture of 64 by 64, white on black."""
    grey = np.rint(pixels.reshape(SIDE, SIDE) * (255 / 16)).astype(np.uint8)
    return Image.fromarray(grey.repeat(ENLARGEMENT, axis=0).repeat(ENLARGEMENT, axis=1))


def write_sample_requests(model: MLPClassifier, images: np.ndarray, labels: np.ndarray, into: Path) -> None:
    """Write a picture of each digit, the one that the network is surest of, and the answers to expect."""
    into.mkdir(parents=True, exist_ok=True)
    confidence = model.predict_proba(images)
    expected = {}
    for digit in range(10):
        best = int(np.argmax(np.where(labels == digit, confidence[:, digit], -1)))
        picture(images[best]).save(into / f"{digit}.png")
        expected[f"{digit}.png"] = {"digit": digit, "confidence": round(float(confidence[best, digit]), 3)}
    (into / "expected.json").write_text(json.dumps(expected) + "\n")


def main() -> None:
    """Train, export, and say how good the network is."""
    parser = argparse.ArgumentParser(description="Train the sample's network.")
    parser.add_argument(
        "--outputs", type=Path, default=HERE / "outputs", help=f"where {MODEL} goes (outputs)"
    )
    parser.add_argument("--sample-requests", type=Path, help="a folder to write the sample requests to, too")
    chosen = parser.parse_args()
    images, labels = load_digits(return_X_y=True)
    images = images.astype(np.float32)
    training, test, training_labels, test_labels = train_test_split(
        images, labels, test_size=0.2, random_state=SEED, stratify=labels
    )
    model = MLPClassifier((64,), max_iter=300, learning_rate_init=2e-3, random_state=SEED)
    model.fit(training, training_labels)
    accuracy = model.score(test, test_labels)
    print(f"{accuracy:.1%} of {len(test)} digits right that it has not seen")
    inputs = [("pixels", FloatTensorType([None, SIDE * SIDE]))]
    exported = to_onnx(model, initial_types=inputs, options={"zipmap": False})
    chosen.outputs.mkdir(parents=True, exist_ok=True)
    (chosen.outputs / MODEL).write_bytes(exported.SerializeToString())
    print(f"saved {chosen.outputs / MODEL}")
    if chosen.sample_requests:
        write_sample_requests(model, test, test_labels, chosen.sample_requests)


if __name__ == "__main__":
    main()
