"""A service that does on request what goes wrong on a GPU. On a CPU each has a stand-in."""

import ctypes
import json
import os
import threading
import time
from typing import Any

import torch

DEVICE = os.environ["GPU_CHECK_DEVICE"]
ON_GPU = DEVICE != "cpu"
# One product takes a GPU 0.1 s and more then, so that a minute's work fits into its queue of 1024 launches.
SIDE = 16384
CHUNK_BYTES = 256 << 20

weights: Any = None
product_seconds = 0.0


def init() -> None:
    global weights, product_seconds
    weights = torch.ones(1000, device=DEVICE)
    if not ON_GPU:
        return
    # The first product loads the library, and takes longer.
    for _ in range(3):
        began = time.monotonic()
        multiply(1)
        product_seconds = time.monotonic() - began
    torch.cuda.empty_cache()
    print(f"{product_seconds:.3f} s for a product")


def run(raw_data: str) -> Any:
    wish = json.loads(raw_data)
    wishes: dict[str, Any] = {
        "answer": answer,
        "stick": stick,
        "assert": violate,
        "fill": fill,
        "hold": hold,
    }
    return wishes[wish.pop("do")](**wish)


def answer() -> dict[str, float]:
    """A little work, and who has done it."""
    allocated = torch.cuda.memory_allocated() if ON_GPU else 0
    return {"sum": float(weights.sum()), "pid": os.getpid(), "allocated": allocated}


def stick(seconds: float) -> dict[str, float]:
    """Wait in one call of C's for kernels that take so long. No exception can end that call."""
    print("stuck from here on", flush=True)
    if not ON_GPU:
        wait_in_c(seconds)
        return answer()
    multiply(int(seconds / product_seconds) + 1)
    return answer()


def multiply(count: int) -> None:
    matrix = torch.ones(SIDE, SIDE, device=DEVICE)
    product = torch.empty_like(matrix)
    for _ in range(count):
        torch.mm(matrix, matrix, out=product)
    torch.cuda.synchronize()


def wait_in_c(seconds: float) -> None:
    """What a signal does not end either: to wait for a lock of C's."""
    c, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)
    c.pthread_mutex_lock(lock)
    threading.Timer(seconds, c.pthread_mutex_unlock, (lock,)).start()
    c.pthread_mutex_lock(lock)


def violate() -> dict[str, float]:
    """Read beyond a tensor's end: on a GPU an assertion of the kernel's, which breaks the CUDA context."""
    beyond = weights[torch.tensor([weights.numel() + 7], device=DEVICE)]
    return {"beyond": float(beyond)}


def fill() -> int:
    """Take memory until there is no more."""
    taken = []
    while ON_GPU:
        taken.append(torch.empty(CHUNK_BYTES, dtype=torch.uint8, device=DEVICE))
    # More than any machine has.
    taken.append(torch.empty(1 << 50, dtype=torch.uint8))
    return len(taken)


def hold(share: float) -> dict[str, float]:
    """Take a share of all memory, give it back, and tell how much that was."""
    size = int((torch.cuda.get_device_properties(0).total_memory if ON_GPU else 1 << 30) * share)
    block = torch.zeros(size, dtype=torch.uint8, device=DEVICE)
    return {"bytes": block.numel(), "pid": os.getpid(), "last": float(block[-1])}
