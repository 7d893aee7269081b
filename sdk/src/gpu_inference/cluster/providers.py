"""Finds cluster providers by the entry points of installed distributions.

Only the requested provider is imported. A provider records its name in the kubeconfigs that it writes, in an
extension of the cluster entry (as minikube does), so that other kubeconfigs need no import of a provider.
"""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import yaml

from gpu_inference.cluster.base import Cluster, Provider
from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Progress

GROUP = "gpu_inference.clusters"
"""Group of the entry points; each one refers to a `Provider`."""

INSTALL_HARNESS = "pip install gpu-inference-testing (from a checkout: pip install ./harness)"


def provider_names() -> list[str]:
    """Return the names of the installed providers, sorted."""
    return sorted(_entries())


def open_cluster(
    provider: str, name: str | None = None, *, progress: Progress | None = None, **options: Any
) -> Cluster:
    """Return a cluster, whether or not it is running; change nothing.

    Args:
        provider: `kubeconfig` (an existing cluster), or with gpu-inference-testing installed `embedded` (a
            Kubernetes on this machine) or `kind` (created by kind, in Docker).
        name: which of the provider's clusters. Default: the provider's default.
        progress: receives the steps of long operations. Default: they are not shown.
        options: further keyword arguments of the provider's class; None means not given.

    Raises:
        GpuInferenceError: there is no such provider, the name is invalid, or an option belongs to another
            provider.

    Example:
        cluster = open_cluster("embedded", "gpu-tests", address_range="10.77.0.0/16")
        kubeconfig = cluster.up()
        cluster.down()
    """
    chosen = _provider(provider)
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in chosen.options:
            owners = [other for other in provider_names() if option in _provider(other).options]
            owner = f"the provider {owners[0]!r}" if owners else "no provider"
            raise GpuInferenceError(
                f"The option {option} belongs to {owner}, not to {provider!r}.", "Leave it out."
            )
    named = {} if name is None else {"name": name}
    return chosen(progress=progress, **named, **given)


def cluster_of(
    kubeconfig: Path, context: str | None = None, *, progress: Progress | None = None
) -> Cluster | None:
    """Return the running cluster that a provider created and this kubeconfig connects to, or None.

    A kubeconfig that no provider wrote causes no import of a provider.
    """
    for extension in cluster_entry(kubeconfig, context).get("extensions") or []:
        match extension:
            case {"name": "gpu-inference", "extension": {"provider": str(provider), "name": str(name)}}:
                if provider not in _entries():
                    return None
                cluster = open_cluster(provider, name, progress=progress)
                return cluster if cluster.owns(kubeconfig, context) else None
    return None


def mark(provider: str, name: str) -> dict[str, Any]:
    """Return the item that a provider adds to `extensions` of the cluster entry in its kubeconfigs."""
    return {"name": "gpu-inference", "extension": {"provider": provider, "name": name}}


def cluster_entry(kubeconfig: Path, context: str | None = None) -> dict[str, Any]:
    """Return the cluster entry of a kubeconfig's context (the current one by default).

    The result is empty if the file is unreadable or has no such entry; connecting with it reports the error.
    """
    try:
        content = yaml.safe_load(kubeconfig.read_text())
        contexts = {each["name"]: each["context"] for each in content["contexts"]}
        clusters = {each["name"]: each["cluster"] for each in content["clusters"]}
        entry = clusters[contexts[context or content["current-context"]]["cluster"]]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return {}
    return dict(entry) if isinstance(entry, Mapping) else {}


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _provider(name: str) -> Provider:
    entries = _entries()
    if name not in entries:
        raise GpuInferenceError(
            f"There is no cluster provider {name!r}. Available providers: {', '.join(sorted(entries))}.",
            f"Install the providers embedded and kind: {INSTALL_HARNESS}",
        )
    provider: Provider = entries[name].load()
    return provider
