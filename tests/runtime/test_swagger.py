"""The service's specification: generated from the script's schema or given by the user, in three versions."""
# inference-schema has no type information.
# mypy: disable-error-code="untyped-decorator"

import json
import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from inference_schema.parameter_types.abstract_parameter_type import AbstractParameterType
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema
from tests.runtime.answers import content
from tests.runtime.server_process import PATIENCE_SECONDS, Server, StartServer

from gpu_inference_runtime.settings import Settings
from gpu_inference_runtime.settings.definition import script_config
from gpu_inference_script.openapi import Documents, SwaggerFileError, make_documents

SETTINGS = Settings(front_end="azureml", service_name="mnist")
BARE = Settings(service_name="mnist", service_version="7")
ERROR = {"type": "object", "properties": {"message": {"type": "string"}}}


def undecorated(data: str) -> str:
    return data


@input_schema("data", NumpyParameterType(np.array([[1.5, 2.5]])))
@output_schema(StandardPythonParameterType([4.0]))
def decorated(data: Any) -> list[float]:
    return [float(data.sum())]


@input_schema("frame", PandasParameterType(pd.DataFrame({"a": [1], "b": ["x"]})))
@input_schema("more", StandardPythonParameterType({"depth": 3}))
def stacked(frame: Any, more: Any) -> None:
    """Has two parameters and no schema of a result."""


@input_schema("data", StandardPythonParameterType([1, "one"]))
def mixed(data: Any) -> None:
    """Has a list of several types, which Swagger 2 cannot describe."""


class OwnType(AbstractParameterType):  # type: ignore[misc]  # has no type information
    """A parameter's type as users write them; its sample has no JSON form."""

    def deserialize_input(self, input_data: Any) -> Any:
        return input_data

    def input_to_swagger(self) -> dict[str, Any]:
        return {"type": "object", "example": self.sample_input}


@input_schema("data", OwnType(complex(1, 2)))
def of_own_type(data: Any) -> None:
    """Cannot be described."""


def Swagger(settings: Settings, run: Any) -> Documents:  # noqa: N802  (it was a class)
    return Documents(*make_documents(script_config(settings), run))


def document(swagger: Documents, version: str | None = None) -> Any:
    answer = swagger.answer(version)
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.headers == (("x-ms-run-function-failed", "False"),)
    return content(answer)


def refusal(swagger: Documents, version: str) -> str:
    answer = swagger.answer(version)
    assert answer.status == 404
    return str(content(answer)["message"])


@pytest.fixture
def folder(tmp_path: Path) -> Settings:
    return replace(BARE, app_root=tmp_path)


@pytest.mark.parametrize(
    ("names", "key", "number"),
    [
        ((None, "2", "2.0"), "swagger", "2.0"),
        (("3", "3.0"), "openapi", "3.0.3"),
        (("3.1",), "openapi", "3.1.0"),
    ],
)
def test_each_version_has_its_names(
    folder: Settings, names: tuple[str | None, ...], key: str, number: str
) -> None:
    swagger = Swagger(folder, decorated)
    documents = [document(swagger, name) for name in names]
    assert all(each == documents[0] for each in documents)
    assert documents[0][key] == number
    assert documents[0]["info"] == {
        "title": "mnist",
        "description": "API specification for the Azure Machine Learning service mnist",
        "version": "7",
    }


@pytest.mark.parametrize("version", ["2", "3", "3.1"])
def test_the_paths_and_their_operations_are_the_contracts(folder: Settings, version: str) -> None:
    paths = document(Swagger(folder, decorated), version)["paths"]
    operations = [(path, method) for path, methods in paths.items() for method in methods]
    assert operations == [("/", "get"), ("/score", "post"), ("/swagger.json", "get")]
    ids = [each["operationId"] for methods in paths.values() for each in methods.values()]
    assert ids == ["ServiceHealthCheck", "RunMLService", "GetSwaggerSpec"]
    assert paths["/score"]["post"]["security"] == [{"Bearer": []}]


def test_a_decorated_run_is_described_with_its_samples(folder: Settings) -> None:
    swagger = Swagger(folder, decorated)
    for schemas in (
        document(swagger, "2")["definitions"],
        document(swagger, "3")["components"]["schemas"],
        document(swagger, "3.1")["components"]["schemas"],
    ):
        assert schemas["ServiceInput"]["properties"]["data"]["items"]["items"]["type"] == "number"
        assert schemas["ServiceInput"]["example"] == {"data": [[1.5, 2.5]]}
        assert schemas["ServiceOutput"]["example"] == [4.0]
        assert schemas["ErrorResponse"] == ERROR


def test_stacked_decorators_describe_all_parameters(folder: Settings) -> None:
    schemas = document(Swagger(folder, stacked))["definitions"]
    assert schemas["ServiceInput"]["example"] == {"frame": [{"a": 1, "b": "x"}], "more": {"depth": 3}}
    assert schemas["ServiceOutput"] == {"type": "object"}


def test_an_undecorated_run_takes_and_gives_any_object(folder: Settings) -> None:
    for schemas in (
        document(Swagger(folder, undecorated))["definitions"],
        document(Swagger(folder, undecorated), "3")["components"]["schemas"],
    ):
        assert schemas["ServiceInput"] == schemas["ServiceOutput"] == {"type": "object", "example": {}}


def test_a_list_of_several_types_has_no_swagger_2(folder: Settings) -> None:
    swagger = Swagger(folder, mixed)
    assert document(swagger, "3")["components"]["schemas"]["ServiceInput"]["example"] == {"data": [1, "one"]}
    for version in ("2", "2.0"):
        assert refusal(swagger, version) == (
            f"Swagger version [{version}] is not supported for the scoring script. "
            "Supported swagger versions: [3, 3.1]."
        )
    assert refusal(swagger, "9") == "Swagger version [9] is not valid. Supported versions: [3, 3.1]."


@pytest.mark.parametrize("version", ["9", "", "3.1.0", "two"])
def test_an_unknown_version_is_404_with_the_known_ones(folder: Settings, version: str) -> None:
    message = refusal(Swagger(folder, undecorated), version)
    assert message == f"Swagger version [{version}] is not valid. Supported versions: [2, 3, 3.1]."


@pytest.mark.parametrize(
    ("settings", "prefix"),
    [
        (BARE, ""),
        (replace(BARE, service_path_prefix="/a/b/"), "/a/b"),
        (replace(BARE, service_path_prefix="/"), ""),
        (SETTINGS, "/api/v1/service/mnist"),
        (replace(SETTINGS, service_path_prefix="mine"), "/mine"),
        (replace(SETTINGS, service_name="ML service"), "/api/v1/service/ML%20service"),
    ],
    ids=["none", "set", "a slash", "front end", "front end and set", "with a space"],
)
def test_paths_begin_with_the_prefix_or_as_the_front_end_had_them(settings: Settings, prefix: str) -> None:
    for version in ("2", "3"):
        paths = document(Swagger(settings, undecorated), version)["paths"]
        assert list(paths) == [f"{prefix}/", f"{prefix}/score", f"{prefix}/swagger.json"]


def test_a_name_with_quotes_does_no_harm(folder: Settings) -> None:
    assert document(Swagger(replace(folder, service_name='a "b"'), undecorated))["info"]["title"] == 'a "b"'


@pytest.mark.parametrize(
    ("files", "versions"),
    [
        (["swagger.json"], {"2": "swagger.json"}),
        (["swagger2.json"], {"2": "swagger2.json"}),
        (["swagger.json", "swagger2.json"], {"2": "swagger.json"}),
        (["swagger3.json", "swagger3.1.json"], {"3": "swagger3.json", "3.1": "swagger3.1.json"}),
    ],
)
def test_the_users_file_holds_for_its_version(
    folder: Settings, files: list[str], versions: dict[str, str]
) -> None:
    for name in files:
        (folder.app_root / name).write_text(json.dumps({"from": name, "ä": 1}), encoding="utf-8")
    swagger = Swagger(folder, mixed)
    for version, name in versions.items():
        assert document(swagger, version) == {"from": name, "ä": 1}
    if "3" not in versions:
        assert document(swagger, "3")["openapi"] == "3.0.3"


def test_an_empty_file_of_the_users_counts_as_none(folder: Settings) -> None:
    (folder.app_root / "swagger.json").write_text("{}")
    (folder.app_root / "swagger2.json").write_text('{"from": "swagger2.json"}')
    assert document(Swagger(folder, undecorated)) == {"from": "swagger2.json"}


@pytest.mark.parametrize("broken", [b'{"a":', b"\xff\xfe", b""], ids=["cut", "not UTF-8", "nothing"])
def test_a_broken_file_of_the_users_is_named(folder: Settings, broken: bytes) -> None:
    path = folder.app_root / "swagger3.json"
    path.write_bytes(broken)
    with pytest.raises(SwaggerFileError, match="cannot be read as JSON") as caught:
        Swagger(folder, undecorated)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith("Fix or remove it.")


def test_a_folder_in_the_place_of_the_file_is_named(folder: Settings) -> None:
    (folder.app_root / "swagger.json").mkdir()
    with pytest.raises(SwaggerFileError, match="Is a directory"):
        Swagger(folder, undecorated)


def test_a_schema_that_cannot_be_shown_is_logged(folder: Settings, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "gpu_inference"):
        swagger = Swagger(folder, of_own_type)
    assert (
        "There is no specification of version 2: it cannot be generated from the script's schema"
        in caplog.messages
    )
    assert refusal(swagger, "2") == (
        "Swagger version [2] is not supported for the scoring script. Supported swagger versions: []."
    )


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> requests.Response:
    return requests.request(method, server.url(path), headers=headers, timeout=PATIENCE_SECONDS)


def test_the_front_ends_specification_needs_a_key(start_server: StartServer, keys: Path) -> None:
    server = start_server(GPU_INFERENCE_FRONT_END="azureml", GPU_INFERENCE_KEYS_DIR=str(keys))
    server.wait_ready()
    for path in ("/swagger.json", "/api/v1/service/mnist/swagger.json?version=3"):
        refused = ask(server, path)
        assert (refused.status_code, refused.json()) == (401, {"message": "Unauthorized, no Auth Header"})
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        answer = ask(server, path, **{"Authorization": "Bearer first", "x-request-id": "R"})
        assert (answer.status_code, answer.headers["x-request-id"]) == (200, "R")
        assert ask(server, path, "OPTIONS").status_code == 200
    # It is counted with nothing that scores.
    metrics = server.management("/metrics").text
    assert "gpu_inference_requests_total{" not in metrics
    assert "gpu_inference_refusals_total{" not in metrics


SLOW_INIT = """
import pathlib, time
def init():
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
def run(data): return data
"""


def test_before_init_has_ended_there_is_no_specification(start_server: StartServer) -> None:
    server = start_server(SLOW_INIT, GPU_INFERENCE_FRONT_END="azureml")
    server.wait_until(lambda: ask(server, "/").status_code == 503, "the port answers")
    answer = ask(server, "/swagger.json")
    assert (answer.status_code, answer.json()) == (503, {"message": "No ready replicas for service mnist."})
    assert answer.headers["Retry-After"] == "1"


def test_on_the_bare_server_the_specification_waits_for_init(start_server: StartServer) -> None:
    server = start_server(SLOW_INIT)
    server.wait_until(lambda: ask(server, "/").status_code == 503, "the port answers")
    answers: list[requests.Response] = []
    asking = threading.Thread(target=lambda: answers.append(ask(server, "/swagger.json")), daemon=True)
    asking.start()
    asking.join(0.5)
    assert answers == []
    (server.folder / "go").touch()
    asking.join(PATIENCE_SECONDS)
    assert answers[0].json()["swagger"] == "2.0"


SCRIPT = """
import sys
def init():
    import json, pathlib
    pathlib.Path("swagger3.json").write_text(json.dumps({"made": "by init"}))
def run(data):
    return "inference_schema" in sys.modules
"""


def test_init_may_write_the_specification_without_a_library(start_server: StartServer) -> None:
    server = start_server(SCRIPT, SERVICE_VERSION="2.5")
    server.wait_ready()
    get = requests.get(server.url("/swagger.json?version=3"), timeout=PATIENCE_SECONDS)
    assert get.json() == {"made": "by init"}
    answer = requests.get(server.url("/swagger.json"), timeout=PATIENCE_SECONDS)
    assert answer.json()["info"]["version"] == "2.5"
    assert server.score("x").json() is False


def test_a_broken_specification_ends_the_start(start_server: StartServer) -> None:
    server = start_server(SCRIPT.replace('{"made": "by init"}', "1").replace("json.dumps(1)", "'{'"))
    assert server.wait_for_exit() == 3
    assert "swagger3.json cannot be read as JSON" in server.log
    assert "Traceback" not in server.log
