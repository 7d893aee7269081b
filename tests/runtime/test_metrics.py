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

from gpu_inference_runtime.access import access
from gpu_inference_runtime.observability.gpu_memory import GpuMemory
from gpu_inference_runtime.observability.metrics import Metrics
from gpu_inference_runtime.observability.model_versions import ModelVersions, models_in
from gpu_inference_runtime.service import refusals

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


def shown(*names: str, metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {key: value for key, value in samples(metrics.text()).items() if key[0] in names}


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
def test_each_gpu_and_each_part_of_one_is_shown_with_its_memory_and_a_lost_one_is_not() -> None:
    metrics = Metrics()
    metrics.add(GpuMemory())
    used, total = "gpu_inference_gpu_memory_used_bytes", "gpu_inference_gpu_memory_total_bytes"
    for _ in range(2):
        assert shown(used, total, metrics=metrics) == {
            (used, (("gpu", "GPU-10"),)): 2**30,
            (used, (("gpu", "GPU-20"),)): 2**30,
            (used, (("gpu", "GPU-22"),)): 2**30,
            (total, (("gpu", "GPU-10"),)): 10 * 2**30,
            (total, (("gpu", "GPU-20"),)): 20 * 2**30,
            (total, (("gpu", "GPU-22"),)): 22 * 2**30,
        }


def test_a_library_without_its_driver_is_logged_once_and_costs_no_metrics(
    gpus: type[NvmlLibrary], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # NVML_ERROR_DRIVER_NOT_LOADED
    monkeypatch.setattr(gpus, "init_status", 9)
    metrics = Metrics()
    metrics.add(GpuMemory())
    assert b"gpu_inference_busy_slots" in metrics.text()
    assert b"gpu_memory" not in metrics.text()
    assert [record.getMessage() for record in caplog.records] == [
        "GPU memory is not in the metrics: libnvidia-ml.so.1 is there but says Driver Not Loaded"
    ]


@pytest.mark.usefixtures("fresh_pynvml")
def test_where_there_is_no_gpu_its_library_is_not_even_imported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    metrics = Metrics()
    metrics.add(GpuMemory())
    assert b"gpu_memory" not in metrics.text()
    assert "pynvml" not in sys.modules
    assert caplog.records == []


def test_each_model_version_is_shown_and_what_volumes_add_is_not(tmp_path: Path) -> None:
    models = tmp_path / "azureml-models"
    for name in ("net/1/a", "net/12/b", "Other_1.0/3/c", "net/..data/d", "lost+found/1/e", ".hidden/1/f"):
        (models / name).mkdir(parents=True)
    (models / "net/2").touch()
    (models / "a-file").touch()
    assert models_in(tmp_path) == [("Other_1.0", "3"), ("net", "1"), ("net", "12")]
    metrics = Metrics()
    metrics.add(ModelVersions(tmp_path))
    assert shown("gpu_inference_model_info", metrics=metrics) == {
        ("gpu_inference_model_info", (("model", model), ("version", version))): 1
        for model, version in models_in(tmp_path)
    }


def test_an_image_without_models_shows_none(tmp_path: Path) -> None:
    metrics = Metrics()
    metrics.add(ModelVersions(tmp_path))
    assert b"model_info" not in metrics.text()


@pytest.mark.usefixtures("gpus")
def test_the_page_lists_exactly_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "azureml-models/net/1").mkdir(parents=True)
    metrics = Metrics()
    metrics.add(ModelVersions(tmp_path))
    metrics.add(GpuMemory())
    metrics.requests.labels(code="200").inc()
    metrics.refusals.labels(reason="key").inc()
    metrics.model_data_rows.labels(outcome="written").inc()
    found = []
    for family in text_string_to_metric_families(metrics.text().decode()):
        if family.name.endswith("_created"):
            continue
        suffix = "_total" if family.type == "counter" else ""
        labels = sorted(set(family.samples[0].labels) - {"le"})
        found.append([f"`{family.name}{suffix}`", family.type, ", ".join(f"`{label}`" for label in labels)])
    assert sorted(found) == sorted(row[:3] for row in table("metric"))


def test_the_page_lists_every_reason_for_a_refusal() -> None:
    sources = [Path(str(module.__file__)).read_text() for module in (refusals, access)]
    reasons = set(re.findall(r'RefusedError\(\s*"(\w+)"', sources[0]))
    reasons |= set(re.findall(r'"(\w+)" if settings.asks_for_token else "(\w+)"', sources[1])[0])
    assert reasons == {name for row in table("reason") for name in re.findall(r"\w+", row[0])}


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
