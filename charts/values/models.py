"""`models[]` and `inference.*`: models and code, and where each comes from."""

from typing import Annotated, Literal

from charts.values.base import NonNegativeInt, PositiveInt, PositiveNumber, Section, text
from pydantic import Field, StrictBool, StrictStr

# A path below a folder: no "." or ".." and no colon, which mount paths cannot have.
_BELOW = r"\.?[^./:][^/:]*"
SubPath = Annotated[
    StrictStr, text(rf"({_BELOW}(/{_BELOW})*)?", "be a relative path without . and .. and colons")
]
EntryName = Annotated[
    StrictStr, text(rf"({_BELOW})?", "be the name of one file or folder, without slash and colon")
]
Sha256 = Annotated[StrictStr, text(r"([0-9a-fA-F]{64})?", "be 64 hexadecimal digits")]
ConfigMapKey = Annotated[StrictStr, text(r"[-._a-zA-Z0-9]+", "be the key of a ConfigMap", max_length=253)]


class ImageSource(Section):
    """An OCI image, mounted as a volume."""

    reference: StrictStr = Field(
        default="",
        description="OCI image to mount (Kubernetes 1.35 or newer); global.imageRegistry goes before it.",
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When a node pulls that image."
    )
    sub_path: SubPath = Field(
        default="", description="Folder (not a file) in that image to mount alone; all of it unless given."
    )


class ClaimSource(Section):
    """A PersistentVolumeClaim, mounted read-only."""

    claim_name: StrictStr = Field(default="", description="PersistentVolumeClaim in the release's namespace.")
    sub_path: SubPath = Field(
        default="", description="File or folder in that volume, which alone is mounted; must be given."
    )
    access_mode: Literal["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"] = Field(
        default="ReadOnlyMany",
        description="Access mode that the claim has; ReadWriteOnce suits one pod, or pods on one node.",
    )
    single_node: StrictBool = Field(
        default=False,
        description="Whether all pods run on one node, so that they can share a ReadWriteOnce volume.",
    )


class Download(Section):
    """A file behind a URL, fetched by an init container."""

    url: StrictStr = Field(
        default="", description="URL (http or https) to fetch, without credentials; see existingSecret."
    )
    existing_secret: StrictStr = Field(
        default="",
        description="Your own Secret with url (if itself secret) or headers (lines NAME: VALUE), or both.",
    )
    sha256: Sha256 = Field(
        default="", description="SHA-256 of the file, in hexadecimal digits; must be given."
    )
    archive: Literal["", "tar", "zip"] = Field(
        default="", description="Kind of archive to unpack, tar (plain, gz, bz2 or xz) or zip; none if empty."
    )
    size_limit_gi: PositiveNumber = Field(
        default=10, description="Largest size of the file, and of what is unpacked from it, in Gi."
    )
    timeout_seconds: PositiveInt = Field(
        default=600, description="Longest time that the download may take with all its tries, in seconds."
    )
    ca_config_map: StrictStr = Field(
        default="",
        description="ConfigMap whose ca.crt holds further authorities; the image's alone unless given.",
    )


class ConfigMapSource(Section):
    """Keys of a ConfigMap, as files."""

    name: StrictStr = Field(default="", description="ConfigMap in the release's namespace.")
    keys: list[ConfigMapKey] = Field(
        default=[], description="Keys of that ConfigMap that become files; must be given."
    )


class Sourced(Section):
    """Something that comes from one place at most; from none: it lies in the image."""

    image: ImageSource = Field(default_factory=ImageSource, description="From an OCI image.")
    persistent_volume_claim: ClaimSource = Field(
        default_factory=ClaimSource, description="From a PersistentVolumeClaim."
    )
    download: Download = Field(default_factory=Download, description="From a URL.")
    config_map: ConfigMapSource = Field(default_factory=ConfigMapSource, description="From a ConfigMap.")


class ModelVersion(Sourced):
    """One version of a model: a single file or folder in azureml-models/NAME/VERSION."""

    name: StrictStr = Field(description="Name of the model, as it was registered.")
    version: NonNegativeInt = Field(default=1, description="Version of the model.")
    entry: EntryName = Field(
        default="",
        description="Name of the model's file or folder in its version's folder; its own unless given.",
    )


_NAME = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
EntryScript = Annotated[
    StrictStr, text(rf"(({_NAME}/)*{_NAME}\.py)?", "be the relative path of a .py file, such as score.py")
]
FolderName = Annotated[StrictStr, text(_NAME, "be the name of one folder")]


class Inference(Sourced):
    """The entry script and the folder around it."""

    entry_script: EntryScript = Field(
        default="",
        description="Entry script, relative to sourceDirectory; what the image says unless given.",
    )
    source_directory: FolderName = Field(
        default="src", description="Name of the source folder below /var/azureml-app, where scripts find it."
    )
    files: dict[StrictStr, StrictStr] = Field(
        default={},
        description="Small source files, text by path in the source folder (helm's --set-file reads them).",
    )
