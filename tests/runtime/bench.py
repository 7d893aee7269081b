"""The whole way of a request without a network: a service whose script is a function."""

from collections.abc import Callable
from typing import Any

from gpu_inference_runtime.messages import Answer, Request
from gpu_inference_runtime.observability.metrics import Metrics
from gpu_inference_runtime.observability.traces import NoTraces
from gpu_inference_runtime.process.state import State
from gpu_inference_runtime.script.entry_script import EntryScript
from gpu_inference_runtime.script.inputs import Inputs, TextInputs
from gpu_inference_runtime.script.script_thread import ScriptThread
from gpu_inference_runtime.service.service import ScoringService
from gpu_inference_runtime.service.swagger import Swagger
from gpu_inference_runtime.settings import Settings
from gpu_inference_runtime.web.app import create_app

SETTINGS = Settings(front_end="azureml", service_name="mnist", max_queue_wait_ms=20)


class Bench:
    """A service with the parts that a test looks at, and a client of its routes."""

    def __init__(
        self,
        settings: Settings = SETTINGS,
        run: Callable[[Any], Any] | None = str.upper,
        inputs: Inputs | None = None,
    ) -> None:
        self.state = State()
        self.metrics = Metrics()
        self.script = ScriptThread()
        self.script.serve_in_background()
        self.service = ScoringService(settings, self.script, self.state, self.metrics, NoTraces())
        if run:
            self.service.start(script_of(run, inputs), Swagger(settings, run))
        self.client = create_app(settings, self.service).test_client()

    def post(self, body: bytes = b"abc", headers: dict[str, str] | None = None) -> Answer:
        return self.service.answer(request(lambda: body, len(body), headers))

    def counted(self, sample: str) -> float:
        lines = [line for line in self.metrics.text().decode().splitlines() if line.startswith(sample + " ")]
        return float(lines[0].rpartition(" ")[2]) if lines else 0.0


def script_of(run: Callable[[Any], Any], inputs: Inputs | None = None) -> EntryScript:
    return EntryScript(init=lambda: None, run=lambda text: run(text), inputs=inputs or TextInputs("text"))


def request(
    read_body: Callable[[], bytes],
    content_length: int | None = None,
    headers: dict[str, str] | None = None,
    method: str = "POST",
) -> Request:
    return Request(method, {}, headers or {}, content_length, read_body)
