"""Forks servers from a process that has imported their libraries already, so that a start takes no seconds.

Runs in the environment of either server, with the standard library alone:
`python zygote.py MODULE:FUNCTION LIBRARY…`. What is forked calls the server's own main function with
arguments, variables and a working folder of its own. All that is imported before is what any of them imports.
Orders come on standard input and answers go to standard output, a JSON text a line.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any


def main() -> int:
    """Serve orders until standard input ends; then kill what still runs."""
    entry, *libraries = sys.argv[1:]
    # As for a console script: its own folder comes first.
    sys.path[0] = str(Path(sys.executable).parent)
    for library in libraries:
        importlib.import_module(library)
    # Whoever is forked need not look through all of it, which would be copied by that.
    gc.freeze()
    running: set[int] = set()
    _reply({"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        if "start" in order:
            pid = os.fork()
            if pid == 0:
                return _serve(entry, order["start"])
            running.add(pid)
            _reply({"pid": pid})
        else:
            pid, status = os.waitpid(order["wait"], 0 if order["block"] else os.WNOHANG)
            running.discard(pid)
            _reply({"exit": os.waitstatus_to_exitcode(status) if pid else None})
    for pid in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    return 0


def _serve(entry: str, how: dict[str, Any]) -> int:
    """Become the server: a session of its own, so that its whole group can be ended."""
    os.setsid()
    os.chdir(how["folder"])
    os.environ.clear()
    os.environ.update(how["environment"])
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(how["log"], os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND, 0o644)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    sys.path.extend(how["path"])
    module, function = entry.split(":")
    sys.argv = [function, *how["arguments"]]
    status: int | None = getattr(importlib.import_module(module), function)()
    return status or 0


def _reply(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    sys.exit(main())
