"""Deploys a service: validates the input, builds the image, loads or pushes it, and installs the chart."""

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
from gpu_inference.service.pool import check_nodes
from gpu_inference.service.service import Service
from gpu_inference.value_files import merged

_IMAGE_REFERENCE = re.compile(
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
    """Deploy a service and return without waiting until it serves (see `Service.wait_for_deployment`).

    Args:
        name: the service's name: 3 to 32 lowercase letters, digits and dashes (v1's rule).
        source_directory: folder with the entry script; all of it is copied into the service's image.
        entry_script: the script's path relative to `source_directory`.
        models: models that the script finds under AZUREML_MODEL_DIR.
        values: values of the chart; `deploy` sets `image`.
        namespace: the service's namespace; created if it does not exist.
        cluster: a cluster that images can be loaded into from this machine.
        kubeconfig: the kubeconfig of any cluster, if `cluster` is not given. Default: see `find_kubeconfig`.
        context: the kubeconfig's context. Default: its current one.
        framework: the framework in the runtime image, one of `FRAMEWORKS`.
        base_image: the base of the runtime image; see `runtime_image`.
        image: an image that the cluster can pull, instead of `source_directory`, `entry_script` and `models`.
        push: registry and repository to push the image to, for a cluster that it cannot be loaded into.
        overwrite: whether to replace an existing service of this name.
        helm: the Helm to use; see `Helm`.
        progress: receives the steps. Default: they are not shown.

    Raises:
        GpuInferenceError: an argument is invalid or the cluster cannot get the image (nothing was changed
            then); building, loading or pushing the image fails; or Helm fails.

    Example:
        service = deploy(
            "mnist",
            source_directory=Path("source"),
            entry_script="score.py",
            models=[Model("mnist", Path("mnist.onnx"))],
            values={"deployment": {"num_replicas": 2}},
        )
        service.wait_for_deployment(show_output=True, timeout_sec=600)
        print(service.run('{"data": [[0, 1]]}'))
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
    target = _cluster_to_load_into(cluster, found, context, progress) if source and not push else None
    if source and not push and target is None:
        raise GpuInferenceError(
            f"Images of this machine cannot be loaded into the cluster of {found}.",
            "Give a registry that it pulls from with --push REGISTRY/REPOSITORY, or an image with "
            "--image IMAGE.",
        )
    service = Service(name, namespace=namespace, kubeconfig=found, context=context, helm=helm)
    if not overwrite and service.exists():
        raise GpuInferenceError(
            f"Error, there is already a service with name {name} found in namespace {namespace}.",
            "Change its values with `gpu-inference update`, or replace it with --overwrite.",
        )
    given = check_nodes(given, rendered, found, context, progress)
    if source is not None:
        wanted = _publish(_build(source, framework, base_image, progress), target, push, progress)
    with progress.step(f"Installing release {name} in namespace {namespace}"):
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
    """Return the validated source, or None if an image is given instead."""
    if image is not None:
        if source_directory or entry_script or models or push:
            raise GpuInferenceError(
                "An image is given together with a source folder, script, models or registry.",
                "The image must already contain the script and the models: give one or the other.",
            )
        return None
    if source_directory is None or entry_script is None:
        raise GpuInferenceError(
            "A service needs a source folder and an entry script, or an image that contains them.",
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


def _publish(built: BuiltImage, target: Cluster | None, push: str | None, progress: Progress) -> str:
    """Load the image into the cluster, or push it; return the name that pods pull it by."""
    if target is not None:
        target.load_image(built)
        return built.reference
    destination = f"{push}:{built.reference.rpartition(':')[2]}"
    with progress.step(f"Pushing the image to {destination}"):
        built.push(destination)
    return destination


def _cluster_to_load_into(
    cluster: Cluster | None, kubeconfig: Path, context: str | None, progress: Progress
) -> Cluster | None:
    """Return the cluster if images can be loaded into it from this machine, or None."""
    if cluster is not None and not isinstance(cluster, KubeconfigCluster):
        return cluster
    return cluster_of(kubeconfig, context, progress=progress)


def _with_image(values: Mapping[str, Any], reference: str) -> dict[str, Any]:
    parts = _IMAGE_REFERENCE.fullmatch(reference)
    if parts is None:
        raise GpuInferenceError(
            f"{reference!r} is not a valid name of an image.", "Write it like registry/repository:tag"
        )
    named = {key: value for key, value in parts.groupdict().items() if value}
    return merged(values, {"image": named})
