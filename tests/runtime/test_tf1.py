"""TensorFlow 1 scripts on TensorFlow 2, with the real TensorFlow."""

import os
import subprocess
import sys

import pytest

from gpu_inference_runtime.tf1 import TensorFlowMissingError, use_tensorflow_v1

GRAPH = """
from gpu_inference_runtime.tf1 import use_tensorflow_v1
use_tensorflow_v1()
import tensorflow as tf
from tensorflow.python.framework import ops
x = tf.placeholder(tf.float32, [None, 2])
w = tf.get_variable("w", initializer=[[1.0], [2.0]])
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    print(session.run(tf.matmul(x, w), {x: [[3.0, 4.0]]}).tolist())
"""


def test_a_script_that_imports_tensorflow_gets_version_1_in_graph_mode() -> None:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", GRAPH], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[[11.0]]"), done.stderr


def test_without_tensorflow_the_setting_is_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    # None in sys.modules is how Python itself marks a module that cannot be imported.
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(TensorFlowMissingError, match="build the image with FRAMEWORK=tensorflow-cpu"):
        use_tensorflow_v1()
