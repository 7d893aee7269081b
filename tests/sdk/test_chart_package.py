"""The chart's package, signed and unsigned, and the list of its images; all with the real Helm."""

import os
import subprocess
from pathlib import Path

import pytest

from gpu_inference import __version__, clients
from gpu_inference.cli import main
from gpu_inference.progress import Silent

KEY = "Chart Tests <chart-tests@example.com>"


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PGP key of the tests' own, as gpg hands it out."""
    home = tmp_path_factory.mktemp("gnupg", numbered=True)
    home.chmod(0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", ""]
    try:
        subprocess.run([*gpg, "--quick-generate-key", KEY, "rsa2048", "sign", "1d"], check=True)
        exported = home / "secret.gpg"
        subprocess.run([*gpg, "--output", str(exported), "--export-secret-keys"], check=True)
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    return exported


def test_the_package_carries_the_charts_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chart", "package", "--destination", str(tmp_path / "new")]) == 0
    (package,) = (tmp_path / "new").iterdir()
    assert package.name == f"gpu-inference-{__version__}.tgz"
    assert capsys.readouterr().out == f"{os.path.relpath(package)}\n"


def test_with_a_key_the_package_has_provenance_that_helm_verifies(keyring: Path, tmp_path: Path) -> None:
    options = ["--sign-key", "Chart Tests", "--keyring", str(keyring)]
    assert main(["chart", "package", "--destination", str(tmp_path), *options]) == 0
    package = tmp_path / f"gpu-inference-{__version__}.tgz"
    helm = str(clients.helm(4, Silent()))
    verify = [helm, "verify", str(package), "--keyring", str(keyring)]
    assert "Chart Hash Verified" in subprocess.run(verify, check=True, capture_output=True, text=True).stdout
    package.write_bytes(package.read_bytes() + b"\0")
    assert subprocess.run(verify, capture_output=True).returncode != 0


def test_a_key_that_is_not_in_the_keyring_is_named_and_nothing_is_signed(
    keyring: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--sign-key", "Somebody Else", "--keyring", str(keyring)]
    assert main(["chart", "package", "--destination", str(tmp_path), *options]) == 1
    assert "Somebody Else" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.prov"))


def test_a_keyring_without_a_key_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chart", "package", "--keyring", "some.gpg"]) == 1
    assert "--sign-key" in capsys.readouterr().err


def test_a_bare_render_names_the_runtime_image_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chart", "images"]) == 0
    assert capsys.readouterr().out == f"gpu-inference-runtime:{__version__}\n"


def test_images_follow_the_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("image: {repository: team/digits, tag: '7'}\n")
    assert main(["chart", "images", "--values", str(values)]) == 0
    assert "team/digits:7" in capsys.readouterr().out.splitlines()
