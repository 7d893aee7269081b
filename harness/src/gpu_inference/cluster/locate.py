"""Finds the cluster that a command means, without asking the user for what can be known."""

import os
from pathlib import Path

from gpu_inference.cluster import DEFAULT_NAME
from gpu_inference.cluster.embedded import processes
from gpu_inference.cluster.embedded.layout import StateFolder
from gpu_inference.errors import GpuInferenceError
from gpu_inference.paths import state_directory


def find_kubeconfig(explicit: Path | None = None, context: str | None = None) -> Path:
    """Return the kubeconfig to use: the given one, `$KUBECONFIG`, the embedded cluster's, `~/.kube/config`.

    A running embedded cluster (of the default name) comes before the user's own file, so that what is tried
    out never lands by accident on a cluster that others use; who names another context means the own file.

    Raises:
        GpuInferenceError: none of them exists, or the named file does not.
    """
    if explicit is not None:
        return _existing(explicit, "The kubeconfig")
    if variable := os.environ.get("KUBECONFIG"):
        files = [Path(file) for file in variable.split(os.pathsep) if file]
        if len(files) > 1:
            raise GpuInferenceError(
                f"KUBECONFIG names {len(files)} files, and one is needed here.",
                "Name one with --kubeconfig, or merge them: kubectl config view --flatten > FILE",
            )
        return _existing(files[0], "The file that KUBECONFIG names,")
    state = StateFolder(state_directory() / DEFAULT_NAME)
    if context in (None, DEFAULT_NAME) and processes.find(DEFAULT_NAME, state.root):
        return state.kubeconfig
    own = Path.home() / ".kube" / "config"
    if own.is_file():
        return own
    raise GpuInferenceError(
        "No cluster was found: no --kubeconfig, no KUBECONFIG, no embedded cluster, no ~/.kube/config.",
        "Bring one up on this machine: gpu-inference cluster up",
    )


def _existing(file: Path, what: str) -> Path:
    if not file.is_file():
        raise GpuInferenceError(f"{what} {file} does not exist.", "Check the path.")
    return file
