"""Rules about models and code: each comes from one place, which says all that the pods need to know."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gpu_inference.values.pool import max_replicas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_inference.values.chart import ChartValues
    from gpu_inference.values.inference import Inference
    from gpu_inference.values.models import ModelVersion
    from gpu_inference.values.sources import ClaimSource, ConfigMapSource, Download, Sourced

# Azure ML v1's, for registered models.
_MODEL_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-._]{0,254}")
_URL = re.compile(r"https?://[^/?#@\s]+([/?][!-~]*)?")
_SIGNED = re.compile(r"[?&][^=&]*(sig|token|secret|password|credential|key)[^=&]*=", re.IGNORECASE)
FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
# No two dots in a row, because a key of a ConfigMap has two for each slash.
_FILE_PATH = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(/[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)*")
# A ConfigMap takes 1 MiB, and so does the Secret in which Helm keeps the values and what it rendered.
LARGEST_FILES = 524_288


def problems(values: ChartValues) -> Iterator[str]:
    """Yield what the pods could not mount, or should not."""
    pods = max_replicas(values)
    for index, model in enumerate(values.models):
        yield from _model(f"models[{index}]", model)
        yield from _source(f"models[{index}]", model, pods)
    versions = Counter((model.name, model.version) for model in values.models)
    for (name, version), times in versions.items():
        if times > 1:
            yield (
                f"Model {name}, version {version}, is given {times} times: a version is one file or folder."
            )
    yield from _source("inference", values.inference, pods)
    yield from _inference(values.inference)


def _model(where: str, model: ModelVersion) -> Iterator[str]:
    if not _MODEL_NAME.fullmatch(model.name):
        yield (
            f'Error, provided model name "{model.name}" is invalid. It must only consist of letters, numbers,'
            " dashes, periods, or underscores, start with a letter or number, and be between 1 and 255"
            " characters long."
        )
    if model.entry:
        return
    download = model.download
    if (download.url or download.existing_secret) and not download.archive and not _file_name(download.url):
        yield f"{where}.entry is missing: the name of the file, which the URL does not tell."
    if len(model.config_map.keys) > 1:
        yield f"{where}.entry is missing: the name of the folder that holds the ConfigMap's keys."


def _file_name(url: str) -> str | None:
    """Return the name that a URL gives its file, where it is plain."""
    name = urlsplit(url).path.rpartition("/")[2]
    return name if FILE_NAME.fullmatch(name) else None


def _source(where: str, given: Sourced, pods: int) -> Iterator[str]:
    sources = [*given.sources(), *(["files"] if getattr(given, "files", None) else [])]
    if len(sources) > 1:
        yield f"{where} has {' and '.join(sources)}: keep one of them."
    if given.image.sub_path and not given.image.reference:
        yield f"{where}.image.reference is missing."
    yield from _claim(f"{where}.persistentVolumeClaim", given.persistent_volume_claim, pods)
    yield from _download(f"{where}.download", given.download)
    yield from _config_map(f"{where}.configMap", given.config_map)


def _claim(where: str, claim: ClaimSource, pods: int) -> Iterator[str]:
    if not claim.claim_name:
        if claim.sub_path:
            yield f"{where}.claimName is missing."
        return
    if not claim.sub_path:
        yield (
            f"{where}.subPath is missing: the one file or folder to mount, because a volume's root may hold"
            " more, lost+found for example."
        )
    if pods > 1 and claim.access_mode == "ReadWriteOnce" and not claim.single_node:
        yield (
            f"{where}.accessMode is ReadWriteOnce, so that one node at a time can mount the volume, but the"
            f" service may have {pods} pods: those on other nodes would wait for ever. Use a volume with"
            " ReadOnlyMany or ReadWriteMany, or one pod; or, if all pods run on one node, set singleNode to"
            " true."
        )
    if pods > 1 and claim.access_mode == "ReadWriteOncePod":
        yield (
            f"{where}.accessMode is ReadWriteOncePod, so that one pod at a time can mount the volume, but the"
            f" service may have {pods} pods. Use a volume with ReadOnlyMany or ReadWriteMany, or one pod."
        )


def _download(where: str, download: Download) -> Iterator[str]:
    if not (download.url or download.existing_secret):
        if download.sha256 or download.archive or download.ca_config_map:
            yield f"{where}.url is missing."
        return
    if not download.sha256:
        yield f"{where}.sha256 is missing: what sha256sum says of the file."
    if not download.url:
        return
    if "@" in download.url.partition("://")[2].partition("/")[0] or _SIGNED.search(download.url):
        yield (
            f"{where}.url seems to carry a credential, which everybody could read in the pods: put the whole"
            " URL into a Secret, under the key url, and name that in existingSecret instead."
        )
    elif not _URL.fullmatch(download.url):
        yield f"{where}.url must have the form https://HOST/PATH."


def _config_map(where: str, config_map: ConfigMapSource) -> Iterator[str]:
    if config_map.keys and not config_map.name:
        yield f"{where}.name is missing."
    if config_map.name and not config_map.keys:
        yield f"{where}.keys is missing: the keys that become files."
    for key, times in Counter(config_map.keys).items():
        if times > 1:
            yield f"{where}.keys names {key} {times} times: keep one."


def _inference(inference: Inference) -> Iterator[str]:
    script, folder, files = inference.entry_script, inference.source_directory, inference.files
    if (inference.sources() or files) and not script:
        yield "inference.entryScript is missing: the path in the source folder, score.py for example."
    if folder == "azureml-models":
        yield "inference.sourceDirectory cannot be azureml-models, where the models are."
    for what, known in (("files", sorted(files)), ("configMap.keys", inference.config_map.keys)):
        if script and known and script not in known:
            yield f"inference.entryScript is {script}, which is not in inference.{what}."
    for path in sorted(files):
        if not _FILE_PATH.fullmatch(path):
            yield (
                f'inference.files has the path "{path}": use letters, digits, dashes, underscores and single'
                " dots, and slashes between folders."
            )
    size = sum(len(text.encode()) for text in files.values())
    if size > LARGEST_FILES:
        yield (
            f"inference.files holds {size} bytes, more than {LARGEST_FILES}: put the source folder into an"
            " image, a volume, or an archive behind a URL."
        )
