"""The requests that are sent and the answers that are right: the same rows in the form of each protocol."""

import io
import itertools
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

LAYERS = (784, 300, 100, 10)
ROTATING = 16
"""Different bodies of one kind that are sent in turn."""
KEY = "0123456789abcdefghijklmnopqrstuv"
"""The key of services that ask for one."""
_INK = 0.2
"""Share of a digit's pixels that are not zero, as in the article's images."""

Array = Any


@dataclass(frozen=True)
class Requests:
    """Whole requests in files, to be sent in turn, and what is right about their answers."""

    files: tuple[Path, ...]
    check: Callable[[int, bytes], bool]
    """Tells whether a body answers the request of that place rightly."""


class Workloads:
    """Makes model and requests, each once, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.model_folder = folder / "model"
        self.keys_folder = folder / "keys"
        self.model_folder.mkdir(parents=True, exist_ok=True)
        self.keys_folder.mkdir(exist_ok=True)
        for name in ("primaryKey", "secondaryKey"):
            (self.keys_folder / name).write_text(KEY, encoding="ascii")
        self._weights = _random_weights()
        stored = {f"w{place}": matrix for place, (matrix, _) in enumerate(self._weights)}
        stored |= {f"b{place}": bias for place, (_, bias) in enumerate(self._weights)}
        np.savez(self.model_folder / "weights.npz", **stored)
        self._made: dict[tuple[str, ...], Requests] = {}

    def requests(self, work: str, form: str, model: str) -> Requests:
        """Return the requests of some work (`row`, `rows 256`, `bytes 1000000`, …) in the form of a protocol.

        Args:
            work: what is sent, as in `row` or `rows 256`.
            form: `v1`, `v1 with key`, `npy`, `kserve`, `v2` or `v2 binary`.
            model: which model answers it.
        """
        kind, _, size = work.partition(" ")
        if kind == "row":
            return self._rows(1, ROTATING, form, model)
        if kind == "rows":
            # Fewer different bodies of the large ones: each is kept in memory.
            return self._rows(int(size), max(2, min(ROTATING, 1024 // int(size))), form, model)
        if kind == "bytes":
            return self._echo(int(size))
        return self._malformed(kind, form)

    def _rows(self, count: int, bodies: int, form: str, model: str) -> Requests:
        if (made := self._made.get((str(count), form, model))) is None:
            all_rows = [_digits(count, seed) for seed in range(bodies)]
            right = [self._classes(rows, model) for rows in all_rows]
            name = f"{count}-rows-{form.replace(' ', '-')}"
            files = [
                self._write(f"{name}-{place}", encode(rows, form)) for place, rows in enumerate(all_rows)
            ]
            checks: dict[str, Callable[[int, bytes], bool]] = {
                "echo": lambda _, body: body.startswith(b'"{'),
                "counting": lambda _, body: body.isdigit(),
            }
            check = checks.get(model, lambda place, body: classes_in(body, form) == right[place])
            made = Requests(tuple(files), check)
            self._made[str(count), form, model] = made
        return made

    def _echo(self, size: int) -> Requests:
        files = []
        for place in range(2):
            row = json.dumps(_digits(1, place).tolist())[1:-1]
            body = f'{{"data": [{", ".join([row] * (size // (len(row) + 2) + 1))}'[: size - 2] + "]}"
            files.append(self._write(f"{size}-bytes-{place}", _post("/score", body.encode())))
        return Requests(tuple(files), lambda _, body: body.startswith(b'"{'))

    def _malformed(self, kind: str, form: str) -> Requests:
        row = _digits(1, 0).tolist()
        bodies = {
            "not-json": json.dumps({"data": row})[:-3],
            "no-key": json.dumps({"rows": row}),
            "ragged": json.dumps({"data": [[*row[0], 0.0], row[0]]}),
            "too-wide": json.dumps({"data": [[*row[0], 0.5]]}),
        }
        headers = {"Authorization": f"Bearer {KEY}"} if form == "v1 with key" else {}
        path = self._write(
            f"{kind}-{form.replace(' ', '-')}", _post("/score", bodies[kind].encode(), headers=headers)
        )
        return Requests((path,), lambda _place, _body: False)

    def _write(self, name: str, content: bytes) -> Path:
        path = self._folder / f"{name}.http"
        path.write_bytes(content)
        return path

    def _classes(self, rows: Array, model: str) -> list[int]:
        if model in ("gpu", "gil"):
            rows = rows[:, :10]
        elif model in ("numpy", "tensorflow"):
            for matrix, bias in self._weights[:-1]:
                rows = np.maximum(rows @ matrix + bias, 0)
            rows = rows @ self._weights[-1][0] + self._weights[-1][1]
        result: list[int] = np.argmax(rows, axis=1).tolist()
        return result


def encode(rows: Array, form: str) -> bytes:
    """Return a whole request that asks for the classes of some rows."""
    if form == "npy":
        stream = io.BytesIO()
        np.save(stream, rows)
        return _post("/score", stream.getvalue(), "application/x-npy")
    if form == "kserve":
        return _post("/v1/models/net:predict", json.dumps({"instances": _written(rows)}).encode())
    if form in ("v2", "v2 binary"):
        asked = {"name": "data", "shape": list(rows.shape), "datatype": "FP32"}
        path = "/v2/models/net/infer"
        if form == "v2":
            return _post(path, json.dumps({"inputs": [asked | {"data": _written(rows)}]}).encode())
        data = rows.tobytes()
        head = json.dumps({"inputs": [asked | {"parameters": {"binary_data_size": len(data)}}]}).encode()
        length = {"Inference-Header-Content-Length": str(len(head))}
        return _post(path, head + data, "application/octet-stream", length)
    headers = {"Authorization": f"Bearer {KEY}"} if form == "v1 with key" else {}
    return _post("/score", json.dumps({"data": _written(rows)}).encode(), headers=headers)


def classes_in(body: bytes, form: str) -> list[int]:
    """Return the classes that an answer holds; none where it is not one."""
    try:
        if body.startswith(b"\x93NUMPY"):
            classes: list[int] = np.load(io.BytesIO(body)).reshape(-1).tolist()
            return classes
        answer = json.loads(body)
        if form == "kserve":
            answer = answer["predictions"]
        elif form.startswith("v2"):
            answer = answer["outputs"][0]["data"]
        return [int(value) for value in answer]
    except (ValueError, KeyError, IndexError, TypeError):
        return []


def _written(rows: Array) -> list[list[float]]:
    # As a person's client writes them: k/255 in double precision, not the float32 nearest to it.
    doubles: list[list[float]] = (np.round(rows.astype(np.float64) * 255) / 255).tolist()
    return doubles


def _post(
    path: str, body: bytes, content_type: str = "application/json", headers: dict[str, str] | None = None
) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {content_type}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


@cache
def _digits(count: int, seed: int) -> Array:
    """Rows like handwritten digits: most pixels are zero, the others k/255."""
    generator = np.random.default_rng(1000 * count + seed)
    ink = generator.random((count, LAYERS[0])) < _INK
    grey = generator.integers(1, 256, (count, LAYERS[0]))
    return (np.where(ink, grey, 0) / 255).astype(np.float32)


def _random_weights() -> Sequence[tuple[Array, Array]]:
    generator = np.random.default_rng(random.Random("gpu-inference").getrandbits(32))
    layers = []
    for inputs, outputs in itertools.pairwise(LAYERS):
        matrix = generator.normal(0, (2 / inputs) ** 0.5, (inputs, outputs)).astype(np.float32)
        layers.append((matrix, generator.normal(0, 0.1, outputs).astype(np.float32)))
    return layers
