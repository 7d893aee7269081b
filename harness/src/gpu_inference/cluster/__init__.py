"""Clusters to run services in: one that this package brings up itself, kind, or any that the user has.

`open_cluster` gives one by its provider's name; `base.Cluster` says what each can do.
"""

from pathlib import Path
from typing import Literal

from gpu_inference.cluster.base import Cluster, ClusterStatus, LocalImage
from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Progress

__all__ = ["DEFAULT_NAME", "Cluster", "ClusterStatus", "LocalImage", "Provider", "open_cluster"]

DEFAULT_NAME = "gpu-inference"
Provider = Literal["embedded", "kind", "kubeconfig"]


def open_cluster(
    provider: Provider = "embedded",
    name: str = DEFAULT_NAME,
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    simulate_gpus: bool = False,
    cpu_overcommit: bool | None = None,
    address_range: str | None = None,
    progress: Progress | None = None,
) -> Cluster:
    """Return a cluster, which need not be up; nothing is changed yet.

    Args:
        provider: `embedded` (made here), `kind` (made by kind, needs Docker), `kubeconfig` (the user's own).
        name: which one, for `embedded` and `kind`.
        kubeconfig: for `kubeconfig`: the file; otherwise found as `locate.find_kubeconfig` says.
        context: for `kubeconfig`: the context in it; otherwise its current one.
        simulate_gpus: for `kubeconfig`: allow `set_gpus` on a cluster that is not only for tests.
        cpu_overcommit: for `embedded`: lower the CPU requests of new pods; None: as it is, for a new one yes.
        address_range: for `embedded`: a free block of IPv4 addresses; None: one is chosen.
        progress: who is told what happens; nobody unless given.

    Raises:
        GpuInferenceError: the name is not valid, or an option belongs to another provider.
    """
    _refuse_options_of_others(
        provider,
        {
            "kubeconfig": (kubeconfig, "kubeconfig"),
            "context": (context, "kubeconfig"),
            "simulate_gpus": (simulate_gpus or None, "kubeconfig"),
            "cpu_overcommit": (cpu_overcommit, "embedded"),
            "address_range": (address_range, "embedded"),
        },
    )
    # Each provider is imported only when it is asked for: the node's first process imports this package too,
    # and has no use for them.
    match provider:
        case "embedded":
            from gpu_inference.cluster.embedded.cluster import EmbeddedCluster

            return EmbeddedCluster(
                name, cpu_overcommit=cpu_overcommit, address_range=address_range, progress=progress
            )
        case "kind":
            from gpu_inference.cluster.kind import KindCluster

            return KindCluster(name, progress=progress)
        case "kubeconfig":
            from gpu_inference.cluster.kubeconfig import ExistingCluster

            return ExistingCluster(kubeconfig, context, simulate_gpus=simulate_gpus)
        case _:
            raise GpuInferenceError(
                f"There is no cluster provider {provider!r}.", "Use embedded, kind or kubeconfig."
            )


def _refuse_options_of_others(provider: str, options: dict[str, tuple[object, str]]) -> None:
    for option, (value, owner) in options.items():
        if value is not None and owner != provider:
            raise GpuInferenceError(
                f"The option {option} belongs to the provider {owner!r}, not to {provider!r}.",
                "Leave it out.",
            )
