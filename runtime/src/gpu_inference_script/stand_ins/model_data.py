"""Writes the rows that scripts collect to CSV files, if collection is on.

`azureml.monitoring.ModelDataCollector` (in `packages`) passes rows to this module; a separate thread writes
them. A full, slow or absent volume costs rows, which are counted, but never a request.
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

# Limit for rows that wait for the volume. More rows are dropped, so that a hanging volume cannot use up the
# memory.
MAX_BACKLOG_BYTES = 16 * MEBIBYTE

log = logging.getLogger("gpu_inference")

Count = Callable[[str, int], None]


class ModelData:
    """Takes rows from any thread, and writes them on one thread.

    Args:
        files: the files to write to.
        where: the folder's name in log lines.
        count: called with `written` or `dropped`, and the number of rows.
    """

    def __init__(self, files: CsvFiles, where: Path, count: Count) -> None:
        self._files = files
        self._where = where
        self._count = count
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        self._queue: "Queue[Callable[[], None]]" = Queue()
        self._failing = False
        self._logged: "Set[str]" = set()
        threading.Thread(target=self._serve, name="model-data", daemon=True).start()

    def add(
        self, place: "Sequence[str]", header: "Optional[Sequence[Any]]", rows: "Iterable[Sequence[Any]]"
    ) -> None:
        """Queue rows for a collection.

        Args:
            place: model, version, designation, and the beginning of the file's name.
            header: the column names; None or empty for no header.
            rows: the rows.
        """
        rows = list(rows)
        head, body = _csv([header] if header else []), _csv(rows)
        with self._lock:
            fits = self._waiting_bytes + len(body) <= MAX_BACKLOG_BYTES
            if fits:
                self._waiting_bytes += len(body)
        if fits:
            names = tuple(_file_name(part) for part in place)
            self._queue.put(lambda: self._write(names, head, body, len(rows)))
        else:
            self._drop_once(len(rows), "they are collected faster than the volume can write them")

    def flush(self, seconds: float) -> None:
        """Wait until all queued rows are written, for at most this many seconds."""
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
            self._drop_once(count, "the rows of one call are larger than a file may be")
        except OSError as error:
            self._files.close_all()
            self._drop_on_failure(count, error.strerror or str(error))
        except Exception:
            # A bug in this code must not end the thread.
            log.exception("Collected rows could not be written")
            self._count("dropped", count)
        else:
            self._count("written", count)
            if self._failing:
                self._failing = False
                log.info("Collected rows are written to %s again", self._where)
        with self._lock:
            self._waiting_bytes -= len(rows)

    def _drop_on_failure(self, count: int, why: str) -> None:
        """Drop rows because the volume fails; the failure is logged once, until the volume works again."""
        self._count("dropped", count)
        if not self._failing:
            self._failing = True
            log.error(
                "Collected rows cannot be written to %s: %s. Until that changes, they are dropped and"
                " counted; requests are not affected.",
                self._where,
                why,
            )

    def _drop_once(self, count: int, why: str) -> None:
        """Drop the rows of one call; each reason is logged once."""
        self._count("dropped", count)
        if why not in self._logged:
            self._logged.add(why)
            log.error("Collected rows were dropped: %s. Further ones are only counted.", why)


class Collection(NamedTuple):
    """What a `ModelDataCollector` needs to know about the service."""

    rows: "Optional[ModelData]" = None
    """Destination of the rows; None if collection is off."""
    service_name: str = "default"
    models: Path = Path()

    def latest_version(self, model_name: str) -> str:
        """Return the highest version of a model in the image, which is the one in use; else `default`."""
        try:
            names = [entry.name for entry in (self.models / model_name).iterdir()]
        # There is no such folder, or the name cannot be a file name.
        except (OSError, ValueError):
            names = []
        return max((name for name in names if name.isdecimal()), key=int, default="default")


_collection = Collection()


def collection() -> Collection:
    """Return the collection that `start` began in this process."""
    return _collection


def start(config: Config, directory: Path, count: Count) -> None:
    """Start the collection of rows in files below a folder, and log what that means for this image.

    Args:
        config: the service's name, the app root, and the limits for the files.
        directory: the folder; the files go to a subfolder for the service.
        count: called with `written` or `dropped`, and the number of rows.
    """
    global _collection
    folder = directory / _file_name(config.service_name)
    file_bytes = config.model_data_file_mb * MEBIBYTE
    total_bytes = config.model_data_total_mb * MEBIBYTE
    files = CsvFiles(folder, _file_name(socket.gethostname()), file_bytes, total_bytes)
    models = Path(config.app_root) / "azureml-models"
    _collection = Collection(ModelData(files, folder, count), config.service_name, models)
    if not os.access(directory, os.W_OK | os.X_OK):
        log.error(
            "Model data: %s does not exist or is not writable for user %d of group %d: rows will be dropped."
            " Make the volume writable for them (fsGroup, or the volume's own permissions).",
            directory,
            os.getuid(),
            os.getgid(),
        )
    if _uses_stand_in():
        log.info(
            "Model data: azureml.monitoring.ModelDataCollector is this server's own and writes to %s,"
            " %d MiB a file and %d MiB in all at most",
            folder,
            config.model_data_file_mb,
            config.model_data_total_mb,
        )
    else:
        log.warning(
            "Model data: the image has its own azureml.monitoring, which takes precedence and writes nothing"
            " to %s. Remove the package azureml-monitoring from the image to collect rows there.",
            folder,
        )


def _uses_stand_in() -> bool:
    """Return whether scripts get the stand-in; call it after `packages.offer`."""
    try:
        found = importlib.util.find_spec("azureml.monitoring")
    except Exception:
        # The image's own `azureml` cannot be imported.
        return False
    return found is not None and "gpu_inference_script" in str(found.origin)


def _csv(rows: "Iterable[Sequence[Any]]") -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _file_name(text: str) -> str:
    """Return text as a file name: model names may contain characters that are special in paths."""
    name = re.sub(r"[^\w.-]", "_", str(text))[:100]
    return name if name.strip(".") else f"_{name}"
