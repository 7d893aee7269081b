"""A cluster that the user has: nothing of it is changed, and what it cannot do is said."""

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import yaml
from tests.serving import serving

from gpu_inference.cluster import open_cluster
from gpu_inference.errors import GpuInferenceError
from gpu_inference_testing.archive import ArchivedImage
from gpu_inference_testing.embedded import pki
from gpu_inference_testing.embedded.images import write_pause_archive
from gpu_inference_testing.gpus import set_gpus


class Denies(BaseHTTPRequestHandler):
    """An API server that knows nobody."""

    def do_GET(self) -> None:
        body = b'{"kind": "Status", "code": 401, "message": "Unauthorized: no such user"}'
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def denying(tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of a server on this machine that refuses everything."""
    folder = tmp_path / "pki"
    pki.create(folder, "lab", IPv4Address("127.0.0.1"), IPv4Address("127.0.0.2"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Denies)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "apiserver.crt", folder / "apiserver.key")
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    pki.write_kubeconfig(folder, "admin", "lab", f"https://127.0.0.1:{server.server_port}")
    with serving(server):
        yield folder / "admin.kubeconfig"


@pytest.fixture
def gone(tmp_path: Path) -> Path:
    """The kubeconfig of a cluster that nothing answers for."""
    folder = tmp_path / "pki"
    pki.create(folder, "lab", IPv4Address("127.0.0.1"), IPv4Address("127.0.0.2"))
    pki.write_kubeconfig(folder, "admin", "lab", "https://127.0.0.1:1")
    return folder / "admin.kubeconfig"


def test_cluster_that_does_not_answer_is_a_sentence(gone: Path) -> None:
    with pytest.raises(GpuInferenceError, match=r"does not answer: .*Connection refused"):
        open_cluster("kubeconfig", kubeconfig=gone).up()


def test_cluster_that_refuses_us_is_quoted(denying: Path) -> None:
    with pytest.raises(GpuInferenceError, match="refused a request: Unauthorized: no such user"):
        open_cluster("kubeconfig", kubeconfig=denying).up()


def test_status_says_what_is_wrong_instead_of_failing(gone: Path) -> None:
    status = open_cluster("kubeconfig", kubeconfig=gone).status()
    assert not status.running
    assert "does not answer" in (status.problem or "")


def test_file_that_is_no_kubeconfig_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("clusters: 3\n")
    with pytest.raises(GpuInferenceError, match="config cannot be used: "):
        open_cluster("kubeconfig", kubeconfig=tmp_path / "config").up()


def test_context_that_the_file_lacks_is_a_sentence(gone: Path) -> None:
    with pytest.raises(GpuInferenceError, match=r"cannot be used: .*staging"):
        open_cluster("kubeconfig", kubeconfig=gone, context="staging").up()


def test_nothing_is_removed_from_it(gone: Path) -> None:
    before = yaml.safe_load(gone.read_text())
    open_cluster("kubeconfig", kubeconfig=gone).down()
    assert yaml.safe_load(gone.read_text()) == before


def test_image_is_refused_with_the_way_to_push_it(gone: Path, tmp_path: Path) -> None:
    (tmp_path / "program").touch()
    write_pause_archive(tmp_path / "program", tmp_path / "pause.tar")
    with pytest.raises(GpuInferenceError, match=r"its nodes pull.*\n  .*--push REGISTRY/REPOSITORY"):
        open_cluster("kubeconfig", kubeconfig=gone).load_image(ArchivedImage(tmp_path / "pause.tar"))


def test_simulated_gpus_need_the_users_word(gone: Path) -> None:
    with pytest.raises(GpuInferenceError, match="--simulate-gpus"):
        set_gpus(open_cluster("kubeconfig", kubeconfig=gone), 1)


def test_device_plugin_is_refused_before_anything_is_asked(gone: Path) -> None:
    with pytest.raises(GpuInferenceError, match="only the embedded cluster gives access to"):
        set_gpus(open_cluster("kubeconfig", kubeconfig=gone, simulate_gpus=True), 1, mode="plugin")
