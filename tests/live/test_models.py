"""Models and code from every source there is, each read by a script in a pod, in v1's layout."""

import contextlib
import hashlib
import io
import json
import tarfile
import time
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config
from tests.live.conftest import NO_DRAIN
from tests.live.kubernetes_objects import pods_of, read_deployment

from gpu_inference import clients
from gpu_inference.cluster import Cluster
from gpu_inference.errors import GpuInferenceError
from gpu_inference.helm import Helm
from gpu_inference.progress import Progress
from gpu_inference.service import Service
from gpu_inference_testing.archive import ArchivedImage, write_archive

PATIENCE = 240
VALUES: dict[str, Any] = {
    "deployment": {"gpu_cores": 0, "num_replicas": 1, "period_seconds": 1},
    **NO_DRAIN,
}
# Answers what it finds, the way that scripts of v1 look for it.
SCRIPT = """
import json
import os
from pathlib import Path

from azureml.core.model import Model

def init():
    global answer
    folder = Path(os.environ["AZUREML_MODEL_DIR"])
    path = Path(Model.get_model_path("net"))
    files = [path] if path.is_file() else [each for each in sorted(path.rglob("*")) if each.is_file()]
    answer = {
        "model_dir": str(folder),
        "entries": sorted(os.listdir(folder)),
        "files": {str(file.relative_to(folder)): file.read_text() for file in files},
        "source": sorted(os.listdir(os.path.dirname(__file__))),
        "writable": os.access(path, os.W_OK),
    }

def run(data):
    return answer
"""
FILES = {"model/graph.meta": "a graph", "model/weights/0.index": "some weights"}
# Drops the first answer half-way; wants a header; knows parts.
FILE_SERVER = """
import http.server, re, sys

dropped = set()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("X-Token") != "for-tests-only":
            return self.send_error(401)
        with open("/served" + self.path.partition("?")[0], "rb") as file:
            content = file.read()
        start = int(re.sub("[^0-9]", "", self.headers.get("Range", "0")))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content) if self.path in dropped else len(content) // 2
        dropped.add(self.path)
        self.wfile.write(content[start:end])

http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""


pytestmark = pytest.mark.usefixtures("runtime_image_in_cluster")


@pytest.fixture(scope="module")
def core(kubeconfig: Path) -> Any:
    return client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))


class Deployer:
    """Installs and upgrades services in the tests' namespace."""

    def __init__(self, helm: Helm, chart: Path, namespace: str, kubeconfig: Path) -> None:
        self._helm = helm
        self._chart = chart
        self.namespace = namespace
        self._kubeconfig = kubeconfig

    def upgrade(self, name: str, values: Mapping[str, Any]) -> Service:
        given = {key: {**VALUES.get(key, {}), **value} for key, value in values.items() if key in VALUES}
        self._helm.upgrade(name, self._chart, {**VALUES, **values, **given}, namespace=self.namespace)
        return Service(name, namespace=self.namespace, kubeconfig=self._kubeconfig)

    @contextlib.contextmanager
    def serving(self, name: str, values: Mapping[str, Any]) -> Iterator[Service]:
        service = self.upgrade(name, values)
        try:
            service.wait_for_deployment(show_output=True, timeout_sec=PATIENCE)
            yield service
        finally:
            service.delete()
            service.close()


@pytest.fixture(scope="module")
def deployer(chart: Path, namespace: str, kubeconfig: Path) -> Deployer:
    helm = Helm(clients.helm(4, Progress()), kubeconfig=kubeconfig)
    return Deployer(helm, chart, namespace, kubeconfig)


def restricted_pod(
    name: str, image: str, script: str, volumes: list[dict[str, Any]], at: str
) -> dict[str, Any]:
    """Return a pod that runs a Python script with a volume."""
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "command": ["/opt/gpu-inference/bin/python", "-c", script],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "volume", "mountPath": at}],
                }
            ],
            "volumes": volumes,
        },
    }


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def wait_for_phase(core: Any, namespace: str, name: str, phase: str) -> None:
    wait_until(lambda: core.read_namespaced_pod(name, namespace).status.phase == phase)


def answer(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = service.run("{}")
    return found


def expect_model(found: Mapping[str, Any], version: int, *, entry: str = "model") -> None:
    """Fail unless the script saw the model as v1 laid it out: one entry in the version's folder."""
    assert found["model_dir"] == f"/var/azureml-app/azureml-models/net/{version}"
    assert found["entries"] == [entry]
    files = {name.replace("model", entry, 1): text for name, text in FILES.items()}
    assert found["files"] == files
    assert not found["writable"]


def data_image(cluster: Cluster, folder: Path, reference: str, files: Mapping[str, str]) -> str:
    """Bring an image that holds these files and nothing else into the cluster."""
    sources = {}
    for number, (name, text) in enumerate(files.items()):
        sources[name] = folder / f"{number}"
        sources[name].write_text(text)
    write_archive(folder / "image.tar", reference, sources, user="65535:65535")
    image = ArchivedImage(folder / "image.tar")
    cluster.load_image(image)
    return image.reference


def test_model_and_code_from_images(
    cluster: Cluster, deployer: Deployer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folders = [tmp_path_factory.mktemp("image") for _ in range(3)]
    model = data_image(cluster, folders[0], "team/net-model:1", {**FILES, "README": "not a model"})
    code = data_image(cluster, folders[1], "team/net-code:1", {"score.py": SCRIPT, "helper.py": ""})
    values = {
        "models": [{"name": "net", "version": 4, "image": {"reference": model, "subPath": "model"}}],
        "inference": {"entryScript": "score.py", "image": {"reference": code}},
    }
    with deployer.serving("images", values) as service:
        expect_model(answer(service), 4)
        assert {"score.py", "helper.py"} <= set(answer(service)["source"])

        # An image with a single file is the version's folder itself.
        single = data_image(cluster, folders[2], "team/net-model:2", {"net.pkl": "pickled"})
        values["models"] = [{"name": "net", "version": 5, "image": {"reference": single}}]
        deployer.upgrade("images", values).close()
        service.wait_for_deployment(show_output=True, timeout_sec=PATIENCE)
        wait_until(lambda: answer(service)["files"] == {"net.pkl": "pickled"})
        assert answer(service)["entries"] == ["net.pkl"]


@pytest.fixture
def claim(core: Any, namespace: str, runtime_image_in_cluster: str) -> str:
    """A claim with a model, the code, and what a volume's root holds besides."""
    core.create_namespaced_persistent_volume_claim(
        namespace,
        {
            "metadata": {"name": "models"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
        },
    )
    content = {f"net/1/{name}": text for name, text in FILES.items()}
    content |= {"lost+found/inode": "", "net/1/beside": "", "code/src/score.py": SCRIPT}
    script = (
        "import pathlib\n"
        f"for name, text in {content!r}.items():\n"
        "    path = pathlib.Path('/volume', name)\n"
        "    path.parent.mkdir(parents=True, exist_ok=True)\n"
        "    path.write_text(text)\n"
    )
    volumes = [{"name": "volume", "persistentVolumeClaim": {"claimName": "models"}}]
    core.create_namespaced_pod(
        namespace, restricted_pod("fill", runtime_image_in_cluster, script, volumes, "/volume")
    )
    wait_for_phase(core, namespace, "fill", "Succeeded")
    core.delete_namespaced_pod("fill", namespace)
    return "models"


def test_model_and_code_from_a_claim_mounted_then_copied(deployer: Deployer, claim: str) -> None:
    source = {"claimName": claim, "accessMode": "ReadWriteOnce", "singleNode": True}
    values = {
        "deployment": {"num_replicas": 2},
        "models": [{"name": "net", "persistentVolumeClaim": {**source, "subPath": "net/1/model"}}],
        "inference": {
            "entryScript": "score.py",
            "persistentVolumeClaim": {**source, "subPath": "code/src"},
        },
    }
    with deployer.serving("claim", values) as service:
        expect_model(answer(service), 1)
        assert "Copied" not in service.get_logs(init=True)

        copied = {**values, "deployment": {"num_replicas": 2, "blobfuse_enabled": False}}
        deployer.upgrade("claim", copied).close()
        service.wait_for_deployment(show_output=True, timeout_sec=PATIENCE)
        expect_model(answer(service), 1)
        assert service.get_logs(init=True).count("Copied Model net, version 1,: 19 bytes in ") == 2


def tar(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def zipped(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


SERVED = {"net.tar.gz": tar(FILES), "code.zip": zipped({"score.py": SCRIPT, "helper.py": ""})}


@pytest.fixture(scope="module")
def file_server(core: Any, namespace: str, runtime_image_in_cluster: str) -> str:
    """A server in the cluster that drops the first download of each file half-way; the Secret for it."""
    data = {name: b64encode(content).decode() for name, content in SERVED.items()}
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "served"}, "binaryData": data})
    volumes = [{"name": "volume", "configMap": {"name": "served"}}]
    core.create_namespaced_pod(
        namespace, restricted_pod("files", runtime_image_in_cluster, FILE_SERVER, volumes, "/served")
    )
    core.create_namespaced_service(
        namespace,
        {"metadata": {"name": "files"}, "spec": {"selector": {"app": "files"}, "ports": [{"port": 8080}]}},
    )
    secret = {"metadata": {"name": "files-token"}, "stringData": {"headers": "X-Token: for-tests-only"}}
    core.create_namespaced_secret(namespace, secret)
    wait_for_phase(core, namespace, "files", "Running")
    return "files-token"


def download(file: str, secret: str, **more: Any) -> dict[str, Any]:
    return {
        "url": f"http://files:8080/{file}?version=1",
        "existingSecret": secret,
        "sha256": hashlib.sha256(SERVED[file]).hexdigest(),
        "archive": "zip" if file.endswith(".zip") else "tar",
        "timeoutSeconds": PATIENCE,
        **more,
    }


def test_model_and_code_from_a_url_that_breaks_half_way(deployer: Deployer, file_server: str) -> None:
    values = {
        "models": [{"name": "net", "version": 12, "download": download("net.tar.gz", file_server)}],
        "inference": {"entryScript": "score.py", "download": download("code.zip", file_server)},
    }
    with deployer.serving("urls", values) as service:
        expect_model(answer(service), 12)
        assert set(answer(service)["source"]) >= {"score.py", "helper.py"}
        log = service.get_logs(init=True)
        assert "Fetching Model net, version 12, from http://files:8080/net.tar.gz\n" in log
        assert "Fetching The code from http://files:8080/code.zip\n" in log
        assert log.count("resumed 1 times; its SHA-256 is") == 2
        assert "for-tests-only" not in log + json.dumps(service_spec(service))


def service_spec(service: Service) -> Any:
    return read_deployment(service).to_dict()["spec"]


def test_a_file_with_a_wrong_checksum_never_serves_and_says_so(deployer: Deployer, file_server: str) -> None:
    values = {
        "models": [{"name": "net", "download": download("net.tar.gz", file_server, sha256="0" * 64)}],
        "inference": {"entryScript": "score.py", "files": {"score.py": SCRIPT}},
    }
    service = deployer.upgrade("wrong", values)
    try:
        with pytest.raises(GpuInferenceError, match="current service state: Failed") as caught:
            service.wait_for_deployment(timeout_sec=PATIENCE)
        said = f"has the SHA-256 {hashlib.sha256(SERVED['net.tar.gz']).hexdigest()}, not {'0' * 64}"
        assert said in str(caught.value)
        assert "fetch-model-0" in str(caught.value)
        # The next try may have begun, and have said nothing yet.
        wait_until(lambda: said in service.get_logs(init=True))
        assert not read_deployment(service).status.ready_replicas
        (pod,) = pods_of(service)
        assert not any(status.started for status in pod.status.container_statuses)
    finally:
        service.delete()
        service.close()


def test_a_model_from_a_config_map_and_code_from_the_values(
    deployer: Deployer, core: Any, namespace: str
) -> None:
    data = {"graph.meta": FILES["model/graph.meta"], "other": "not wanted"}
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "small-model"}, "data": data})
    files = {"score.py": SCRIPT, "package/helper.py": "GREETING = 'hello'\n"}
    values = {
        "models": [{"name": "net", "configMap": {"name": "small-model", "keys": ["graph.meta"]}}],
        "inference": {"entryScript": "score.py", "files": files},
    }
    with deployer.serving("small", values) as service:
        found = answer(service)
        assert found["model_dir"] == "/var/azureml-app/azureml-models/net/1"
        assert found["files"] == {"graph.meta": "a graph"}
        assert found["entries"] == ["graph.meta"]
        assert found["source"] == ["package", "score.py"]

        changed = (
            "from package.helper import GREETING\n\ndef init(): pass\n\ndef run(data): return GREETING\n"
        )
        inference = {"entryScript": "score.py", "files": {**files, "score.py": changed}}
        deployer.upgrade("small", {**values, "inference": inference}).close()
        service.wait_for_deployment(show_output=True, timeout_sec=PATIENCE)
        # The replaced pod may still answer on a connection that it has.
        wait_until(lambda: service.run("{}") == "hello")


def test_a_config_map_of_the_users_own_holds_the_code(deployer: Deployer, core: Any, namespace: str) -> None:
    data = {"score.py": "from helper import GREETING\n\ndef init(): pass\n\ndef run(data): return GREETING\n"}
    data["helper.py"] = "GREETING = 'hello from a ConfigMap'\n"
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "my-code"}, "data": data})
    inference = {
        "entryScript": "score.py",
        "sourceDirectory": "my-source",
        "configMap": {"name": "my-code", "keys": list(data)},
    }
    with deployer.serving("own-code", {"inference": inference}) as service:
        assert service.run("{}") == "hello from a ConfigMap"
