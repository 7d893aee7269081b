# Tells irises apart: {"data": [[sepal length, sepal width, petal length, petal width in cm], ...]} in,
# ["setosa", ...] out. Written for Azure ML SDK v1 and TensorFlow 2 with Keras, as such scripts were in 2021;
# nothing in it is ours.

import json
import os

import numpy as np
import tensorflow as tf

SPECIES = ["setosa", "versicolor", "virginica"]


def init():
    global model
    print("TensorFlow", tf.__version__, "sees", len(tf.config.list_physical_devices("GPU")), "GPUs")
    model = tf.keras.models.load_model(os.path.join(os.getenv("AZUREML_MODEL_DIR"), "model", "iris.h5"))


def run(raw_data):
    data = np.array(json.loads(raw_data)["data"], dtype=np.float32)
    scores = model(data).numpy()
    return [SPECIES[index] for index in np.argmax(scores, axis=1)]
