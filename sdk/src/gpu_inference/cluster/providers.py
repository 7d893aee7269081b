"""Finds the providers of clusters among the installed distributions, by entry points.

Only the provider that is asked for is imported. A kubeconfig that a provider wrote names it, in an extension
of the cluster entry (as minikube's does), so that other kubeconfigs need no provider to be imported at all.
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
"""The entry points' group; each names a `Provider`."""

INSTALL_THE_HARNESS = "pip install gpu-inference-testing (from a checkout: pip install ./harness)"


def provider_names() -> list[str]:
    """Return the names of the installed providers, sorted."""
    return sorted(_entries())


def open_cluster(
    provider: str, name: str | None = None, *, progress: Progress | None = None, **options: Any
) -> Cluster:
    """Return a cluster, which need not be up; nothing is changed yet.

    `open_cluster("kubeconfig", kubeconfig=Path("dev.yaml")).status()` tells how a cluster of yours is.

    Args:
        provider: `kubeconfig` (a cluster that a kubeconfig leads to), or with gpu-inference-testing installed
            `embedded` (a Kubernetes on this machine) or `kind` (made by kind, in Docker).
        name: which of the provider's clusters; its default one unless given.
        progress: who is told what happens; nobody unless given.
        options: what the provider's class takes beside these; None is as good as not given.

    Raises:
        GpuInferenceError: there is no such provider, the name is not valid, or an option belongs to another
            provider.
    """
    chosen = _provider(provider)
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in chosen.options:
            owners = [other for other in provider_names() if option in _provider(other).options]
            whose = f"the provider {owners[0]!r}" if owners else "no provider"
            raise GpuInferenceError(
                f"The option {option} belongs to {whose}, not to {provider!r}.", "Leave it out."
            )
    named = {} if name is None else {"name": name}
    return chosen(progress=progress, **named, **given)


def cluster_of(
    kubeconfig: Path, context: str | None = None, *, progress: Progress | None = None
) -> Cluster | None:
    """Return the running cluster that a provider made and a kubeconfig leads to; None for any other cluster.

    A kubeconfig without a provider's mark imports no provider.
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
    """Return what a provider adds to the `extensions` of the cluster entry in a kubeconfig that it writes."""
    return {"name": "gpu-inference", "extension": {"provider": provider, "name": name}}


def cluster_entry(kubeconfig: Path, context: str | None = None) -> dict[str, Any]:
    """Return the cluster that a kubeconfig's context (the current one unless given) names.

    It is empty where the file cannot be read or has none: who uses the file then says what is wrong with it.
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
            f"There is no cluster provider {name!r} here, only: {', '.join(sorted(entries))}.",
            f"embedded and kind are in another distribution: {INSTALL_THE_HARNESS}",
        )
    provider: Provider = entries[name].load()
    return provider
