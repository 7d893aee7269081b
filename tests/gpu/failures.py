"""What the server does when a GPU gets stuck, fails, or is full; and whether its front keeps off it."""

import contextlib
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .card import Card
from .findings import NO_GPU, Check
from .servers import Answer, Server

# As in a pod, but for a queue in which requests wait for as long as the kernels take.
_FRONT_END = {"GPU_INFERENCE_FRONT_END": "azureml", "GPU_INFERENCE_MAX_QUEUE_WAIT_MS": "60000"}
_LIMIT = {"SCORING_TIMEOUT_MS": "1000"}
_LATEST_504 = 1.1
_LONG, _ENDLESS = 5.0, 60.0
_PROBE_SECONDS = 0.05
# A health probe of Kubernetes' gives up after a second.
_LATEST_HEALTH = 0.5
_SETTLE_SECONDS = 10.0
# What a driver keeps for itself from time to time.
_SLACK_MIB = 64.0

STUCK_STAND_IN = "" if Path("/dev/nvidiactl").exists() else " (stand-in: a wait in C)"


def keeps_off(check: Check) -> None:
    """The front has no CUDA context, also after its metrics have told the GPU's memory."""
    step = "The front keeps off the GPU"
    with check.server("keeps-off", "trouble.py", **_FRONT_END) as server:
        server.score(_wish("answer"))
        told = server.metrics().get("gpu_inference_gpu_memory_used_bytes")
        if check.card is None:
            check.found(step, "the front has no CUDA context", NO_GPU)
            return
        front, script = server.front_pid(), server.script_pid()
        seen = {pid: _traces_of_cuda(pid, check.card) for pid in (front, script)}
        check.found(
            step, "the front has no CUDA context", "; ".join(seen[front]) or "no sign of one", not seen[front]
        )
        # Else the signs would say nothing.
        check.found(
            step, "the script's process has one", "; ".join(seen[script]) or "no sign", bool(seen[script])
        )
        listed = check.card.pids()
        check.found(step, "what NVML lists", f"{listed}; front {front}, script {script}")
        used = check.card.used_mib()
        off = None if told is None else abs(told / 2**20 - used)
        check.found(
            step,
            "the metric for the GPU's memory is what NVML says",
            "there is none" if told is None else f"{told / 2**20:.0f} MiB; NVML {used:.0f} MiB",
            off is not None and off < _SLACK_MIB,
        )


def _traces_of_cuda(pid: int, card: Card) -> list[str]:
    """The signs of a CUDA context that a process has. NVML itself opens other devices than CUDA."""
    signs = []
    if any("/libcuda.so" in line for line in Path(f"/proc/{pid}/maps").read_text().splitlines()):
        signs.append("libcuda.so is loaded")
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if "nvidia-uvm" in str(entry.readlink()):
                    signs.append("nvidia-uvm is open")
                    break
    if pid in card.pids():
        signs.append("NVML lists it")
    return signs


def long_kernel(check: Check) -> None:
    """A kernel that takes longer than the scoring timeout, and ends."""
    step = "A long kernel" + STUCK_STAND_IN
    with check.server("long-kernel", "trouble.py", **_FRONT_END, **_LIMIT) as server:
        before = _pid(server.score(_wish("answer")))
        following = _stuck(check, step, server, _LONG)
        check.found(
            step,
            "the next request is answered by the same process when the kernel has ended",
            f"{following.status} after {following.seconds:.1f} s, by {_whom(following, before)}",
            following.status == 200 and _pid(following) == before,
        )


def stuck_kernel(check: Check) -> None:
    """Kernels that go on after the worker timeout too: the process is replaced in the middle of them."""
    step = "A stuck kernel" + STUCK_STAND_IN
    with check.server("stuck-kernel", "trouble.py", **_FRONT_END, **_LIMIT, WORKER_TIMEOUT="1") as server:
        before = _pid(server.score(_wish("answer")))
        memory = check.card.used_mib() if check.card else 0.0
        following = _stuck(check, step, server, _ENDLESS)
        check.found(
            step,
            "the next request is answered by another process",
            f"{following.status} after {following.seconds:.1f} s, by {_whom(following, before)}",
            following.status == 200 and _pid(following) != before,
        )
        check.found(
            step,
            "the process is gone",
            "it is there" if Path(f"/proc/{before}").exists() else "it is",
            not Path(f"/proc/{before}").exists(),
        )
        _memory_is_back(check, step, "its memory is back", memory)


def _stuck(check: Check, step: str, server: Server, seconds: float) -> Answer:
    """Make it stuck for so long; return the answer to a request that came after it."""
    healths: list[Answer] = []
    with ThreadPoolExecutor() as pool:
        stuck = pool.submit(server.score, _wish("stick", seconds=seconds))
        _wait_for(lambda: "stuck from here on" in server.log)
        following = pool.submit(server.score, _wish("answer"))
        while not (stuck.done() and following.done()):
            healths += [server.get("/"), server.management("/live")]
            time.sleep(_PROBE_SECONDS)
    told = stuck.result()
    check.found(
        step,
        f"504 within {_LATEST_504} s, at a limit of 1 s",
        f"{told.status} after {told.seconds:.3f} s",
        told.status == 504 and told.seconds <= _LATEST_504,
    )
    statuses = sorted({answer.status for answer in healths})
    slowest = max(answer.seconds for answer in healths)
    # While a process is replaced, / says that the service is starting.
    restarts = seconds == _ENDLESS
    check.found(
        step,
        f"/ and /live are answered meanwhile within {_LATEST_HEALTH} s",
        f"{len(healths)} with {statuses}, the slowest after {slowest * 1000:.0f} ms",
        set(statuses) <= ({200, 503} if restarts else {200}) and slowest <= _LATEST_HEALTH,
    )
    return following.result()


def cuda_error(check: Check) -> None:
    """An assertion of a kernel's: after that, every call of CUDA in the process fails."""
    step = "A CUDA error in run()" + ("" if check.card else " (stand-in: an index out of range)")
    with check.server("cuda-error", "trouble.py", **_FRONT_END) as server:
        before = _pid(server.score(_wish("answer")))
        failed = server.score(_wish("assert"))
        check.found(
            step, "502 for the request", f"{failed.status} after {failed.seconds:.2f} s", failed.status == 502
        )
        began = time.monotonic()
        following = [server.score(_wish("answer"))]
        while following[-1].status != 200 and time.monotonic() - began < _SETTLE_SECONDS:
            time.sleep(0.5)
            following.append(server.score(_wish("answer")))
        last = following[-1]
        statuses = ", ".join(str(answer.status) for answer in following)
        whom = f" by {_whom(last, before)}" if last.status == 200 else ""
        check.found(
            step,
            f"a later request is answered, within {_SETTLE_SECONDS:.0f} s",
            f"{statuses}{whom}; / answers {server.get('/').status}; the log: {_last_error(server.log)}",
            last.status == 200,
        )


def out_of_memory(check: Check) -> None:
    """A request that takes all of the GPU's memory."""
    step = "No memory left" + ("" if check.card else " (stand-in: of the machine)")
    with check.server("out-of-memory", "trouble.py", **_FRONT_END) as server:
        first = server.score(_wish("answer"))
        memory = [check.card.used_mib()] if check.card else []
        failed = server.score(_wish("fill"))
        check.found(
            step, "502 for the request", f"{failed.status} after {failed.seconds:.2f} s", failed.status == 502
        )
        memory += [check.card.used_mib()] if check.card else []
        following = server.score(_wish("answer"))
        check.found(
            step,
            "the next request is answered",
            f"{following.status} after {following.seconds:.2f} s, by {_whom(following, _pid(first))}",
            following.status == 200,
        )
        kept = [_content(answer).get("allocated", -1) for answer in (first, following)]
        check.found(
            step,
            "no tensor of the failed call is kept",
            f"{kept[0]} bytes in tensors before, {kept[1]} after" if check.card else NO_GPU,
            kept[0] == kept[1] if check.card else None,
        )
        large = server.score(_wish("hold", share=0.7))
        check.found(
            step,
            "a request can have 70 % of all memory",
            f"{large.status}, {_content(large).get('bytes', 0) / 2**30:.1f} GiB",
            large.status == 200,
        )
        shown = " → ".join(f"{each:.0f}" for each in memory)
        check.found(
            step,
            "memory in use by NVML before and after, PyTorch's cache included",
            f"{shown} MiB" if check.card else NO_GPU,
        )


ALL: dict[str, Callable[[Check], None]] = {
    "The front keeps off the GPU": keeps_off,
    "A long kernel": long_kernel,
    "A stuck kernel": stuck_kernel,
    "A CUDA error in run()": cuda_error,
    "No memory left": out_of_memory,
}


def run(check: Check) -> None:
    """Make all of them, each with a server of its own, which gives the memory back in the end."""
    needed = 40.0 if check.card else 15.0
    for step, function in ALL.items():
        memory = check.card.used_mib() if check.card else 0.0

        def make(
            function: Callable[[Check], None] = function, step: str = step, memory: float = memory
        ) -> None:
            function(check)
            _memory_is_back(check, step, "with the server's end the GPU's memory is back", memory)

        check.make(step, needed, make)


def _memory_is_back(check: Check, step: str, expected: str, before: float) -> None:
    card = check.card
    if card is None:
        check.found(step, expected, NO_GPU)
        return
    back = _wait_for(lambda: card.used_mib() <= before + _SLACK_MIB)
    check.found(step, expected, f"{before:.0f} MiB before, {card.used_mib():.0f} MiB after", back)


def _wait_for(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + _SETTLE_SECONDS
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _wish(what: str, **arguments: float) -> str:
    return json.dumps({"do": what, **arguments})


def _content(answer: Answer) -> dict[str, Any]:
    """What the script has answered; nothing where it did not."""
    content = json.loads(answer.body) if answer.status == 200 else {}
    return content if isinstance(content, dict) else {}


def _pid(answer: Answer) -> int:
    return int(_content(answer).get("pid", 0))


def _whom(answer: Answer, before: int) -> str:
    pid = _pid(answer)
    return "nobody" if not pid else "the same process" if pid == before else "another process"


def _last_error(log: str) -> str:
    """The last line in which Python names an exception."""
    lines = [line for line in log.splitlines() if "Error: " in line and not line.startswith(" ")]
    return lines[-1][:200] if lines else "no error"
