"""Creates a cluster's certificate authority, keys, certificates and kubeconfigs."""

import base64
import datetime
import ipaddress
import os
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gpu_inference.cluster.providers import mark

# Test clusters live for less time than this, and every new cluster has new certificates.
_VALID = datetime.timedelta(days=365)
# Allows for clocks that are set back, for example after a resume.
_BACKDATED = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Client:
    """A client of the API server; it gets a certificate and, with `kubeconfig`, a kubeconfig."""

    name: str
    common_name: str
    organization: str | None = None
    kubeconfig: bool = True


def _clients(node_name: str) -> list[Client]:
    return [
        Client("admin", "kubernetes-admin", "system:masters"),
        Client("kubelet", f"system:node:{node_name}", "system:nodes"),
        Client("controller-manager", "system:kube-controller-manager"),
        Client("scheduler", "system:kube-scheduler"),
        Client("proxy", "system:kube-proxy"),
        Client("coredns", "system:coredns"),
        Client("apiserver-kubelet", "kube-apiserver-kubelet-client", "system:masters", kubeconfig=False),
        Client("front-proxy", "front-proxy-client", kubeconfig=False),
    ]


class Authority:
    """A certificate authority that writes its files to a folder."""

    def __init__(self, folder: Path, valid: datetime.timedelta = _VALID) -> None:
        self._folder = folder
        self._begin = datetime.datetime.now(datetime.UTC)
        self._valid = valid
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gpu-inference-cluster")])
        certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(digital_signature=True, authority=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        _write_pair(folder / "ca", certificate, self._key)

    def issue(
        self,
        file_name: str,
        common_name: str,
        *,
        organization: str | None = None,
        server_names: list[str] | None = None,
        server_addresses: list[IPv4Address] | None = None,
    ) -> None:
        """Write `file_name`.crt and .key: for a server if names or addresses are given, else for a client."""
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        if organization:
            attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in server_names or []]
        names += [x509.IPAddress(address) for address in server_addresses or []]
        usage = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(x509.Name(attributes), key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True, authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        _write_pair(self._folder / file_name, builder.sign(self._key, hashes.SHA256()), key)

    def _builder(self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._begin - _BACKDATED)
            .not_valid_after(self._begin + self._valid)
        )


def create(folder: Path, node_name: str, node: IPv4Address, api_service: IPv4Address) -> None:
    """Write the files of all components to `folder`; private files have mode 0600."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = Authority(folder)
    loopback = ipaddress.IPv4Address("127.0.0.1")
    service = "kubernetes.default.svc"
    authority.issue(
        "apiserver",
        "kube-apiserver",
        server_names=["kubernetes", "kubernetes.default", service, f"{service}.cluster.local", "localhost"],
        server_addresses=[api_service, node, loopback],
    )
    authority.issue("kubelet-server", node_name, server_names=[node_name], server_addresses=[node, loopback])
    for client in _clients(node_name):
        authority.issue(client.name, client.common_name, organization=client.organization)
        if client.kubeconfig:
            write_kubeconfig(folder, client.name, node_name, f"https://{node}:6443")
    service_accounts = ec.generate_private_key(ec.SECP256R1())
    _write_private(folder / "service-accounts.key", _key_bytes(service_accounts))
    (folder / "service-accounts.pub").write_bytes(
        service_accounts.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def write_kubeconfig(folder: Path, client: str, cluster: str, server: str) -> None:
    """Write `client`.kubeconfig; it contains the certificates, so it can be copied to another folder."""

    def encoded(file: str) -> str:
        return base64.b64encode((folder / file).read_bytes()).decode()

    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster,
                "cluster": {
                    "server": server,
                    "certificate-authority-data": encoded("ca.crt"),
                    "extensions": [mark("embedded", cluster)],
                },
            }
        ],
        "users": [
            {
                "name": cluster,
                "user": {
                    "client-certificate-data": encoded(f"{client}.crt"),
                    "client-key-data": encoded(f"{client}.key"),
                },
            }
        ],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
        "current-context": cluster,
    }
    _write_private(folder / f"{client}.kubeconfig", yaml.safe_dump(kubeconfig, sort_keys=False).encode())


def valid_for(certificate: Path) -> datetime.timedelta:
    """Return the remaining validity of a certificate; negative if it has expired."""
    parsed = x509.load_pem_x509_certificate(certificate.read_bytes())
    return parsed.not_valid_after_utc - datetime.datetime.now(datetime.UTC)


def _key_usage(*, digital_signature: bool, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_pair(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    path.with_name(path.name + ".crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    _write_private(path.with_name(path.name + ".key"), _key_bytes(key))


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
