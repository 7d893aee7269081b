"""What /metrics tells: all that the page about it says, the models in the image, GPUs, several processes."""

import ctypes
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.runtime.nvml_library import NvmlLibrary
from tests.runtime.server_process import StartServer

from gpu_inference_runtime.access import authorization
from gpu_inference_runtime.front import sending
from gpu_inference_runtime.http import refusals
from gpu_inference_runtime.observability.metrics import Metrics, find_models
from gpu_inference_runtime.scoring import replica
from gpu_inference_runtime.scoring.counts import Counts
from gpu_inference_runtime.settings import Settings

BOUNDS = ("0.001", "0.25", "0.5", "300.0", "+Inf")
PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def table(first_cell: str) -> list[list[str]]:
    """Return the rows of the page's table whose first column is called so."""
    rows = PAGE.partition(f"| {first_cell} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return each sample's value by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def counted() -> Counts:
    counts = Counts()
    for name in ("busy_slots", "busy_slots_average", "queued_requests", "capacity_slots"):
        counts.gauges[name] = lambda: 1.0
    return counts


def metrics_of(app_root: Path, counts: Counts | None = None) -> bytes:
    text, content_type = Metrics(counts or counted(), Settings(app_root=app_root)).scrape()
    assert content_type.startswith("text/plain")
    return text


def shown(*names: str, text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {key: value for key, value in samples(text).items() if key[0] in names}


@pytest.fixture
def fresh_pynvml(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    yield
    # The next one that imports it shall not get this library.
    sys.modules.pop("pynvml", None)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> type[NvmlLibrary]:
    request.getfixturevalue("fresh_pynvml")
    monkeypatch.setattr(ctypes, "CDLL", NvmlLibrary)
    monkeypatch.setattr(NvmlLibrary, "init_status", 0)
    return NvmlLibrary


@pytest.mark.usefixtures("gpus")
def test_each_gpu_but_a_lost_one_is_shown_with_its_memory(tmp_path: Path) -> None:
    metrics = Metrics(counted(), Settings(app_root=tmp_path))
    used, total = "gpu_inference_gpu_memory_used_bytes", "gpu_inference_gpu_memory_total_bytes"
    for _ in range(2):
        assert shown(used, total, text=metrics.scrape()[0]) == {
            (used, (("gpu", "GPU-10"),)): 2**30,
            (used, (("gpu", "GPU-20"),)): 2**30,
            (used, (("gpu", "GPU-22"),)): 2**30,
            (total, (("gpu", "GPU-10"),)): 10 * 2**30,
            (total, (("gpu", "GPU-20"),)): 20 * 2**30,
            (total, (("gpu", "GPU-22"),)): 22 * 2**30,
        }


def test_a_missing_driver_is_logged_once_and_costs_no_metrics(
    gpus: type[NvmlLibrary],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    # NVML_ERROR_DRIVER_NOT_LOADED
    monkeypatch.setattr(gpus, "init_status", 9)
    metrics = Metrics(counted(), Settings(app_root=tmp_path))
    assert b"gpu_inference_busy_slots" in metrics.scrape()[0]
    assert b"gpu_memory" not in metrics.scrape()[0]
    assert [record.getMessage() for record in caplog.records] == [
        "GPU memory is not in the metrics: libnvidia-ml.so.1 is installed but fails: Driver Not Loaded"
    ]


@pytest.mark.usefixtures("fresh_pynvml")
def test_where_there_is_no_gpu_its_library_is_not_even_imported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert b"gpu_memory" not in metrics_of(tmp_path)
    assert "pynvml" not in sys.modules
    assert caplog.records == []


def test_each_model_version_is_shown_and_what_volumes_add_is_not(tmp_path: Path) -> None:
    models = tmp_path / "azureml-models"
    for name in ("net/1/a", "net/12/b", "Other_1.0/3/c", "net/..data/d", "lost+found/1/e", ".hidden/1/f"):
        (models / name).mkdir(parents=True)
    (models / "net/2").touch()
    (models / "a-file").touch()
    assert find_models(tmp_path) == [("Other_1.0", "3"), ("net", "1"), ("net", "12")]
    assert shown("gpu_inference_model_info", text=metrics_of(tmp_path)) == {
        ("gpu_inference_model_info", (("model", model), ("version", version))): 1
        for model, version in find_models(tmp_path)
    }


def test_an_image_without_models_shows_none(tmp_path: Path) -> None:
    assert b"model_info" not in metrics_of(tmp_path)


@pytest.mark.usefixtures("gpus")
def test_the_page_lists_exactly_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "azureml-models/net/1").mkdir(parents=True)
    counts = counted()
    counts.answered(200, 0.01)
    counts.refused("key")
    counts.collected("written", 3)
    found = []
    for family in text_string_to_metric_families(metrics_of(tmp_path, counts).decode()):
        if family.name.endswith("_created"):
            continue
        suffix = "_total" if family.type == "counter" else ""
        labels = sorted(set(family.samples[0].labels) - {"le"})
        found.append([f"`{family.name}{suffix}`", family.type, ", ".join(f"`{label}`" for label in labels)])
    assert sorted(found) == sorted(row[:3] for row in table("metric"))


def test_the_page_lists_every_reason_for_a_refusal() -> None:
    refused, keys = (Path(str(module.__file__)).read_text() for module in (refusals, authorization))
    reasons = set(re.findall(r'RefusedError\(\s*"(\w+)"', refused))
    reasons |= set(re.findall(r'"(\w+)" if settings.asks_for_token else "(\w+)"', keys)[0])
    assert {replica.OVERLOADED, replica.NOT_READY} <= reasons
    assert reasons == {name for row in table("reason") for name in re.findall(r"\w+", row[0])}
    assert "counts.refused(" in Path(str(sending.__file__)).read_text()


def test_numbers_are_counted_into_their_buckets(tmp_path: Path) -> None:
    counts = counted()
    for seconds in (0.0005, 0.001, 0.3, 1000):
        counts.answered(200, seconds)
    found = samples(metrics_of(tmp_path, counts))
    buckets = {bound: found["gpu_inference_request_seconds_bucket", (("le", bound),)] for bound in BOUNDS}
    assert buckets == {"0.001": 2, "0.25": 2, "0.5": 3, "300.0": 3, "+Inf": 4}
    assert found["gpu_inference_request_seconds_count", ()] == 4
    assert found["gpu_inference_request_seconds_sum", ()] == pytest.approx(1000.3015)
    assert found["gpu_inference_requests_total", (("code", "200"),)] == 4


def test_two_processes_are_one_in_the_metrics(start_server: StartServer) -> None:
    server = start_server(
        "import os\ndef init(): pass\ndef run(data): return os.getpid()",
        files=["azureml-models/net/7/weights"],
        WORKER_COUNT="2",
        GPU_INFERENCE_MAX_CONCURRENT_REQUESTS="2",
    )
    server.wait_ready()
    processes: set[int] = set()
    asked = 0
    while len(processes) < 2 or asked < 5:
        processes.add(server.score("x").json())
        asked += 1

    def told(name: str, *labels: tuple[str, str]) -> float | None:
        return samples(server.management("/metrics").content).get((name, labels))

    server.wait_until(
        lambda: told("gpu_inference_requests_total", ("code", "200")) == asked, "all requests counted"
    )
    assert told("gpu_inference_capacity_slots") == 2
    assert told("gpu_inference_run_seconds_count") == asked
    assert told("gpu_inference_model_info", ("model", "net"), ("version", "7")) == 1
    assert told("gpu_inference_init_seconds")
