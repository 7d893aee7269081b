"""Deploys a service: everything is checked first, then built, brought to the cluster, and installed."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gpu_inference.cluster import Cluster, KubeconfigCluster, cluster_of, find_kubeconfig
from gpu_inference.errors import GpuInferenceError
from gpu_inference.helm import Helm
from gpu_inference.image import (
    BuiltImage,
    Framework,
    Model,
    ServiceSource,
    find_engine,
    runtime_image,
    service_image,
)
from gpu_inference.names import require_service_name
from gpu_inference.progress import Progress, Silent
from gpu_inference.resources import chart_directory
from gpu_inference.service.pool import with_nodes_looked_at
from gpu_inference.service.service import Service
from gpu_inference.value_files import merged

_REFERENCE = re.compile(
    r"(?P<repository>(?:[^\s/@]+/)*[^\s/:@]+)(?::(?P<tag>[^\s/:@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def deploy(
    name: str,
    *,
    source_directory: Path | None = None,
    entry_script: str | None = None,
    models: Sequence[Model] = (),
    values: Mapping[str, Any] | None = None,
    namespace: str = "default",
    cluster: Cluster | None = None,
    kubeconfig: Path | None = None,
    context: str | None = None,
    framework: Framework = "none",
    base_image: str | None = None,
    image: str | None = None,
    push: str | None = None,
    overwrite: bool = False,
    helm: Path | None = None,
    progress: Progress | None = None,
) -> Service:
    """Deploy a service and return it at once; `Service.wait_for_deployment` waits until it serves.

    Args:
        name: the service's name, by v1's rule.
        source_directory: folder with the entry script; all of it goes into the service's image.
        entry_script: the script's path relative to it.
        models: what the script finds under AZUREML_MODEL_DIR.
        values: the chart's values; the image's are set here.
        namespace: where; made if need be.
        cluster: a cluster that images of this machine can be loaded into.
        kubeconfig: any cluster, unless `cluster` is given; what `find_kubeconfig` finds if neither is.
        context: the kubeconfig's context; its current one unless given.
        framework: what the runtime image holds beside the server.
        base_image: what the runtime image is built on; see `runtime_image`.
        image: an image that the cluster can pull, instead of a source folder, script and models.
        push: registry and repository to push the image to, for a cluster that it cannot be loaded into.
        overwrite: whether a service of this name is replaced.
        helm: the Helm to use; see `Helm`.
        progress: where to say what is done.

    Raises:
        GpuInferenceError: something given is wrong, or the image cannot be brought to the cluster (nothing
            has been changed then); or a build, the load, the push or Helm fails.
    """
    progress = progress or Silent()
    require_service_name(name)
    source = _source(name, source_directory, entry_script, models, image, push)
    client = Helm(helm, progress=progress)
    given = dict(values or {})
    wanted = f"gpu-inference-{name}:checked-before-it-is-built" if image is None else image
    rendered = client.template(name, chart_directory(), _with_image(given, wanted), namespace=namespace)

    if cluster is not None and kubeconfig is None:
        kubeconfig = cluster.up()
    found = find_kubeconfig(kubeconfig, context)
    target = _loadable(cluster, found, context, progress) if source and not push else None
    if source and not push and target is None:
        raise GpuInferenceError(
            f"The cluster of {found} cannot take images from this machine.",
            "Name a registry that it pulls from with --push REGISTRY/REPOSITORY, or an image with "
            "--image IMAGE.",
        )
    service = Service(name, namespace=namespace, kubeconfig=found, context=context, helm=helm)
    if not overwrite and service.exists():
        raise GpuInferenceError(
            f"Error, there is already a service with name {name} found in namespace {namespace}.",
            "Change its values with `gpu-inference update`, or replace it with --overwrite.",
        )
    given = with_nodes_looked_at(given, rendered, found, context, progress)
    if source is not None:
        wanted = _bring(_build(source, framework, base_image, progress), target, push, progress)
    with progress.step(f"Release {name} in namespace {namespace}"):
        Helm(client.program, kubeconfig=found, context=context).upgrade(
            name, chart_directory(), _with_image(given, wanted), namespace=namespace
        )
    return service


def _source(
    name: str,
    source_directory: Path | None,
    entry_script: str | None,
    models: Sequence[Model],
    image: str | None,
    push: str | None,
) -> ServiceSource | None:
    """Return the user's source, checked, or None where an image is given instead."""
    if image is not None:
        if source_directory or entry_script or models or push:
            raise GpuInferenceError(
                "An image is given, and a source folder, script, models or registry as well.",
                "The image must already hold the script and the models: give either it or them.",
            )
        return None
    if source_directory is None or entry_script is None:
        raise GpuInferenceError(
            "A service needs a source folder and an entry script, or an image that holds them.",
            "Give --source FOLDER --entry-script SCRIPT, or --image IMAGE.",
        )
    return ServiceSource(name, source_directory, entry_script, models)


def _build(
    source: ServiceSource, framework: Framework, base_image: str | None, progress: Progress
) -> BuiltImage:
    base = runtime_image(framework, base_image=base_image, engine=find_engine(), progress=progress)
    return service_image(
        source.name, source.source_directory, source.entry_script, source.models, base, progress=progress
    )


def _bring(built: BuiltImage, target: Cluster | None, push: str | None, progress: Progress) -> str:
    """Bring an image to where the cluster finds it; return the name to find it by."""
    if target is not None:
        target.load_image(built)
        return built.reference
    destination = f"{push}:{built.reference.rpartition(':')[2]}"
    with progress.step(f"Image to {destination}"):
        built.push(destination)
    return destination


def _loadable(
    cluster: Cluster | None, kubeconfig: Path, context: str | None, progress: Progress
) -> Cluster | None:
    """Return the cluster if images can be loaded into it: a provider made it, and says so."""
    if cluster is not None and not isinstance(cluster, KubeconfigCluster):
        return cluster
    return cluster_of(kubeconfig, context, progress=progress)


def _with_image(values: Mapping[str, Any], reference: str) -> dict[str, Any]:
    parts = _REFERENCE.fullmatch(reference)
    if parts is None:
        raise GpuInferenceError(
            f"{reference!r} is not the name of an image.", "Write it like registry/repository:tag"
        )
    named = {key: value for key, value in parts.groupdict().items() if value}
    return merged(values, {"image": named})
