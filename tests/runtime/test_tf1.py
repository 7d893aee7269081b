"""TensorFlow 1 scripts on TensorFlow 2, with the real TensorFlow."""

import os
import subprocess
import sys

import pytest
from tests.model_samples import WITHOUT_SKLEARN

from gpu_inference_script.stand_ins.tf1 import TensorFlowMissingError, use_tensorflow_v1

GRAPH = """
from gpu_inference_script.stand_ins.tf1 import use_tensorflow_v1
use_tensorflow_v1()
import tensorflow as tf
from tensorflow.python.framework import ops
x = tf.placeholder(tf.float32, [None, 2])
w = tf.get_variable("w", initializer=[[1.0], [2.0]])
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    print(session.run(tf.matmul(x, w), {x: [[3.0, 4.0]]}).tolist())
"""


GONE = """
import inspect
inspect.getmodule(tf.contrib)
for line in (
    "tf.contrib.layers", "import tensorflow.contrib", "from tensorflow.contrib import learn",
    "import tensorflow.contrib.slim as slim", "tf.layers.dense", "from tensorflow.layers import dense",
):
    try:
        exec(line)
    except ImportError as error:
        print(line + ": " + str(error))
import tensorflow.keras.models as models
print(models.__name__)
"""


@pytest.fixture(scope="module")
def printed() -> list[str]:
    """Return what both scripts print in one process: to import TensorFlow takes seconds."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SKLEARN + GRAPH + GONE],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_script_gets_tensorflow_1_in_graph_mode(printed: list[str]) -> None:
    assert printed[0] == "[[11.0]]"


def test_what_tensorflow_1_lacks_fails_with_a_sentence(printed: list[str]) -> None:
    contrib = (
        "tf.contrib was removed in TensorFlow 2 and there is no replacement: rewrite the script without"
        " it, or serve it from an image with TensorFlow 1."
    )
    layers = (
        "tf.layers needs Keras 2, which TensorFlow 2.16 and later do not include: add the package tf-keras to"
        " the image, or use tf.keras.layers."
    )
    assert printed[1:] == [
        f"tf.contrib.layers: {contrib}",
        f"import tensorflow.contrib: {contrib}",
        f"from tensorflow.contrib import learn: {contrib}",
        f"import tensorflow.contrib.slim as slim: {contrib}",
        f"tf.layers.dense: {layers}",
        f"from tensorflow.layers import dense: {layers}",
        "tensorflow.keras.models",
    ]


def test_without_tensorflow_the_setting_is_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    # None in sys.modules is how Python itself marks a module that cannot be imported.
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(TensorFlowMissingError, match="build the image with FRAMEWORK=tensorflow-cpu"):
        use_tensorflow_v1()
