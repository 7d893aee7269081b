# Reads a handwritten digit: the bytes of a picture (PNG, JPEG, ...) in, {"digit": 7, "confidence": 0.98} out.
# Written for Azure ML SDK v1, with the raw request as such scripts took it; nothing in it is ours.

import io
import os

import numpy as np
import onnxruntime
from azureml.contrib.services.aml_request import rawhttp
from azureml.contrib.services.aml_response import AMLResponse
from PIL import Image, UnidentifiedImageError

SIDE = 8


def init():
    global session
    wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    path = os.path.join(os.getenv("AZUREML_MODEL_DIR"), "digits.onnx")
    session = onnxruntime.InferenceSession(path, providers=providers)
    print("Digits are read on", session.get_providers()[0])


@rawhttp
def run(request):
    if request.method != "POST":
        return AMLResponse("Send the picture of a digit with POST.", 405)
    try:
        picture = Image.open(io.BytesIO(request.get_data())).convert("L")
    except UnidentifiedImageError:
        return AMLResponse("The body is not a picture.", 400)
    # White ink on black paper, as in the data set: 0 to 16.
    ink = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32) * (16 / 255)
    labels, probabilities = session.run(None, {"pixels": ink.reshape(1, SIDE * SIDE)})
    digit = int(labels[0])
    return {"digit": digit, "confidence": round(float(probabilities[0, digit]), 3)}
