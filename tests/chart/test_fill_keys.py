"""The Job's script, run as the Job runs it, against an HTTPS server that keeps a Secret like Kubernetes."""

import base64
import http.server
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import server_context, write_certificate
from tests.chart.rendering import CHART
from tests.serving import serving

SCRIPT = CHART / "files" / "fill_keys.py"
PATH = "/api/v1/namespaces/vision/secrets/mnist-keys"
TOKEN = "the-token-of-the-service-account"


class ApiServer(http.server.ThreadingHTTPServer):
    """Reads and patches the one Secret, with resource versions as Kubernetes has them."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext) -> None:
        self.secret: dict[str, Any] = {
            "metadata": {
                "name": "mnist-keys",
                "resourceVersion": "7",
                "managedFields": [{"manager": "helm", "operation": "Apply"}],
            }
        }
        self.calls: list[tuple[str, str]] = []
        self.refuse_next: list[int] = []
        self.changed_between_by: dict[str, str] | None = None
        super().__init__(address, Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about clients that do not trust this server."""

    def store(self, data: dict[str, str], manager: str = "kubectl") -> None:
        self.secret["data"] = {**self.secret.get("data", {}), **data}
        self.secret["metadata"]["managedFields"].append({"manager": manager, "operation": "Update"})
        self._count_version()

    def set_owners(self, owners: list[dict[str, str]]) -> None:
        self.secret["metadata"]["managedFields"] = owners
        self._count_version()

    def _count_version(self) -> None:
        version = int(self.secret["metadata"]["resourceVersion"]) + 1
        self.secret["metadata"]["resourceVersion"] = str(version)

    def owners(self) -> list[str]:
        return [owner["manager"] for owner in self.secret["metadata"]["managedFields"]]

    def keys(self) -> dict[str, str]:
        return {name: base64.b64decode(value).decode() for name, value in self.secret.get("data", {}).items()}


class Handler(http.server.BaseHTTPRequestHandler):
    server: ApiServer

    def do_GET(self) -> None:
        if not self._refused():
            body = json.dumps(self.server.secret).encode()
            if self.server.changed_between_by:
                # Somebody else is faster, once.
                self.server.store(self.server.changed_between_by)
                self.server.changed_between_by = None
            self._answer(200, body)

    def do_PATCH(self) -> None:
        change = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._refused():
            return
        if self.headers["Content-Type"] != "application/merge-patch+json":
            self._status(415, "the body of the request was in an unknown format")
        elif change["metadata"]["resourceVersion"] != self.server.secret["metadata"]["resourceVersion"]:
            self._status(409, "the object has been modified; please apply your changes to the latest version")
        else:
            if owners := change["metadata"].get("managedFields"):
                self.server.set_owners(owners)
            if data := change.get("data"):
                self.server.store(data, self.path.partition("?fieldManager=")[2])
            self._answer(200, json.dumps(self.server.secret).encode())

    def _refused(self) -> bool:
        self.server.calls.append((self.command, self.path))
        if self.server.refuse_next:
            self._status(self.server.refuse_next.pop(0), "not now")
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._status(401, "Unauthorized")
        elif self.path.partition("?")[0] != PATH:
            self._status(404, 'secrets "other" not found')
        else:
            return False
        return True

    def _status(self, code: int, message: str) -> None:
        self._answer(code, json.dumps({"kind": "Status", "message": message, "code": code}).encode())

    def _answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name for it)
        """Log nothing."""


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    write_certificate(tmp_path)
    (tmp_path / "token").write_text(TOKEN + "\n")
    (tmp_path / "namespace").write_text("vision")
    return tmp_path


@pytest.fixture
def api(credentials: Path) -> Iterator[ApiServer]:
    with serving(ApiServer(("127.0.0.1", 0), server_context(credentials))) as server:
        yield server


def fill(
    credentials: Path,
    port: int,
    *,
    secret: str = "mnist-keys",
    host: str = "127.0.0.1",
    patience: float = 60,
    before: str = "",
) -> "subprocess.CompletedProcess[str]":
    """Run the script as the Job does, in the environment of a pod, with a proxy that leads nowhere."""
    pod = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
    proxy = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    options = ["--credentials", str(credentials), "--give-up-after", str(patience)]
    script = before + SCRIPT.read_text()
    command = [sys.executable, "-I", "-c", script, secret, "primaryKey", "secondaryKey", *options]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **proxy, **pod})


# What Python 3.13 does by itself.
STRICT = """
import ssl
lenient = ssl.create_default_context
def create_default_context(*args, **options):
    context = lenient(*args, **options)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context
ssl.create_default_context = create_default_context
"""


def test_a_certificate_without_newer_extensions_is_accepted(api: ApiServer, credentials: Path) -> None:
    done = fill(credentials, api.server_port, before=STRICT)
    assert done.returncode == 0, done.stderr
    assert api.keys().keys() == {"primaryKey", "secondaryKey"}


def test_both_missing_keys_are_made_and_never_printed(api: ApiServer, credentials: Path) -> None:
    done = fill(credentials, api.server_port)
    assert done.returncode == 0, done.stderr
    first, second = (api.keys()[name] for name in ("primaryKey", "secondaryKey"))
    assert first != second
    for key in (first, second):
        assert len(key) == 32
        assert key.isalnum()
        assert key.isascii()
        assert key not in done.stdout + done.stderr
    assert "Present in the Secret mnist-keys in the namespace vision: primaryKey, secondaryKey" in done.stdout


def test_a_second_run_changes_nothing(api: ApiServer, credentials: Path) -> None:
    fill(credentials, api.server_port)
    before = api.keys()
    api.calls.clear()
    done = fill(credentials, api.server_port)
    assert done.returncode == 0
    assert api.calls == [("GET", PATH)]
    assert api.keys() == before


def test_keys_have_no_owner_so_that_given_ones_replace_them(api: ApiServer, credentials: Path) -> None:
    assert fill(credentials, api.server_port).returncode == 0
    assert api.owners() == ["helm"]


def test_an_ownership_that_an_interrupted_run_left_is_given_up(api: ApiServer, credentials: Path) -> None:
    for name in ("primaryKey", "secondaryKey"):
        api.store({name: base64.b64encode(b"made").decode()}, "gpu-inference-keys")
    assert fill(credentials, api.server_port).returncode == 0
    assert api.owners() == ["helm"]
    assert api.keys() == {"primaryKey": "made", "secondaryKey": "made"}


def test_a_key_that_exists_is_kept(api: ApiServer, credentials: Path) -> None:
    api.store({"primaryKey": base64.b64encode(b"mine").decode()})
    assert fill(credentials, api.server_port).returncode == 0
    assert api.keys()["primaryKey"] == "mine"
    assert len(api.keys()["secondaryKey"]) == 32


def test_keys_of_somebody_who_was_faster_are_kept(api: ApiServer, credentials: Path) -> None:
    api.changed_between_by = {"primaryKey": base64.b64encode(b"theirs").decode()}
    done = fill(credentials, api.server_port)
    assert done.returncode == 0, done.stderr
    assert "answered 409: the object has been modified" in done.stderr
    assert api.keys()["primaryKey"] == "theirs"
    assert len(api.keys()["secondaryKey"]) == 32


def test_it_retries_until_api_server_and_release_are_ready(api: ApiServer, credentials: Path) -> None:
    api.refuse_next = [503, 403, 404]
    done = fill(credentials, api.server_port)
    assert done.returncode == 0, done.stderr
    assert [f"answered {code}: not now; trying again" in done.stderr for code in (503, 403, 404)] == [
        True
    ] * 3
    assert len(api.keys()) == 2


def test_it_gives_up_on_a_secret_that_does_not_come(api: ApiServer, credentials: Path) -> None:
    done = fill(credentials, api.server_port, secret="other", patience=0)
    assert done.returncode == 1
    assert "the Secret other in the namespace vision was answered 404: secrets" in done.stderr


def test_it_gives_up_at_once_on_a_token_that_is_refused(api: ApiServer, credentials: Path) -> None:
    (credentials / "token").write_text("another")
    done = fill(credentials, api.server_port)
    assert done.returncode == 1
    assert (
        "GET of the Secret mnist-keys in the namespace vision was answered 401: Unauthorized" in done.stderr
    )


def test_it_gives_up_on_an_api_server_that_cannot_be_reached(credentials: Path) -> None:
    # Port 9 (discard) answers nowhere that tests run.
    done = fill(credentials, 9, patience=0)
    assert done.returncode == 1
    assert f"The API server cannot be reached at https://127.0.0.1:9{PATH}" in done.stderr


def test_an_address_of_version_6_is_written_as_in_a_url(credentials: Path) -> None:
    done = fill(credentials, 9, host="::1", patience=0)
    assert f"cannot be reached at https://[::1]:9{PATH}" in done.stderr


def test_it_sends_its_token_to_no_server_that_the_ca_does_not_know(
    api: ApiServer, credentials: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    write_certificate(other)
    (credentials / "ca.crt").write_bytes((other / "ca.crt").read_bytes())
    done = fill(credentials, api.server_port)
    assert done.returncode == 1
    assert "The API server is not one that the cluster's CA knows" in done.stderr
    assert api.calls == []


def test_outside_a_pod_it_says_so(credentials: Path) -> None:
    (credentials / "token").unlink()
    done = fill(credentials, 9)
    assert done.returncode == 1
    assert "The keys were not made." in done.stderr
    assert "No such file" in done.stderr
    without = {name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")}
    command = [sys.executable, str(SCRIPT), "mnist-keys", "primaryKey"]
    done = subprocess.run(command, capture_output=True, text=True, env=without)
    assert "'KUBERNETES_SERVICE_HOST' is not set, which it is in every pod." in done.stderr
