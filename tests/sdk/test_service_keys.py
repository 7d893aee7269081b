"""What can be said about keys without a cluster: which are meant, which can be used, where they lie."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.ports import free_ports
from tests.runtime.server_process import Server

from gpu_inference.cli import main
from gpu_inference.errors import GpuInferenceError
from gpu_inference.service import Service
from gpu_inference.service.key_rotation import accepts
from gpu_inference.service.keys import KeySecret, key_in, key_secret, new_key, parse_key, require_key

# Notes each call in a file: asking for a key must make none.
SCRIPT = """
from pathlib import Path
def init(): pass
def run(data):
    (Path(__file__).parents[1] / "called").touch()
    return data
"""


def deployment(*volumes: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "abc"}, "spec": {"template": {"spec": {"volumes": list(volumes)}}}}


def keys_volume(primary: str, secondary: str) -> dict[str, Any]:
    items = [{"key": primary, "path": "primaryKey"}, {"key": secondary, "path": "secondaryKey"}]
    return {"name": "keys", "secret": {"secretName": "mine", "items": items}}


@pytest.mark.parametrize("key", [None, ""])
def test_no_key_at_all_is_refused_in_the_sdks_words(kubeconfig: Path, key: Any) -> None:
    with pytest.raises(GpuInferenceError) as caught:
        Service("abc", kubeconfig=kubeconfig).regen_key(key)
    assert str(caught.value) == "Error, must specify which key with be regenerated: Primary, Secondary"


@pytest.mark.parametrize("key", ["first", "primaryKey", " primary"])
def test_another_key_is_refused_in_the_sdks_words(kubeconfig: Path, key: str) -> None:
    with pytest.raises(GpuInferenceError) as caught:
        Service("abc", kubeconfig=kubeconfig).regen_key(key)
    expected = f"Error, invalid value provided for key: {key}.\nValid options are: Primary, Secondary"
    assert str(caught.value) == expected


@pytest.mark.parametrize("key", ["Primary", "primary", "PRIMARY", "pRimary"])
def test_a_key_is_named_in_any_case(key: str) -> None:
    assert parse_key(key) == "primary"
    assert parse_key(key.lower().replace("primary", "Secondary")) == "secondary"


@pytest.mark.parametrize("text", ["", " ", "two words", "line\nend", "schlüssel", "tab\t", "nul\0"])
def test_a_key_that_clients_could_not_send_is_refused_and_not_repeated(kubeconfig: Path, text: str) -> None:
    with pytest.raises(GpuInferenceError, match="The key cannot be used") as caught:
        Service("abc", kubeconfig=kubeconfig).regen_key("primary", text)
    assert not text.strip() or text not in str(caught.value)


def test_keys_are_made_as_the_charts_job_makes_them() -> None:
    made = {new_key() for _ in range(50)}
    assert len(made) == 50
    assert all(len(key) == 32 and key.isalnum() and key.isascii() for key in made)
    assert all(require_key(key) == key for key in made)


def test_the_volume_of_the_pods_says_where_the_keys_lie() -> None:
    other = {"name": "tls", "secret": {"secretName": "tls", "items": [{"key": "a", "path": "primaryKey"}]}}
    found = key_secret(deployment({"name": "tmp", "emptyDir": {}}, other, keys_volume("api.key", "spare")))
    assert found == KeySecret("mine", primary="api.key", secondary="spare")
    assert found.name_of("secondary") == "spare"


def test_pods_that_read_no_keys_have_none() -> None:
    assert key_secret(deployment({"name": "tmp", "emptyDir": {}})) is None
    assert key_secret({"spec": {"template": {"spec": {}}}}) is None


@pytest.mark.parametrize("secret", [None, {}, {"data": None}, {"data": {"other": "eA=="}}])
def test_a_key_that_a_secret_lacks_is_empty(secret: dict[str, Any] | None) -> None:
    assert key_in(secret, "primaryKey") == ""


def test_white_space_around_a_key_does_not_count_as_in_the_server() -> None:
    assert key_in({"data": {"primaryKey": "IGtleQo="}}, "primaryKey") == "key"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "primaryKey").write_text("right")
    (tmp_path / "server").mkdir()
    settings = {"GPU_INFERENCE_FRONT_END": "azureml", "GPU_INFERENCE_KEYS_DIR": str(keys)}
    server = Server(tmp_path / "server", SCRIPT, (), settings)
    try:
        server.wait_ready()
        yield server
    finally:
        server.end()


def test_a_server_says_whether_it_accepts_a_key_and_the_script_is_not_asked(server: Server) -> None:
    address = f"127.0.0.1:{server.port}"
    assert accepts(address, "right") is True
    assert accepts(address, "wrong") is False
    called = server.folder / "called"
    assert not called.exists()
    # The note is taken where something is really scored.
    assert server.score("{}", Authorization="Bearer right").status_code == 200
    assert called.exists()


def test_nobody_listening_is_no_answer() -> None:
    assert accepts(f"127.0.0.1:{free_ports(1)[0]}", "right") is None


def test_the_command_takes_no_key_as_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["keys", "regenerate", "abc", "primary", "the-key-itself"])
    assert "Got unexpected extra argument" in capsys.readouterr().err


def test_the_command_names_a_key_file_that_cannot_be_read(
    tmp_path: Path, kubeconfig: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["keys", "regenerate", "abc", "primary", "--kubeconfig", str(kubeconfig), "--key-file"]
    assert main([*words, str(tmp_path / "gone")]) == 1
    assert "The file " in (said := capsys.readouterr().err)
    assert "gone cannot be read: No such file or directory." in said
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert main([*words, str(tmp_path / "binary")]) == 1
    assert "does not hold a key, but bytes that are not text" in capsys.readouterr().err


def test_a_key_file_that_is_empty_is_refused_before_the_cluster_is_asked(
    tmp_path: Path, kubeconfig: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "key").write_text("\n")
    words = ["keys", "regenerate", "abc", "primary", "--kubeconfig", str(kubeconfig)]
    assert main([*words, "--key-file", str(tmp_path / "key")]) == 1
    assert "The key cannot be used: it is empty" in capsys.readouterr().err


def test_a_cluster_that_does_not_answer_is_named(kubeconfig: Path) -> None:
    with pytest.raises(GpuInferenceError, match="does not answer"):
        Service("abc", kubeconfig=kubeconfig).regen_key("primary")
