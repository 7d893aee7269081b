# Tells two spirals apart: {"data": [[x, y], ...]} in, [0 or 1, ...] out.
# Written for Azure ML SDK v1 and the PyTorch of 2020, whose torch.load took whole modules; nothing is ours.

import json
import os

import torch


def init():
    global model, device
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    model = torch.load(os.path.join(os.getenv("AZUREML_MODEL_DIR"), "spirals.pt"), map_location=device)
    model.eval()
    print("PyTorch", torch.__version__, "scores on", device)


def run(raw_data):
    points = torch.tensor(json.loads(raw_data)["data"], dtype=torch.float32, device=device)
    with torch.no_grad():
        return model(points).argmax(dim=1).tolist()
