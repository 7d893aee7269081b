"""The chart and the runtime meet in what docs/interfaces.md says alone: both are held to its tables."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from charts.values.schema import described_values, variables
from tests.chart.rendering import CHART, Rendered, mistakes_in, render
from tests.ports import free_ports

from gpu_inference_runtime.settings import Settings, load_settings

PAGE = (Path(__file__).parents[2] / "docs" / "interfaces.md").read_text(encoding="utf-8")
# Which of the runtime's settings a variable is, and what it is made of there.
SETTINGS = {
    "SERVICE_NAME": lambda settings: settings.service_name,
    "SCORING_TIMEOUT_MS": lambda settings: settings.scoring_timeout_ms,
    "GPU_INFERENCE_FRONT_END": lambda settings: settings.front_end,
    "GPU_INFERENCE_KEYS_DIR": lambda settings: settings.keys_directory,
    "GPU_INFERENCE_MAX_CONCURRENT_REQUESTS": lambda settings: settings.max_concurrent_requests,
    "GPU_INFERENCE_MAX_QUEUE_WAIT_MS": lambda settings: settings.max_queue_wait_ms,
    "GPU_INFERENCE_DRAIN_SECONDS": lambda settings: settings.drain_seconds,
    "GPU_INFERENCE_BATCHING": lambda settings: settings.batching,
    "GPU_INFERENCE_BATCH_MAX_ROWS": lambda settings: settings.batch_max_rows,
    "GPU_INFERENCE_BATCH_MAX_BYTES": lambda settings: settings.batch_max_bytes,
    "GPU_INFERENCE_ARRAY_DTYPE": lambda settings: settings.array_dtype,
    "GPU_INFERENCE_FAST_JSON": lambda settings: settings.fast_json,
    "AML_APP_ROOT": lambda settings: settings.app_root,
    "AZUREML_MODEL_DIR": lambda settings: settings.model_dir,
    "AZUREML_SOURCE_DIRECTORY": lambda settings: settings.source_directory,
    "AZUREML_ENTRY_SCRIPT": lambda settings: settings.entry_script,
    "GPU_INFERENCE_MODEL_DATA_DIR": lambda settings: settings.model_data_directory,
    "GPU_INFERENCE_MODEL_DATA_FILE_MB": lambda settings: settings.model_data_file_mb,
    "GPU_INFERENCE_MODEL_DATA_TOTAL_MB": lambda settings: settings.model_data_total_mb,
    "AML_APP_INSIGHTS_ENABLED": lambda settings: settings.app_insights,
    "OTEL_EXPORTER_OTLP_ENDPOINT": lambda settings: settings.otlp_endpoint,
    "OTEL_EXPORTER_OTLP_HEADERS": lambda settings: settings.otlp_headers,
    "OTEL_SERVICE_NAME": lambda settings: settings.telemetry_service_name,
    "OTEL_RESOURCE_ATTRIBUTES": lambda settings: settings.resource_attributes,
    "GPU_INFERENCE_TRACES_RATIO": lambda settings: settings.traces_ratio,
}
VALUES = {
    "deployment": {
        "scoring_timeout_ms": 12_345,
        "replica_max_concurrent_requests": 3,
        "max_request_wait_time": 678,
        "collect_model_data": True,
        "enable_app_insights": True,
    },
    "dataCollection": {"volume": {"emptyDir": {}}, "maxFileSizeMb": 5, "maxTotalSizeMb": 70},
    "telemetry": {
        "otlpEndpoint": "http://collector:4318",
        "headersSecret": {"name": "collector"},
        "serviceName": "vision",
        "samplingRatio": 0.5,
        "resourceAttributes": {"team": "a, b"},
    },
    "drain": {"seconds": 9},
    "batching": {"mode": "array", "maxRows": 8, "maxBytes": 4096, "dtype": "int64", "fastJson": True},
    "fullnameOverride": "digits",
    "models": [{"name": "net", "version": 2}],
    "inference": {"sourceDirectory": "code", "entryScript": "score.py"},
}


def table(heading: str) -> list[list[str]]:
    """Return the rows of the page's table under a heading, without the marks of code."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().replace("`", "") for cell in row] for row in rows[2:]]


ENVIRONMENT = table("Chart → runtime: environment variables")
TOKENS = table("Chart → runtime: environment variables for tokens")
FILES = table("Chart → runtime: mounted files")
PORTS = table("Chart → runtime: ports and paths")


def test_the_chart_sets_exactly_the_variables_of_the_page() -> None:
    names = [row[0] for row in ENVIRONMENT]
    assert sorted(render(VALUES).env) == sorted(names)


def test_the_variables_of_the_page_are_not_the_users_to_set() -> None:
    names = sorted(row[0] for row in (*ENVIRONMENT, *TOKENS))
    mistakes = mistakes_in({"extraEnv": [{"name": name, "value": "x"} for name in names]})
    assert mistakes == [
        f"extraEnv must not set {name}: the chart sets it from its own values." for name in names
    ]
    rule = (CHART / "templates" / "validation" / "_pod_rules.tpl").read_text()
    reserved = set(re.findall(r'^    "([A-Z_]+)"$', rule, re.MULTILINE))
    reserved |= {each["name"] for each in variables(described_values())}
    assert sorted(reserved) == names


def settings_in_the_pod(rendered: Rendered, keys: Path) -> Settings:
    """Return what the runtime makes of the container's variables, with its folders in one of the test."""
    folders = {"GPU_INFERENCE_KEYS_DIR": str(keys)}
    if "AML_APP_ROOT" in rendered.env:
        assert rendered.env["AML_APP_ROOT"] == "/var/azureml-app"
        folders["AML_APP_ROOT"] = str(keys)
    variables = {
        name: value
        if isinstance(value, str)
        else "from the Secret {name}/{key}".format(**value["secretKeyRef"])
        for name, value in rendered.env.items()
    }
    return load_settings([], {**variables, **folders})


def test_each_variable_comes_from_the_value_that_the_page_names(tmp_path: Path) -> None:
    settings = settings_in_the_pod(render(VALUES), tmp_path)
    expected: dict[str, Any] = {
        "deployment.scoring_timeout_ms": 12_345,
        "deployment.replica_max_concurrent_requests": 3,
        "deployment.max_request_wait_time": 678,
        "drain.seconds": 9,
        "batching.mode, unless it is the default": "array",
        "batching.maxRows, likewise": 8,
        "batching.maxBytes, likewise": 4096,
        "batching.dtype, likewise": "int64",
        "batching.fastJson, likewise": True,
        "release name or fullnameOverride": "digits",
        "always azureml": "azureml",
        "set while keys are asked for (deployment.auth_enabled)": tmp_path,
        "set while models or inference.entryScript are given": tmp_path,
        "set while models are given": "/var/azureml-app/azureml-models/net/2",
        "inference.sourceDirectory, while inference.entryScript is given": "code",
        "inference.sourceDirectory/inference.entryScript": "code/score.py",
        "set while deployment.collect_model_data": Path("/var/lib/gpu-inference/model-data"),
        "dataCollection.maxFileSizeMb": 5,
        "dataCollection.maxTotalSizeMb": 70,
        "set while deployment.enable_app_insights": True,
        "telemetry.otlpEndpoint": "http://collector:4318",
        "from the Secret telemetry.headersSecret": "from the Secret collector/headers",
        "telemetry.serviceName, else the service's": "vision",
        "namespace, Deployment and telemetry.resourceAttributes": (
            "k8s.deployment.name=digits,k8s.namespace.name=default,team=a%2C%20b"
        ),
        "telemetry.samplingRatio": 0.5,
    }
    for variable, source, _, _ in ENVIRONMENT:
        assert SETTINGS[variable](settings) == expected[source], variable


def test_the_runtime_has_the_defaults_of_the_page() -> None:
    settings = load_settings([], {})
    for variable, _, _, default in ENVIRONMENT:
        found = SETTINGS[variable](settings)
        shown = "unset" if found is None else str(int(found) if isinstance(found, float) else found)
        if found == Path.cwd():
            shown = "the working directory"
        assert shown == default, variable


def test_without_authentication_the_runtime_asks_for_no_key() -> None:
    rendered = render({"deployment": {"auth_enabled": False}})
    assert load_settings([], rendered.env).keys_directory is None


def test_the_chart_mounts_what_the_page_says_and_the_keys_whole() -> None:
    rendered = render({name: VALUES[name] for name in ("deployment", "dataCollection", "telemetry")})
    mounts = {mount["mountPath"]: mount for mount in rendered.container["volumeMounts"]}
    model_data = rendered.env["GPU_INFERENCE_MODEL_DATA_DIR"]
    (volume,) = (volume["secret"] for volume in rendered.pod["volumes"] if volume["name"] == "keys")
    files = [f"/etc/gpu-inference/keys/{item['path']}" for item in volume["items"]]
    assert [row[0] for row in FILES] == [*files, model_data, "/tmp"]
    assert set(mounts) == {rendered.env["GPU_INFERENCE_KEYS_DIR"], model_data, "/tmp"}
    assert "subPath" not in mounts["/etc/gpu-inference/keys"]


def test_the_chart_uses_the_ports_and_probe_paths_of_the_page() -> None:
    container = render().container
    assert {(str(port["containerPort"]), port["name"]) for port in container["ports"]} == {
        (port, name) for port, name, _, _ in PORTS
    }
    probed = {
        (container[kind]["httpGet"]["port"], container[kind]["httpGet"]["path"])
        for kind in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert probed <= {(name, path) for _, name, path, _ in PORTS}


def test_the_runtime_listens_on_the_ports_of_the_page() -> None:
    assert {str(Settings().port), str(Settings().health_port)} == {row[0] for row in PORTS}


def test_the_grace_period_is_as_long_as_the_page_promises(tmp_path: Path) -> None:
    rendered = render({"drain": {"preStopSleepSeconds": 4, "seconds": 9}})
    finish = settings_in_the_pod(rendered, tmp_path).graceful_seconds
    assert 0 <= rendered.pod["terminationGracePeriodSeconds"] - (4 + finish + 5) < 1


class Server:
    """The real runtime in the chart's environment, with its echo script, on two free ports."""

    def __init__(self, rendered: Rendered, keys: Path) -> None:
        self.ports = dict(zip(("http", "management"), free_ports(2), strict=True))
        environment = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith(("AML_", "AZUREML_"))
            },
            **rendered.env,
            "GPU_INFERENCE_KEYS_DIR": str(keys),
            "GPU_INFERENCE_DRAIN_SECONDS": "0",
            "SERVER_PORT": str(self.ports["http"]),
            "HEALTH_PORT": str(self.ports["management"]),
        }
        command = [sys.executable, "-m", "gpu_inference_runtime"]
        self.process = subprocess.Popen(
            command, env=environment, cwd=keys, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def get(self, port: str, path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.ports[port]}{path}", timeout=30)

    def score(self, path: str, key: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.ports['http']}{path}"
        return requests.post(url, headers=headers, data='{"data": [1]}', timeout=30)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.get("management", "/ready").status_code == 200:
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.05)
        self.process.kill()
        pytest.fail(f"The server did not get ready:\n{self.process.communicate()[0]}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    keys = tmp_path_factory.mktemp("keys")
    for path, *_ in FILES[:2]:
        # Surrounding white space is ignored, says the page.
        (keys / Path(path).name).write_text(f" key-in-{Path(path).name}\n")
    running = Server(render({"fullnameOverride": "digits"}), keys)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.process.kill()
        running.process.communicate()


@pytest.mark.parametrize("row", PORTS, ids=lambda row: row[2])
def test_the_runtime_answers_on_every_path_of_the_page(row: list[str], server: Server) -> None:
    _, port, path, answer = row
    if answer == "scoring":
        for key in ("primaryKey", "secondaryKey"):
            assert server.score(path.replace("<name>", "digits"), f"key-in-{key}").status_code == 200
        assert server.score(path.replace("<name>", "digits"), "another").status_code == 401
        return
    response = server.get(port, path)
    assert response.status_code == 200
    if text := re.search(r"200 (\w+)$", answer):
        assert response.text == text[1]
    if "Prometheus" in answer:
        assert response.text.startswith("# HELP")


def test_the_runtime_ends_with_0_when_it_is_told_to(server: Server) -> None:
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0
