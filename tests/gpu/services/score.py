"""The service that is measured: one network, as a script of v1's users scores with it."""

import importlib
import importlib.util
import json
import os
from typing import Any

import numpy as np
import torch
from torch import nn

DEVICE = os.environ["GPU_CHECK_DEVICE"]
SMALL = DEVICE == "cpu"
VOCABULARY = 30000

network: Any = None


class Block(nn.Module):  # type: ignore[misc]
    """Two convolutions and the way around them."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.way = nn.Sequential(
            nn.Conv2d(before, channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.around = nn.Sequential()
        if stride > 1 or before != channels:
            self.around = nn.Sequential(
                nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, images: Any) -> Any:
        return torch.relu(self.way(images) + self.around(images))


def residual_network(blocks: int) -> Any:
    """A ResNet in plain PyTorch, where torchvision is not installed."""
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    before = 64
    for channels in (64, 128, 256, 512):
        for number in range(blocks):
            layers.append(Block(before, channels, 2 if number == 0 and channels > 64 else 1))
            before = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 1000))


class Images(nn.Module):  # type: ignore[misc]
    """A convolutional network on pixels from 0 to 255."""

    def __init__(self) -> None:
        super().__init__()
        if importlib.util.find_spec("torchvision") is None:
            self.title = f"ResNet in plain PyTorch, {8 if SMALL else 16} blocks"
            self.layers = residual_network(2 if SMALL else 4)
        else:
            name = "resnet18" if SMALL else "resnet50"
            vision = importlib.import_module("torchvision")
            self.title = f"torchvision {vision.__version__} {name}"
            self.layers = getattr(vision.models, name)(weights=None)

    def forward(self, pixels: Any) -> Any:
        return self.layers(pixels / 128 - 1)


class Tokens(nn.Module):  # type: ignore[misc]
    """A transformer block on the numbers of tokens."""

    def __init__(self) -> None:
        super().__init__()
        width, heads = (64, 4) if SMALL else (512, 8)
        self.title = f"torch.nn.TransformerEncoderLayer, width {width}, {heads} heads"
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.block = nn.TransformerEncoderLayer(width, heads, 4 * width, batch_first=True)
        self.head = nn.Linear(width, 10)

    def forward(self, tokens: Any) -> Any:
        return self.head(self.block(self.embedding(tokens.long())).mean(1))


def init() -> None:
    global network
    if SMALL:
        torch.set_num_threads(1)
    torch.manual_seed(0)
    networks: dict[str, Any] = {"convolution": Images, "transformer": Tokens}
    network = networks[os.environ["GPU_CHECK_NETWORK"]]().eval().to(DEVICE)
    print(f"{network.title} on {DEVICE}")


def predict(rows: Any) -> Any:
    """Scores of each row, from NumPy's memory to NumPy's memory."""
    with torch.inference_mode():
        return network(torch.from_numpy(rows).to(DEVICE)).cpu().numpy()


def run(data: Any) -> Any:
    """A body as v1's clients send it; or, where the server batches arrays, the array."""
    if isinstance(data, np.ndarray):
        return predict(data)
    return predict(np.array(json.loads(data)["data"], dtype=np.float32)).tolist()
