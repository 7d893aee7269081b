# Scores handwritten digits: {"data": [[784 grey levels from 0 to 1], ...]} in, [digit, ...] out.
# Written for Azure ML SDK v1 and TensorFlow 1, as such scripts were in 2019; nothing in it is ours.

import json
import os

import numpy as np
import tensorflow as tf
from azureml.core.model import Model  # noqa: F401  (most scripts of the time imported it, used or not)


def init():
    global session, images, scores

    model_path = os.path.join(os.getenv("AZUREML_MODEL_DIR"), "model", "mnist-tf.model")
    tf.reset_default_graph()
    session = tf.Session()
    saver = tf.train.import_meta_graph(model_path + ".meta")
    saver.restore(session, model_path)

    graph = tf.get_default_graph()
    images = graph.get_tensor_by_name("network/X:0")
    scores = graph.get_tensor_by_name("network/output/MatMul:0")


def run(raw_data):
    data = np.array(json.loads(raw_data)["data"])
    result = session.run(scores, feed_dict={images: data})
    return np.argmax(result, axis=1).tolist()
