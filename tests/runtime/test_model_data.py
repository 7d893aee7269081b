"""collect_model_data: what scripts give to ModelDataCollector becomes CSV files and never costs a request."""

import csv
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.runtime.server_process import Server, StartServer

from gpu_inference_script.stand_ins.csv_files import CsvFiles, TooLargeError
from gpu_inference_script.stand_ins.model_data import MAX_BACKLOG_BYTES, ModelData

CORRELATIONS = [
    *("$aml_dc_correlation_id", "$aml_dc_scoring_timestamp", "$aml_dc_boundary", "$aml_workspace"),
    *("$aml_service_name", "$aml_model_name", "$aml_model_version", "$aml_request_id"),
]
# As in Azure ML's documentation of the collector, the second one as it was before 2020.
SCRIPT = """
import json
import numpy as np
from azureml.monitoring import ModelDataCollector

def init():
    global inputs, predictions
    inputs = ModelDataCollector("net", designation="inputs", feature_names=["a", "b"])
    predictions = ModelDataCollector("net", identifier="predictions", feature_names=["digit"])

def run(data):
    given = np.array(json.loads(data))
    correlations = inputs.collect(given)
    found = predictions.add_correlations([7], correlations)
    predictions.collect(found)
    return found if correlations is None else sorted(correlations)
"""
# Collects whatever the request's expression is.
ANYTHING = """
from azureml.monitoring import ModelDataCollector
from azureml.monitoring.modeldatacollector import ModelDataCollector as same

class Odd:
    def __str__(self):
        raise RuntimeError("cannot be written")

def init():
    assert same is ModelDataCollector

def run(data):
    name, _, expression = data.partition(":")
    return ModelDataCollector(name, collection_name="rows").collect(eval(expression))
"""


def day() -> str:
    return time.strftime("%Y/%m/%d", time.gmtime())


def tables(folder: Path) -> dict[str, list[list[str]]]:
    """Return the rows of every file, by its path without the names of process and file number."""
    found: dict[str, list[list[str]]] = {}
    for path in sorted(folder.rglob("*.csv")):
        name = f"{path.parent.relative_to(folder)}/{path.name.partition('.')[0]}"
        with path.open(newline="") as file:
            found.setdefault(name, []).extend(csv.reader(file))
    return found


def counted(server: Server, outcome: str) -> float:
    sample = f'gpu_inference_model_data_rows_total{{outcome="{outcome}"}} '
    lines = server.management("/metrics").text.splitlines()
    return sum(float(line.removeprefix(sample)) for line in lines if line.startswith(sample))


def wait_until_counted(server: Server, outcome: str, rows: int) -> None:
    server.wait_until(lambda: counted(server, outcome) == rows, f"{rows} rows {outcome}")


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    folder = tmp_path / "volume"
    folder.mkdir()
    return folder


def test_rows_lie_by_service_model_version_designation_and_day(
    start_server: StartServer, volume: Path
) -> None:
    before = day()
    server = start_server(
        SCRIPT,
        files=["azureml-models/net/2/x", "azureml-models/net/10/x"],
        GPU_INFERENCE_MODEL_DATA_DIR=str(volume),
    )
    server.wait_ready()
    assert server.score("[[1, 2.5], [3, 4]]", **{"x-request-id": "my-id"}).json() == sorted(CORRELATIONS)
    wait_until_counted(server, "written", 3)
    found = tables(volume)
    # The rows of one call of run() are of one moment, on either side of a midnight.
    written = next(each for each in (before, day()) if f"mnist/net/10/inputs/{each}/inputs" in found)
    assert set(found) == {f"mnist/net/10/{what}/{written}/{what}" for what in ("inputs", "predictions")}
    header, first, second = found[f"mnist/net/10/inputs/{written}/inputs"]
    assert header == ["a", "b", *CORRELATIONS]
    assert (first[:2], second[:2]) == (["1.0", "2.5"], ["3.0", "4.0"])
    row = dict(zip(header, first, strict=True))
    assert row["$aml_request_id"] == "my-id"
    assert (row["$aml_service_name"], row["$aml_model_name"], row["$aml_model_version"]) == (
        "mnist",
        "net",
        "10",
    )
    [digit, prediction] = found[f"mnist/net/10/predictions/{written}/predictions"]
    assert digit == ["digit", *CORRELATIONS]
    # The prediction says which inputs it is for.
    assert prediction == ["7", *first[2:]]
    assert all(socket.gethostname() in path.name for path in volume.rglob("*.csv"))


def test_the_log_says_where_rows_go_and_how_much_they_may_take(
    start_server: StartServer, volume: Path
) -> None:
    server = start_server(SCRIPT, GPU_INFERENCE_MODEL_DATA_DIR=str(volume))
    server.wait_ready()
    assert (
        "azureml.monitoring.ModelDataCollector is this server's own and writes to"
        f" {volume}/mnist, 16 MiB a file and 1024 MiB in all at most"
    ) in server.log


def test_while_collection_is_off_collectors_do_nothing(start_server: StartServer) -> None:
    server = start_server(SCRIPT)
    server.wait_ready()
    assert server.score("[[1, 2]]").json() == [7]
    assert [path.name for path in server.folder.rglob("*.csv")] == []
    assert "Model data" not in server.log


def test_an_azureml_monitoring_of_the_images_own_is_left_alone(
    start_server: StartServer, volume: Path
) -> None:
    own = volume.parent / "own" / "azureml" / "monitoring"
    own.mkdir(parents=True)
    (own / "__init__.py").write_text("class ModelDataCollector:\n    pass\n")
    script = "from azureml.monitoring import ModelDataCollector\ndef init(): ModelDataCollector()\n"
    settings = {"GPU_INFERENCE_MODEL_DATA_DIR": str(volume), "PYTHONPATH": str(own.parents[1])}
    server = start_server(script + "def run(data): return data\n", **settings)
    server.wait_ready()
    assert "the image has its own azureml.monitoring, which takes precedence" in server.log


@pytest.fixture(scope="module")
def shared_volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared") / "volume"


@pytest.fixture(scope="module")
def collecting(start_module_server: StartServer, shared_volume: Path) -> Server:
    """A server that collects whatever it is told to."""
    shared_volume.mkdir()
    server = start_module_server(ANYTHING, GPU_INFERENCE_MODEL_DATA_DIR=str(shared_volume))
    server.wait_ready()
    return server


@pytest.mark.parametrize(
    ("model", "expression", "rows"),
    [
        ("list", "[1, 'two, \"quoted\"', None]", [["1", 'two, "quoted"', ""]]),
        ("vector", "__import__('numpy').array([1.5, 2])", [["1.5", "2.0"]]),
        ("matrix", "__import__('numpy').ones((2, 2), int)", [["1", "1"], ["1", "1"]]),
        (
            "frame",
            "__import__('pandas').DataFrame({'a': [1, 2], 'b': 'x'})",
            [["a", "b"], ["1", "x"], ["2", "x"]],
        ),
    ],
)
def test_each_kind_of_table_becomes_rows(
    collecting: Server, shared_volume: Path, model: str, expression: str, rows: list[list[str]]
) -> None:
    assert collecting.score(f"{model}:{expression}").json() == {}
    found = shared_volume / "mnist" / model
    collecting.wait_until(lambda: list(tables(found).values()) == [rows], f"{rows}")


@pytest.mark.parametrize(
    ("model", "expression"), [("dict", "{'a': 1}"), ("none", "None"), ("odd", "[Odd()]")]
)
def test_what_cannot_be_collected_costs_no_request(
    collecting: Server, shared_volume: Path, model: str, expression: str
) -> None:
    assert collecting.score(f"{model}:{expression}").status_code == 200
    assert collecting.score(f"{model}:[1]").status_code == 200
    found = shared_volume / "mnist" / model
    collecting.wait_until(lambda: list(tables(found).values()) == [[["1"]]], "the good row")
    assert f"of {model} takes lists" in collecting.log or f"of {model} could not be" in collecting.log


@pytest.mark.parametrize("name", ["../../outside", "..", "a/b", "", "x" * 300])
def test_no_model_name_leads_out_of_the_services_folder(
    collecting: Server, shared_volume: Path, name: str
) -> None:
    before = set(shared_volume.parent.rglob("*.csv"))
    assert collecting.score(f"{name}:[1]").status_code == 200
    found: list[Path] = []

    def there() -> bool:
        found[:] = set(shared_volume.parent.rglob("*.csv")) - before
        return bool(found)

    collecting.wait_until(there, "a file")
    [path] = found
    # Service, model, version, designation, three parts of a day, file.
    assert len(path.relative_to(shared_volume).parts) == 8


def test_a_volume_that_fails_costs_rows_but_no_request_and_one_line(
    start_server: StartServer, tmp_path: Path
) -> None:
    volume = tmp_path / "not-yet-a-folder"
    volume.touch()
    server = start_server(ANYTHING, GPU_INFERENCE_MODEL_DATA_DIR=str(volume))
    server.wait_ready()
    for _ in range(3):
        assert server.score("net:[1]").status_code == 200
    wait_until_counted(server, "dropped", 3)
    assert server.log.count("Collected rows cannot be written to") == 1
    assert "does not exist or is not writable for user" in server.log
    volume.unlink()
    volume.mkdir()
    assert server.score("net:[2]").status_code == 200
    wait_until_counted(server, "written", 1)
    assert list(tables(volume).values()) == [[["2"]]]
    assert "again" in server.log


def test_the_last_rows_are_written_before_the_server_ends(start_server: StartServer, volume: Path) -> None:
    server = start_server(ANYTHING, GPU_INFERENCE_MODEL_DATA_DIR=str(volume))
    server.wait_ready()
    for number in range(50):
        server.score(f"net:[{number}]")
    server.process.terminate()
    assert server.wait_for_exit() == 0
    assert list(tables(volume).values()) == [[[str(number)] for number in range(50)]]


# The files, without a server

PLACE = ("net", "1", "inputs", "inputs")


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.csv"))


def test_files_rotate_and_the_oldest_go_at_the_total_limit(tmp_path: Path) -> None:
    files = CsvFiles(tmp_path, "pod", file_bytes=100, total_bytes=300)
    for number in range(200):
        files.append(PLACE, b"header\n", b"%04d\n" % number)
        assert size(tmp_path) <= 300
    kept = sorted(tmp_path.rglob("*.csv"), key=lambda path: int(path.suffixes[-2][1:]))
    assert all(path.stat().st_size <= 100 for path in kept)
    assert all(path.read_bytes().startswith(b"header\n") for path in kept)
    rows = [line for path in kept for line in path.read_text().splitlines()[1:]]
    # The newest ones, without a gap.
    assert rows == [f"{number:04d}" for number in range(200 - len(rows), 200)]
    assert len(rows) > 18


def test_the_limit_counts_what_earlier_pods_left(tmp_path: Path) -> None:
    old = tmp_path / "net/1/inputs/2020/01/01/inputs.gone.1.csv"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"x" * 280)
    os.utime(old, (0, 0))
    CsvFiles(tmp_path, "pod", file_bytes=100, total_bytes=300).append(PLACE, b"", b"y" * 50)
    assert not old.exists()
    assert size(tmp_path) == 50


def test_replicas_and_restarts_never_write_to_one_file(tmp_path: Path) -> None:
    one, other, restarted = (CsvFiles(tmp_path, owner, 1000, 4000) for owner in ("a", "b", "a"))
    for files in (one, other, restarted, one):
        files.append(PLACE, b"", b"x\n")
    names = Counter({path.name: path.stat().st_size for path in tmp_path.rglob("*.csv")})
    assert names == {"inputs.a.1.csv": 4, "inputs.b.1.csv": 2, "inputs.a.2.csv": 2}


def test_a_file_removed_under_the_writer_is_replaced(tmp_path: Path) -> None:
    files = CsvFiles(tmp_path, "a", 1000, 4000)
    files.append(PLACE, b"h\n", b"1\n")
    [path] = tmp_path.rglob("*.csv")
    path.unlink()
    files.append(PLACE, b"h\n", b"2\n")
    assert [path.read_bytes() for path in tmp_path.rglob("*.csv")] == [b"h\n2\n"]


def test_each_header_has_a_file_and_few_files_are_open(tmp_path: Path) -> None:
    files = CsvFiles(tmp_path, "a", 1000, 10**6)
    for number in (1, 2, 1, 2):
        files.append(PLACE, b"h%d\n" % number, b"x\n")
    assert sorted(path.read_bytes() for path in tmp_path.rglob("*.csv")) == [b"h1\nx\nx\n", b"h2\nx\nx\n"]
    for number in range(300):
        files.append(PLACE, b"h%d\n" % number, b"x\n")
        assert len(list(Path("/proc/self/fd").iterdir())) < 150


def test_more_than_a_file_takes_is_refused_whole(tmp_path: Path) -> None:
    with pytest.raises(TooLargeError):
        CsvFiles(tmp_path, "a", 100, 400).append(PLACE, b"h\n", b"x" * 99)
    assert list(tmp_path.rglob("*.csv")) == []


def test_a_write_that_ends_half_way_leaves_no_half_row(tmp_path: Path) -> None:
    # A limit on the size of this process's files: the real system call then writes a part, and fails.
    code = f"""
import resource, signal
from pathlib import Path
from gpu_inference_script.stand_ins.csv_files import CsvFiles
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (25, resource.RLIM_INFINITY))
files = CsvFiles(Path({str(tmp_path)!r}), "a", 1000, 4000)
files.append({PLACE}, b"", b"1234567890\\n")
files.append({PLACE}, b"", b"1234567890\\n")
try:
    files.append({PLACE}, b"", b"1234567890\\n")
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "File too large\n"
    assert [path.read_text() for path in tmp_path.rglob("*.csv")] == ["1234567890\n" * 2]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 25


def test_a_hanging_volume_keeps_nobody_waiting(tmp_path: Path) -> None:
    hanging = threading.Event()

    class HangingFiles(CsvFiles):
        def append(self, *arguments: Any) -> None:
            hanging.wait()
            super().append(*arguments)

    outcomes: Counter[str] = Counter()
    counting = threading.Lock()

    def count(outcome: str, rows: int) -> None:
        with counting:
            outcomes[outcome] += rows

    megabyte = "x" * 2**20
    data = ModelData(HangingFiles(tmp_path, "a", 4 * 2**20, 64 * 2**20), tmp_path, count)
    for _ in range(40):
        data.add(PLACE, None, [[megabyte]])
    fitting = MAX_BACKLOG_BYTES // (2**20 + 2)
    assert outcomes == {"dropped": 40 - fitting}
    data.flush(0.01)
    hanging.set()
    data.flush(60)
    assert outcomes == {"dropped": 40 - fitting, "written": fitting}
