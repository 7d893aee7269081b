"""Where what scripts collect goes while collection is on: to CSV files, aside from the requests.

`azureml.monitoring.ModelDataCollector` (in shims) hands its rows over; a thread of its own writes them. A
volume that is full, slow or away costs rows, which are counted, and never a request.
"""

import csv
import importlib.util
import io
import logging
import os
import re
import socket
import threading
from pathlib import Path
from queue import Queue
from typing import Any, Callable, Iterable, NamedTuple, Optional, Sequence, Set

from gpu_inference_script.config import Config
from gpu_inference_script.stand_ins.csv_files import MEBIBYTE, CsvFiles, TooLargeError

# Rows that wait for the volume, bytes: more are dropped, so that a volume that hangs cannot take all memory.
LONGEST_BACKLOG = 16 * MEBIBYTE

log = logging.getLogger("gpu_inference")

Count = Callable[[str, int], None]


class ModelData:
    """Takes rows from any thread and writes them from one.

    Args:
        files: where they go.
        where: what messages call that place.
        count: is told `written` or `dropped`, and how many rows.
    """

    def __init__(self, files: CsvFiles, where: Path, count: Count) -> None:
        self._files = files
        self._where = where
        self._count = count
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        self._queue: "Queue[Callable[[], None]]" = Queue()
        self._failing = False
        self._told: "Set[str]" = set()
        threading.Thread(target=self._serve, name="model-data", daemon=True).start()

    def add(
        self, place: "Sequence[str]", header: "Optional[Sequence[Any]]", rows: "Iterable[Sequence[Any]]"
    ) -> None:
        """Take rows for the collection at a place: model, version, designation, and the file's name."""
        rows = list(rows)
        head, body = _csv([header] if header else []), _csv(rows)
        with self._lock:
            fits = self._waiting_bytes + len(body) <= LONGEST_BACKLOG
            if fits:
                self._waiting_bytes += len(body)
        if fits:
            names = tuple(_file_name(part) for part in place)
            self._queue.put(lambda: self._write(names, head, body, len(rows)))
        else:
            self._drop_alone(len(rows), "they are collected faster than the volume takes them")

    def flush(self, seconds: float) -> None:
        """Wait until all that was taken is written, but no longer than that."""
        written = threading.Event()
        self._queue.put(written.set)
        written.wait(seconds)

    def _serve(self) -> None:
        while True:
            self._queue.get()()

    def _write(self, place: "tuple[str, ...]", header: bytes, rows: bytes, count: int) -> None:
        try:
            self._files.append(place, header, rows)
        except TooLargeError:
            self._drop_alone(count, "the rows of one call are larger than a file may be")
        except OSError as error:
            self._files.close_all()
            self._drop_while(count, error.strerror or str(error))
        except Exception:
            # A mistake of ours must not end this thread.
            log.exception("Collected rows could not be written")
            self._count("dropped", count)
        else:
            self._count("written", count)
            if self._failing:
                self._failing = False
                log.info("Collected rows are written to %s again", self._where)
        with self._lock:
            self._waiting_bytes -= len(rows)

    def _drop_while(self, count: int, why: str) -> None:
        """Drop rows as long as the volume takes none; that it does not is logged once."""
        self._count("dropped", count)
        if not self._failing:
            self._failing = True
            log.error(
                "Collected rows cannot be written to %s: %s. They are dropped, and counted, as long as that"
                " lasts; requests are answered as ever.",
                self._where,
                why,
            )

    def _drop_alone(self, count: int, why: str) -> None:
        """Drop the rows of one call; each reason is logged once."""
        self._count("dropped", count)
        if why not in self._told:
            self._told.add(why)
            log.error("Collected rows were dropped: %s. Further ones are only counted.", why)


class Collection(NamedTuple):
    """What a `ModelDataCollector` knows of the service: the script that makes one does not say it."""

    rows: "Optional[ModelData]" = None
    """Where rows go; None while collection is off."""
    service_name: str = "default"
    models: Path = Path()

    def latest_version(self, model_name: str) -> str:
        """Return the highest version of a model in the image, which is the one that is served.

        Without such a model, `default`.
        """
        try:
            names = [entry.name for entry in (self.models / model_name).iterdir()]
        # Not there, or not even a name of a file.
        except (OSError, ValueError):
            names = []
        return max((name for name in names if name.isdecimal()), key=int, default="default")


_collection = Collection()


def collection() -> Collection:
    """Return what `start` has begun in this process."""
    return _collection


def start(config: Config, directory: Path, count: Count) -> None:
    """Begin to take rows for files below a folder; tell the log what that means for this image."""
    global _collection
    folder = directory / _file_name(config.service_name)
    file_bytes = config.model_data_file_mb * MEBIBYTE
    total_bytes = config.model_data_total_mb * MEBIBYTE
    files = CsvFiles(folder, _file_name(socket.gethostname()), file_bytes, total_bytes)
    models = Path(config.app_root) / "azureml-models"
    _collection = Collection(ModelData(files, folder, count), config.service_name, models)
    if not os.access(directory, os.W_OK | os.X_OK):
        log.error(
            "Model data: %s does not exist or cannot be written by user %d of group %d, so that rows will be"
            " dropped: make the volume writable for them (fsGroup, or the volume's own permissions).",
            directory,
            os.getuid(),
            os.getgid(),
        )
    if _is_ours():
        log.info(
            "Model data: azureml.monitoring.ModelDataCollector is this server's own and writes to %s,"
            " %d MiB a file and %d MiB in all at most",
            folder,
            config.model_data_file_mb,
            config.model_data_total_mb,
        )
    else:
        log.warning(
            "Model data: the image has an azureml.monitoring of its own, which is used; it writes nothing to"
            " %s. Remove the package azureml-monitoring from the image to collect there.",
            folder,
        )


def _is_ours() -> bool:
    """Tell whether scripts get the stand-in; the shims are on the path by now."""
    try:
        found = importlib.util.find_spec("azureml.monitoring")
    except Exception:
        # The image's own `azureml` cannot even be imported.
        return False
    return found is not None and "gpu_inference_script" in str(found.origin)


def _csv(rows: "Iterable[Sequence[Any]]") -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _file_name(text: str) -> str:
    """Return text as the name of one file: model names may hold what paths give a meaning."""
    name = re.sub(r"[^\w.-]", "_", str(text))[:100]
    return name if name.strip(".") else f"_{name}"
