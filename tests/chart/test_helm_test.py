"""The pod of `helm test` and its script, which scores against a real server on this machine."""

import http.server
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.chart.rendering import CHART, Rendered, render
from tests.serving import serving

SCRIPT = CHART / "files" / "score.py"
KEY = "the-key-of-the-service"


def words(rendered: Rendered) -> list[str]:
    """Return what follows the script in the pod's command."""
    (container,) = rendered.one("Pod")["spec"]["containers"]
    return [str(word) for word in container["command"][4:]]


def test_helm_test_scores_the_request_with_the_primary_key() -> None:
    rendered = render({"helmTest": {"request": '{"digit": 7}'}}, namespace="vision")
    url, request, *flags = words(rendered)
    assert url == "http://mnist.vision/api/v1/service/mnist/score"
    assert request == '{"digit": 7}'
    assert "--authentication=key" in flags
    (mount,) = rendered.one("Pod")["spec"]["containers"][0]["volumeMounts"]
    assert f"--key-file={mount['mountPath']}/primaryKey" in flags


def test_it_is_no_pod_of_the_service_and_stays_to_be_read() -> None:
    metadata = render().one("Pod")["metadata"]
    assert metadata["labels"]["app.kubernetes.io/component"] == "test"
    assert metadata["annotations"] == {
        "helm.sh/hook": "test",
        "helm.sh/hook-delete-policy": "before-hook-creation",
    }


def test_without_authentication_it_has_no_key() -> None:
    rendered = render({"deployment": {"auth_enabled": False}})
    assert "--authentication=none" in words(rendered)
    assert "volumes" not in rendered.one("Pod")["spec"]


def test_it_asks_for_no_gpu() -> None:
    (container,) = render().one("Pod")["spec"]["containers"]
    assert set(container["resources"]["limits"]) == {"memory"}


def test_its_image_is_the_services_unless_another_is_given() -> None:
    def image(values: dict[str, Any]) -> str:
        return str(render(values).one("Pod")["spec"]["containers"][0]["image"])

    assert image({"image": {"repository": "team/digits", "tag": "7"}}) == "team/digits:7"
    own = {"repository": "python", "tag": "3.11-slim"}
    assert image({"helmTest": {"image": own}}) == "python:3.11-slim"
    mirrored = {"global": {"imageRegistry": "mirror.example.com"}, "helmTest": {"image": own}}
    assert image(mirrored) == "mirror.example.com/python:3.11-slim"


class Service(http.server.BaseHTTPRequestHandler):
    """Answers like a service, or wrongly; the class's attributes say how."""

    statuses: list[int]
    open_to_all = False

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        authorized = self.open_to_all or self.headers.get("Authorization") == f"Bearer {KEY}"
        status = 401 if not authorized else (self.statuses.pop(0) if self.statuses else 200)
        body = json.dumps({"answer": status}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def service() -> Iterator[tuple[type[Service], str]]:
    handler = type("Handler", (Service,), {"statuses": []})
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        yield handler, f"http://127.0.0.1:{server.server_port}/score"


def score(url: str, tmp_path: Path, authentication: str = "key", give_up: float = 10) -> Any:
    (tmp_path / "primaryKey").write_text(f"{KEY}\n")
    flags = [f"--authentication={authentication}", f"--key-file={tmp_path / 'primaryKey'}"]
    flags.append(f"--give-up-after={give_up}")
    command = [sys.executable, "-I", "-c", SCRIPT.read_text(), url, '{"data": [1]}', *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    assert KEY not in done.stdout + done.stderr
    return done


def test_a_service_that_answers_passes_and_is_logged(
    service: tuple[type[Service], str], tmp_path: Path
) -> None:
    done = score(service[1], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Without credentials: 401" in done.stdout
    assert '{"data": [1]}' in done.stdout
    assert "200 after" in done.stdout
    assert done.stdout.endswith("PASSED\n")


def test_a_service_that_is_still_starting_is_waited_for(
    service: tuple[type[Service], str], tmp_path: Path
) -> None:
    service[0].statuses = [503, 503]
    done = score(service[1], tmp_path)
    assert done.returncode == 0
    assert done.stdout.count("Not yet: status 503") == 2


def test_a_service_that_lets_everybody_in_fails(service: tuple[type[Service], str], tmp_path: Path) -> None:
    service[0].open_to_all = True
    done = score(service[1], tmp_path)
    assert done.returncode == 1
    assert "answered 200 instead of 401" in done.stderr


def test_a_refused_request_fails_with_the_value_to_set(
    service: tuple[type[Service], str], tmp_path: Path
) -> None:
    service[0].statuses = [502]
    done = score(service[1], tmp_path)
    assert done.returncode == 1
    assert "helmTest.request" in done.stderr


def test_with_tokens_it_checks_that_nobody_gets_in_without(
    service: tuple[type[Service], str], tmp_path: Path
) -> None:
    done = score(service[1], tmp_path, "token")
    assert done.returncode == 0
    assert "Not scored" in done.stdout


def test_nothing_that_listens_fails_with_the_address(tmp_path: Path) -> None:
    done = score("http://127.0.0.1:9/score", tmp_path, give_up=0)
    assert done.returncode == 1
    assert "Nothing answers at http://127.0.0.1:9/score" in done.stderr


def test_a_missing_key_file_fails_with_its_name(service: tuple[type[Service], str]) -> None:
    command = [sys.executable, str(SCRIPT), service[1], "{}", "--authentication=key"]
    done = subprocess.run([*command, "--key-file=/nowhere/key"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "/nowhere/key" in done.stderr
