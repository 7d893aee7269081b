"""The main function of a script process: it sets up the process, loads the script, and serves."""

import contextlib
import ctypes
import faulthandler
import json
import logging
import os
import signal
import sys

from gpu_inference_script import protocol
from gpu_inference_script.batch_modes import UnsupportedScriptError
from gpu_inference_script.config import Config
from gpu_inference_script.loading import StartError, load
from gpu_inference_script.log_setup import configure_logging
from gpu_inference_script.logs import print_to_log
from gpu_inference_script.worker import Channels, Worker

# Linux: the kernel sends this process a signal when its parent dies.
_PR_SET_PDEATHSIG = 1
# glibc: keep the memory of large bodies instead of getting it, zeroed, from the kernel for each request.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 16 * protocol.MIB

log = logging.getLogger("gpu_inference")


def run(text: str) -> None:
    """Serve until the front orders the process to stop.

    Args:
        text: a JSON object: `channels` (see Channels), `several` (see Worker) and `config` (see Config).
    """
    given = json.loads(text)
    channels = Channels(**given["channels"])
    _die_with(channels.parent)
    _keep_memory()
    faulthandler.enable()
    # Not a KeyboardInterrupt: SIGINT ends this process, and the script's child processes, like any other.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    config = Config.from_json(json.dumps(given["config"]))
    configure_logging(config.log_format, config.log_level, config.app_root, config.entry_script)
    print_to_log()
    worker = Worker(channels, config, several=bool(given["several"]))
    try:
        script = load(config, worker.count_rows)
        worker.take(script)
    except (StartError, UnsupportedScriptError) as error:
        # Not sys.exit: threads of the script must not keep a process alive that cannot serve.
        log.error("%s", error)
        logging.shutdown()
        sys.stdout.flush()
        os._exit(protocol.START_FAILED)
    worker.serve()


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when the front dies."""
    with contextlib.suppress(OSError, AttributeError):
        # docs/decisions.md 44
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(protocol.STOPPED)


def _keep_memory() -> None:
    # Other C libraries have no such thresholds.
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
