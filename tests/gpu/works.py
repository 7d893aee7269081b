"""What is asked of the services: rows for each network, in each form, and whether the answers are right."""

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

NETWORKS = ("transformer", "convolution")
# Requests that take turns, so that nothing can remember the last one.
ROWS = 8
# The share of the largest score by which a score may be off: a GPU multiplies with 10 bits (TF32), and other
# batches by other algorithms.
TOLERANCE = 0.02


@dataclass(frozen=True)
class Mode:
    """A way to ask: what the server is told, and what the clients send."""

    name: str
    settings: dict[str, str]
    npy: bool = False


_ARRAY = {"GPU_INFERENCE_BATCHING": "array", "GPU_INFERENCE_ARRAY_DTYPE": "float32"}
MODES = (
    Mode("plain", {}),
    Mode("merge", {"GPU_INFERENCE_BATCHING": "merge"}),
    Mode("array", _ARRAY),
    Mode("npy", _ARRAY, npy=True),
)


class Work:
    """Rows for one of the networks."""

    def __init__(self, network: str, small: bool) -> None:
        self.network = network
        random = np.random.default_rng(0)
        if network == "convolution":
            side = 32 if small else 224
            self.rows = random.integers(0, 256, (ROWS, 3, side, side), np.uint8)
        else:
            self.rows = random.integers(0, 30000, (ROWS, 16 if small else 128), np.int32)

    def batch(self, size: int) -> Any:
        """So many rows as `run()` of an array gets them."""
        return np.resize(self.rows, (size, *self.rows.shape[1:])).astype(np.float32)

    def text(self, number: int) -> str:
        """The body with one of the rows, as v1's clients send it."""
        return json.dumps({"data": self.rows[number : number + 1].tolist()}, separators=(",", ":"))

    def requests(self, mode: Mode) -> list[bytes]:
        """A whole request for each row."""
        return [_request(self._body(mode, number), mode.npy) for number in range(ROWS)]

    def _body(self, mode: Mode, number: int) -> bytes:
        if not mode.npy:
            return self.text(number).encode()
        file = io.BytesIO()
        np.save(file, self.rows[number : number + 1])
        return file.getvalue()


def _request(body: bytes, npy: bool) -> bytes:
    kind = "application/x-npy" if npy else "application/json"
    head = f"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nAccept: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def scores(body: bytes, mode: Mode) -> Any:
    """The scores in an answer.

    Raises:
        ValueError: it has none.
    """
    if mode.npy:
        return np.load(io.BytesIO(body), allow_pickle=False)
    return np.array(json.loads(body), dtype=np.float64)


def distance(found: Any, expected: Any) -> float:
    """How far off the worst score is, as a share of the largest; infinite where there are other scores."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / np.abs(expected).max())
