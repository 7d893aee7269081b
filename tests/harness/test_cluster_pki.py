"""The embedded cluster's certificates: checked by OpenSSL itself, in real handshakes."""

import contextlib
import datetime
import socket
import ssl
import threading
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import yaml

from gpu_inference_testing.embedded import pki

NODE = IPv4Address("10.77.255.254")
SERVICE = IPv4Address("10.77.64.1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "pki"
    pki.create(folder, "lab", NODE, SERVICE)
    return folder


def handshake(folder: Path, server: str, client: str, asked_name: str) -> dict[str, object]:
    """Return the client's certificate as the server sees it."""
    on_server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.crt"))
    on_server.verify_mode = ssl.CERT_REQUIRED
    on_server.load_cert_chain(folder / f"{server}.crt", folder / f"{server}.key")
    on_client = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    on_client.load_cert_chain(folder / f"{client}.crt", folder / f"{client}.key")
    one, other = socket.socketpair()
    seen: dict[str, object] = {}

    def serve() -> None:
        # The client says what is wrong with a handshake that it gives up.
        with contextlib.suppress(ssl.SSLError), on_server.wrap_socket(one, server_side=True) as connection:
            seen.update(connection.getpeercert() or {})

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with on_client.wrap_socket(other, server_hostname=asked_name) as connection:
            connection.recv(1)
    finally:
        other.close()
        thread.join()
    return seen


@pytest.mark.parametrize("name", [str(NODE), str(SERVICE), "127.0.0.1", "kubernetes.default.svc"])
def test_api_server_is_trusted_by_each_of_its_names(folder: Path, name: str) -> None:
    assert handshake(folder, "apiserver", "admin", name)


def test_api_server_is_not_trusted_by_another_name(folder: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"10\.77\.0\.9"):
        handshake(folder, "apiserver", "admin", "10.77.0.9")


def test_kubelet_calls_itself_what_the_node_authorizer_expects(folder: Path) -> None:
    seen = handshake(folder, "apiserver", "kubelet", str(NODE))
    assert seen["subject"] == ((("organizationName", "system:nodes"),), (("commonName", "system:node:lab"),))


def test_private_files_can_be_read_by_their_owner_only(folder: Path) -> None:
    private = [path for path in folder.iterdir() if path.suffix in (".key", ".kubeconfig")]
    assert len(private) > 10
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_kubeconfig_carries_its_certificates_and_its_cluster_name(folder: Path) -> None:
    content = yaml.safe_load((folder / "admin.kubeconfig").read_text())
    assert content["current-context"] == "lab"
    assert content["clusters"][0]["cluster"]["server"] == f"https://{NODE}:6443"
    assert set(content["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}


def test_certificates_outlast_any_test_cluster(folder: Path) -> None:
    assert pki.valid_for(folder / "apiserver.crt") > datetime.timedelta(days=360)


def test_expired_certificate_is_noticed(tmp_path: Path) -> None:
    authority = pki.Authority(tmp_path, valid=datetime.timedelta(minutes=-5))
    authority.issue("admin", "admin")
    assert pki.valid_for(tmp_path / "admin.crt") < datetime.timedelta(0)
