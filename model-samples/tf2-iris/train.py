"""Trains the sample's network on the iris data that scikit-learn ships and saves it with Keras.

Needs TensorFlow 2 and scikit-learn. `outputs/model/iris.h5` is then the model in the format in which most
Keras models of Azure ML v1's time were registered.
"""

import argparse
import json
import os
from pathlib import Path

# Both before TensorFlow is imported: no chatter, and the same network from the same seed.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent
MODEL = Path("model", "iris.h5")
SEED = 42
EPOCHS = 40


def sample_requests(flowers: np.ndarray, species: np.ndarray, names: list[str]) -> dict[str, str]:
    """Return the files' texts by name: the first flower of each species, all three, the answers to expect."""
    rows = [int(np.argmax(species == number)) for number in range(len(names))]
    bodies = {f"{name}.json": flowers[[row]] for name, row in zip(names, rows, strict=True)}
    bodies["flowers.json"] = flowers[rows]
    expected = {f"{name}.json": [name] for name in names} | {"flowers.json": names}
    texts = {name: json.dumps({"data": rows.tolist()}) for name, rows in bodies.items()}
    return {name: text + "\n" for name, text in [*texts.items(), ("expected.json", json.dumps(expected))]}


def main() -> None:
    """Train, save, and say how good the network is."""
    parser = argparse.ArgumentParser(description="Train the sample's network.")
    parser.add_argument(
        "--outputs", type=Path, default=HERE / "outputs", help=f"where {MODEL} goes (outputs)"
    )
    parser.add_argument("--sample-requests", type=Path, help="a folder to write the sample requests to, too")
    chosen = parser.parse_args()
    iris = load_iris()
    training, test, training_species, test_species = train_test_split(
        iris.data.astype(np.float32), iris.target, test_size=0.2, random_state=SEED, stratify=iris.target
    )
    tf.keras.utils.set_random_seed(SEED)
    scale = tf.keras.layers.Normalization()
    scale.adapt(training)
    model = tf.keras.Sequential(
        [
            tf.keras.Input((4,)),
            scale,
            tf.keras.layers.Dense(16, activation="relu"),
            tf.keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(tf.keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(training, training_species, epochs=EPOCHS, batch_size=len(training), verbose=0)
    accuracy = float(np.mean(np.argmax(model(test).numpy(), axis=1) == test_species))
    print(f"{accuracy:.0%} of {len(test)} flowers right that it has not seen")
    (chosen.outputs / MODEL).parent.mkdir(parents=True, exist_ok=True)
    model.save(chosen.outputs / MODEL)
    print(f"saved {chosen.outputs / MODEL}")
    if chosen.sample_requests:
        chosen.sample_requests.mkdir(parents=True, exist_ok=True)
        for name, text in sample_requests(iris.data, iris.target, iris.target_names.tolist()).items():
            (chosen.sample_requests / name).write_text(text)


if __name__ == "__main__":
    main()
