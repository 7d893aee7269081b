"""Installs KEDA, which the chart's autoscaler needs by default.

The embedded cluster gets a KEDA that is compiled from its Go module, like the other programs of that cluster.
On other clusters nothing is installed; the error gives the command that installs KEDA.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from gpu_inference import clients
from gpu_inference.cluster import Cluster
from gpu_inference.errors import GpuInferenceError
from gpu_inference.process import run
from gpu_inference.progress import Progress, Silent
from gpu_inference_testing import versions
from gpu_inference_testing.archive import ArchivedImage, write_archive
from gpu_inference_testing.toolchain.go_command import find_go, module_folder
from gpu_inference_testing.toolchain.programs import KEDA, build

_MODULE = "github.com/kedacore/keda/v2"
_NAMESPACE = "keda"
_IMAGE = f"localhost/gpu-inference-keda:{versions.KEDA}"
# KEDA's own images run as this user.
_USER = "1000:1000"
# Names of the programs in the image, and of the compiled files.
_PROGRAMS = {"keda": "operator", "keda-adapter": "adapter"}
# Admission webhooks would need a third program, and only find errors that the chart cannot make.
_WEBHOOKS = ("keda-admission", "keda-admission-webhooks")
_READY_SECONDS = 300


def install(cluster: Cluster, progress: Progress | None = None) -> None:
    """Install KEDA in a cluster unless it is there; return when it serves metrics.

    Args:
        cluster: a running cluster, or one that `up` can start.
        progress: receives the steps. Default: they are not shown.

    Raises:
        GpuInferenceError: the cluster is not embedded and has no KEDA, or the build or the start fails.
    """
    progress = progress or Silent()
    kubeconfig = cluster.up()
    kubectl = _Kubectl(kubeconfig, progress)
    if not kubectl.has_scaled_objects():
        if cluster.status().provider != "embedded":
            raise GpuInferenceError(
                "This cluster has no KEDA, and this command installs it only in embedded clusters.",
                "helm install keda keda --repo https://kedacore.github.io/charts --namespace keda"
                " --create-namespace",
            )
        (programs,) = build((KEDA,), progress)
        with tempfile.TemporaryDirectory(prefix="gpu-inference-keda-") as folder:
            archive = Path(folder, "image.tar")
            write_archive(
                archive,
                _IMAGE,
                {name: programs / file for name, file in _PROGRAMS.items()},
                user=_USER,
            )
            cluster.load_image(ArchivedImage(archive))
            with progress.step(f"Installing KEDA {versions.KEDA}"):
                kubectl.apply(_manifests(kubectl, Path(folder)))
    with progress.step("Waiting until KEDA serves metrics"):
        kubectl.wait_until_metrics_are_served()


def _manifests(kubectl: "_Kubectl", folder: Path) -> str:
    """Return KEDA's manifests, with our image instead of KEDA's."""
    go = find_go()
    # Otherwise `build` has raised an error.
    assert go is not None
    # A copy, because kustomize follows no links out of the folder and the module's folder is read-only.
    configuration = folder / "config"
    shutil.copytree(module_folder(go, KEDA.sources, _MODULE) / "config", configuration)
    manifests = kubectl.kustomize(configuration / "default")
    return yaml.safe_dump_all(_adapted(yaml.safe_load_all(manifests)))


def _adapted(manifests: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for manifest in manifests:
        if manifest["metadata"]["name"] in _WEBHOOKS:
            continue
        if manifest["kind"] == "Deployment":
            for container in manifest["spec"]["template"]["spec"]["containers"]:
                container["image"] = _IMAGE
                container["imagePullPolicy"] = "Never"
                # KEDA's default is to wait 20 s.
                container["readinessProbe"] |= {"initialDelaySeconds": 1, "periodSeconds": 1}
        yield manifest


class _Kubectl:
    """kubectl, for one cluster."""

    def __init__(self, kubeconfig: Path, progress: Progress) -> None:
        self._program = clients.kubectl(progress)
        self._kubeconfig = kubeconfig

    def has_scaled_objects(self) -> bool:
        found = self._run("get", "crd", "scaledobjects.keda.sh", "--ignore-not-found", "--output=name")
        return bool(found.strip())

    def kustomize(self, folder: Path) -> str:
        return run([self._program, "kustomize", folder])

    def apply(self, manifests: str) -> None:
        # The ScaledJob's schema is too long for the annotation of a client-side apply.
        self._run("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=manifests)

    def wait_until_metrics_are_served(self) -> None:
        for what in ("deployments --all", "apiservice v1beta1.external.metrics.k8s.io"):
            self._run(
                *("wait", "--for=condition=Available", *what.split()),
                *(f"--namespace={_NAMESPACE}", f"--timeout={_READY_SECONDS}s"),
            )

    def _run(self, *arguments: str, stdin: str | None = None) -> str:
        return run([self._program, f"--kubeconfig={self._kubeconfig}", *arguments], stdin=stdin)
