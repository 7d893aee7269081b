"""Asynchronous scripts: awaited on one loop for the life of the process, and over when their call is over."""

import asyncio
import contextvars
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.runtime.crossed import request
from tests.runtime.server_process import StartServer

from gpu_inference_script.entry_script import EntryScript, load_entry_script
from gpu_inference_script.event_loop import EventLoop

LOOP = "import asyncio\nloops = []\n"


pytestmark = pytest.mark.usefixtures("own_imports")


@pytest.fixture(autouse=True)
def _no_loop_afterwards() -> Iterator[None]:
    yield
    asyncio.set_event_loop(None)


def load(folder: Path, text: str, *, overlapping: bool = False) -> EntryScript:
    (folder / "score.py").write_text(LOOP + text)
    return load_entry_script("score.py", folder, overlapping=overlapping)


def result(script: EntryScript, text: str = "x") -> Any:
    return script.call(request(body=text.encode())).make()


def test_what_is_not_awaitable_is_returned_as_it_is() -> None:
    loop = EventLoop()
    generator = (each for each in "ab")
    assert loop.resolve(generator) is generator
    assert loop.resolve(None) is None


def test_an_asynchronous_run_is_awaited(tmp_path: Path) -> None:
    script = load(
        tmp_path,
        "def init(): pass\n"
        "async def run(data):\n"
        "    await asyncio.sleep(0)\n    return data, asyncio.current_task() is not None",
    )
    assert result(script) == ("x", True)


def test_what_run_raises_after_an_await_comes_through(tmp_path: Path) -> None:
    script = load(
        tmp_path,
        "def init(): pass\nasync def run(data):\n    await asyncio.sleep(0)\n    raise SystemExit(data)",
    )
    for _ in range(2):
        with pytest.raises(SystemExit, match="x"):
            result(script)


@pytest.mark.parametrize(
    "init",
    [
        "async def init(): loops.append(asyncio.get_running_loop())",
        "def init(): loops.append(asyncio.get_event_loop())",
    ],
    ids=["asynchronous", "plain"],
)
def test_all_calls_run_on_the_loop_that_init_saw(tmp_path: Path, init: str) -> None:
    script = load(
        tmp_path,
        f"{init}\nasync def run(data):\n    loops.append(asyncio.get_running_loop())\n    return loops",
    )
    script.init()
    result(script)
    first, *others = result(script)
    assert others == [first, first]


def test_a_task_that_a_call_leaves_behind_goes_on_in_the_next(tmp_path: Path) -> None:
    script = load(
        tmp_path,
        "seen = []\ndef init(): pass\n"
        "async def later(data):\n"
        "    await asyncio.sleep(0)\n    await asyncio.sleep(0)\n    seen.append(data)\n"
        "async def run(data):\n"
        "    loops.append(asyncio.create_task(later(data)))\n"
        "    if data == 'last': await asyncio.wait(loops)\n"
        "    return seen",
    )
    assert result(script, "first") == []
    assert result(script, "last") == ["first", "last"]


def test_a_decorated_asynchronous_run_gets_converted_arguments(tmp_path: Path) -> None:
    script = load(
        tmp_path,
        "from inference_schema.schema_decorators import input_schema\n"
        "from inference_schema.parameter_types import standard_py_parameter_type as types\n"
        "def init(): pass\n"
        "@input_schema('x', types.StandardPythonParameterType(b'x'))\nasync def run(x): return x",
    )
    asked = request(headers={"content-type": "application/json"}, body=b'{"x": "QUJD"}')
    assert script.call(asked).make() == b"ABC"


def test_a_plain_run_may_return_an_awaitable(tmp_path: Path) -> None:
    script = load(
        tmp_path, "def init(): pass\nasync def work(data): return data\ndef run(data): return work(data)"
    )
    assert result(script) == "x"


def test_a_plain_script_may_run_a_loop_of_its_own(tmp_path: Path) -> None:
    script = load(
        tmp_path,
        "def init(): pass\nasync def work(data): return data\ndef run(data): return asyncio.run(work(data))",
    )
    assert [result(script), result(script)] == ["x", "x"]


class Interrupting:
    """An awaitable during which the loop itself is struck, as by a signal between two of its steps."""

    def __init__(self, ended: list[str]) -> None:
        self.ended = ended

    async def run(self) -> None:
        loop: Any = asyncio.get_running_loop()
        select = loop._selector.select

        def struck(timeout: float | None) -> Any:
            loop._selector.select = select
            raise TimeoutError(timeout)

        loop._selector.select = struck
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            self.ended.append("cleaned up")


def test_an_interrupted_call_is_cancelled_before_the_next() -> None:
    loop = EventLoop()
    ended: list[str] = []
    with pytest.raises(TimeoutError):
        loop.resolve(Interrupting(ended).run())
    assert ended == ["cleaned up"]

    async def tasks() -> int:
        return len(asyncio.all_tasks())

    assert loop.resolve(tasks()) == 1


def test_overlapping_calls_share_a_loop_on_its_own_thread(tmp_path: Path) -> None:
    script = load(
        tmp_path,
        "import threading\ndef init(): loops.append(asyncio.Barrier(2))\n"
        "async def run(data):\n"
        "    async with asyncio.timeout(60): await loops[0].wait()\n"
        "    return threading.current_thread().name, id(asyncio.get_running_loop())",
        overlapping=True,
    )
    script.init()
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(lambda _: result(script), range(2))
    assert one == other
    assert one[0] == "event loop"


def test_an_interrupted_wait_cancels_the_call_on_its_thread() -> None:
    ended = threading.Event()

    async def wait() -> None:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            await asyncio.sleep(3600)
        finally:
            ended.set()

    def strike(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, strike)
    try:
        with pytest.raises(TimeoutError):
            EventLoop(overlapping=True).resolve(wait())
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ended.wait(60)


@pytest.mark.parametrize("overlapping", [False, True])
def test_context_variables_of_the_caller_are_seen(overlapping: bool) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")

    async def look() -> str:
        await asyncio.sleep(0)
        return variable.get()

    loop = EventLoop(overlapping=overlapping)
    context = contextvars.copy_context()
    context.run(variable.set, "the caller's")
    assert context.run(loop.resolve, look()) == "the caller's"


def test_an_asynchronous_generator_is_no_result() -> None:
    async def run() -> AsyncIterator[int]:
        yield 1

    generator = run()
    assert EventLoop().resolve(generator) is generator


def test_only_overlapping_asynchronous_calls_have_a_thread() -> None:
    before = threading.active_count()
    EventLoop(overlapping=True).prepare(len)
    EventLoop().prepare(asyncio.sleep)
    assert threading.active_count() == before


def test_asyncio_is_not_imported_for_a_plain_script() -> None:
    code = (
        "import sys; from gpu_inference_script.event_loop import EventLoop\n"
        "loop = EventLoop(); loop.prepare(print); loop.resolve('x')\n"
        "assert 'asyncio' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


SLOW = """
import asyncio, time
ended, loops = [], set()

async def init():
    loops.add(asyncio.get_running_loop())

async def run(data):
    loops.add(asyncio.get_running_loop())
    if data in ("await", "compute"):
        try:
            while data == "compute":
                pass
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            ended.append(data)
    if data == "both":
        await barrier.wait()
    return ended, len(asyncio.all_tasks()), len(loops)

barrier = asyncio.Barrier(2)
"""


def test_a_call_that_takes_too_long_is_over_before_the_next_begins(start_server: StartServer) -> None:
    server = start_server(SLOW, SCORING_TIMEOUT_MS="500", GPU_INFERENCE_FRONT_END="azureml")
    server.wait_ready()
    for data in ("await", "compute"):
        assert server.score(data).status_code == 504
    server.wait_ready()
    assert server.score("x").json() == [["await", "compute"], 1, 1]


def test_a_server_with_parallel_runs_lets_asynchronous_calls_overlap(start_server: StartServer) -> None:
    settings = {"GPU_INFERENCE_PARALLEL_RUNS": "2", "GPU_INFERENCE_MAX_CONCURRENT_REQUESTS": "2"}
    server = start_server(SLOW, **settings)
    server.wait_ready()
    with ThreadPoolExecutor(2) as clients:
        answers = list(clients.map(lambda _: server.score("both"), range(2)))
    assert [(answer.status_code, answer.json()[2]) for answer in answers] == [(200, 1), (200, 1)]
