"""Puts the parts together: gunicorn's application, what its worker runs, and how a failed start ends."""

import faulthandler
import gc
import logging
import math
import os
import shutil
import socket
import sys
import tempfile
import time
from contextvars import Context
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.errors import HaltServer
from gunicorn.glogging import Logger
from prometheus_client.multiprocess import mark_process_dead

from gpu_inference_runtime import stand_ins
from gpu_inference_runtime.observability.gpu_memory import GpuMemory
from gpu_inference_runtime.observability.logs import ACCESS, print_to_log, request_id_of_log_lines
from gpu_inference_runtime.observability.metrics import Metrics
from gpu_inference_runtime.observability.model_versions import ModelVersions
from gpu_inference_runtime.observability.traces import Traces, traces
from gpu_inference_runtime.observability.worker_metrics import WorkerMetrics
from gpu_inference_runtime.process import debugger
from gpu_inference_runtime.process.debugger import DebuggerError
from gpu_inference_runtime.process.init_deaths import InitDeaths
from gpu_inference_runtime.process.listening import listen_everywhere
from gpu_inference_runtime.process.management import Management
from gpu_inference_runtime.process.script_worker import ScriptWorker
from gpu_inference_runtime.process.state import State
from gpu_inference_runtime.script.entry_script import EntryScriptError, add_script_folders, load_entry_script
from gpu_inference_runtime.script.missing_modules import missing_module
from gpu_inference_runtime.script.model_dir import describe_model_dir
from gpu_inference_runtime.script.script_thread import ScriptThread
from gpu_inference_runtime.service.service import LONGEST_QUEUE, ScoringService
from gpu_inference_runtime.service.swagger import Swagger, SwaggerFileError
from gpu_inference_runtime.settings import Settings
from gpu_inference_runtime.stand_ins.tf1 import TensorFlowMissingError, use_tensorflow_v1
from gpu_inference_runtime.web.app import create_app

# gunicorn ends the whole server, with the same status, when a worker ends with this one.
BOOT_ERROR = 3

# Threads beyond those that hold or wait for a slot: for /, for refusals, for slow uploads.
_SPARE_THREADS = 16
# Longer than most clients and proxies keep an idle connection, so that it is they who close it, seconds.
_KEEPALIVE_SECONDS = 75
_MOST_CONNECTIONS = 4096
# Twice this stays below the seconds to spare that end the graceful time.
_FLUSH_SECONDS = 2.0

log = logging.getLogger("gpu_inference")


class GunicornLogger(Logger):  # type: ignore[misc]  # gunicorn has no type information
    """Writes gunicorn's lines through our handler, and access lines as v1's server did."""

    def setup(self, cfg: Any) -> None:
        """Leave all handling to the root logger."""
        self.cfg = cfg
        self._access_log_enabled = True
        self.error_log.propagate = True

    def exception(self, msg: Any, *arguments: Any, **named: Any) -> None:
        """Log an error with its traceback, unless it is only a client that was waited for in vain."""
        if isinstance(sys.exception(), TimeoutError):
            log.info("A client stopped in the middle of a request or of its answer: its connection is closed")
        else:
            super().exception(msg, *arguments, **named)

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:  # noqa: ARG002
        """Log method, path (not the query, which may hold data), status, time and length of the answer."""
        # As it was sent: decoded, it may hold the end of the line and another one that looks like ours.
        path = environ["RAW_URI"].partition("?")[0]
        if environ["REQUEST_METHOD"] == "GET" and path == "/":
            return
        status = str(resp.status).partition(" ")[0]
        milliseconds = request_time.total_seconds() * 1000
        length = "N/A" if resp.response_length is None else resp.response_length
        request_id = next((value for name, value in resp.headers if name == "x-request-id"), "")
        with request_id_of_log_lines(request_id):
            ACCESS.info("%s %s %s %.3fms %s", environ["REQUEST_METHOD"], path, status, milliseconds, length)


class ScoringApplication(BaseApplication):  # type: ignore[misc]  # gunicorn has no type information
    """gunicorn's view of the service. `load` runs in the worker process; the rest in both."""

    def __init__(
        self,
        settings: Settings,
        scoring: socket.socket,
        management: socket.socket,
        metrics_folder: Path | None,
    ) -> None:
        self.settings = settings
        self.script: ScriptThread
        self.service: ScoringService
        self.metrics: Metrics
        self._traces: Traces
        self._worker: ScriptWorker
        self._init_deaths = InitDeaths(BOOT_ERROR)
        self._states = [State() for _ in range(settings.worker_count)]
        self._worker_metrics = WorkerMetrics()
        # gunicorn takes it over, and keeps it when it is told to read its configuration again.
        self._scoring = scoring.detach()
        self._management = management
        self._metrics_folder = metrics_folder
        super().__init__()

    def load_config(self) -> None:
        """Tell gunicorn how to run, from our settings alone."""
        settings = self.settings
        options = {
            "bind": f"fd://{self._scoring}",
            "workers": settings.worker_count,
            "worker_class": ScriptWorker,
            "threads": settings.slots_per_worker + LONGEST_QUEUE + _SPARE_THREADS,
            "worker_connections": _MOST_CONNECTIONS,
            "keepalive": _KEEPALIVE_SECONDS,
            "timeout": settings.worker_timeout_seconds,
            "graceful_timeout": math.ceil(settings.graceful_seconds),
            "logger_class": GunicornLogger,
            "control_socket_disable": True,
            "when_ready": self._serve_management,
            "pre_fork": self._before_fork,
            "post_fork": self._after_fork,
            "child_exit": self._worker_ended,
        }
        # The heartbeat file: in memory, so that a busy disk does not make a worker look dead.
        if os.access("/dev/shm", os.W_OK):
            options["worker_tmp_dir"] = "/dev/shm"
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Start what the worker process consists of and return the WSGI application."""
        faulthandler.enable()
        print_to_log()
        self.metrics = metrics = Metrics(self._metrics_folder)
        metrics.add(ModelVersions(self.settings.app_root))
        metrics.add(GpuMemory())
        self.script = ScriptThread(self._worker.keep_signals)
        self._traces = traces(self.settings)
        state = self._worker.state
        self.service = service = ScoringService(
            self.settings, self.script, state, metrics, self._traces, self._worker.replace
        )
        self._worker_metrics.offer(metrics)

        def start() -> None:
            start_script(self.settings, service, metrics)
            state.past_init = True
            self._worker.init_has_ended()
            for _ in range(1, self.settings.parallel_runs):
                self.script.serve_in_background()

        # In an empty context: whatever is in it afterwards is the script's.
        self.script.submit(lambda: self.script.with_variables(start), Context())
        return create_app(self.settings, service)

    def _serve_management(self, arbiter: Any) -> None:  # noqa: ARG002  (gunicorn's hooks have arguments)
        longest_call = self.settings.scoring_timeout_ms / 1000
        Management(self._states, self._worker_metrics, longest_call).serve(self._management)

    def _before_fork(self, arbiter: Any, worker: ScriptWorker) -> None:
        # What is there already stays shared with the worker, whose garbage collector would else write to it.
        gc.freeze()
        taken = [sibling.state for sibling in arbiter.WORKERS.values()]
        free = [state for state in self._states if state not in taken]
        if not free:
            # Somebody has sent SIGTTIN, which asks gunicorn for one more worker.
            free.append(State())
            self._states += free
        worker.state = free[0]

    def _after_fork(self, arbiter: Any, worker: ScriptWorker) -> None:  # noqa: ARG002
        self._worker = worker
        # The parent's alone: connections to it would wait here for nothing.
        self._management.close()

    def _worker_ended(self, arbiter: Any, worker: ScriptWorker) -> None:  # noqa: ARG002
        past_init = worker.state.past_init
        worker.state.clear()
        if self._metrics_folder:
            mark_process_dead(worker.pid, str(self._metrics_folder))  # type: ignore[no-untyped-call]
        self._init_deaths.worker_ended(past_init)

    def flush(self) -> None:
        """Hand on what was collected and traced, within the time that the server has to end in."""
        self._traces.flush(_FLUSH_SECONDS)
        if self.settings.model_data_directory is not None:
            from gpu_inference_runtime.stand_ins import model_data

            if rows := model_data.current():
                rows.flush(_FLUSH_SECONDS)


def start_script(settings: Settings, service: ScoringService, metrics: Metrics) -> None:
    """Load the script and call its `init()`; when that fails, log why and end the process with status 3."""
    began = time.perf_counter()
    try:
        # Before the stand-ins: what the user has of his own wins.
        add_script_folders(settings.app_root, settings.source_directory)
        stand_ins.offer()
        if settings.model_data_directory is not None:
            from gpu_inference_runtime.stand_ins import model_data

            def count(outcome: str, rows: int) -> None:
                metrics.model_data_rows.labels(outcome=outcome).inc(rows)

            model_data.start(settings, settings.model_data_directory, count)
        if settings.tensorflow_v1:
            use_tensorflow_v1()
        if settings.debug_port is not None:
            debugger.connect(settings.debug_port)
        script = load_entry_script(
            settings.entry_script, settings.app_root, overlapping=settings.parallel_runs > 1
        )
        log.info("Invoking user's init function")
        script.init()
        swagger = Swagger(settings, script.run)
    except (EntryScriptError, SwaggerFileError, TensorFlowMissingError, DebuggerError) as error:
        _end_failed_start(str(error))
    # sys.exit() in init() is a failure too: nothing would ever be scored.
    except BaseException as error:
        log.exception("The entry script failed before it could score")
        _end_failed_start(missing_module(error) or describe_model_dir(settings.model_dir))
    else:
        seconds = time.perf_counter() - began
        metrics.init_seconds.set(seconds)
        log.info("User's init has completed successfully in %.1f s", seconds)
        service.start(script, swagger)


def _end_failed_start(message: str) -> None:
    log.error("%s", message)
    logging.shutdown()
    sys.stdout.flush()
    # Not sys.exit: threads that the script started must not keep a service alive that cannot serve.
    os._exit(BOOT_ERROR)


def serve(settings: Settings) -> int:
    """Serve until a signal says stop; return the exit status."""
    # Before the worker process exists, so that it inherits them.
    sockets = []
    for name, port in (("port for scoring", settings.port), ("health port", settings.health_port)):
        try:
            sockets.append(listen_everywhere(port))
        except OSError as error:
            log.error("The %s %d cannot be opened: %s.", name, port, os.strerror(error.errno or 0))
            return 1
    scoring, management = sockets
    several = settings.worker_count > 1
    metrics_folder = Path(tempfile.mkdtemp(prefix="gpu-inference-metrics-")) if several else None
    parent = os.getpid()
    try:
        ScoringApplication(settings, scoring, management, metrics_folder).run()
    except HaltServer as halt:
        # A worker that failed while gunicorn was already stopping.
        return int(halt.exit_status)
    finally:
        # Workers, being forks, come by here too.
        if metrics_folder and os.getpid() == parent:
            shutil.rmtree(metrics_folder, ignore_errors=True)
    return 0
