"""`models[]` and `inference.*`: models and code, and the source of each."""

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
        description="OCI image to mount (Kubernetes 1.35 or newer); global.imageRegistry overrides its"
        " registry.",
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="Pull policy of that image."
    )
    sub_path: SubPath = Field(
        default="", description="Folder (not a file) of that image to mount; empty mounts the whole image."
    )


class ClaimSource(Section):
    """A PersistentVolumeClaim, mounted read-only."""

    claim_name: StrictStr = Field(default="", description="PersistentVolumeClaim in the release's namespace.")
    sub_path: SubPath = Field(default="", description="File or folder of that volume to mount; required.")
    access_mode: Literal["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"] = Field(
        default="ReadOnlyMany",
        description="Access mode of the claim; ReadWriteOnce allows one pod, or pods on one node.",
    )
    single_node: StrictBool = Field(
        default=False,
        description="Whether all pods run on one node and can share a ReadWriteOnce volume.",
    )


class Download(Section):
    """A file behind a URL, fetched by an init container."""

    url: StrictStr = Field(
        default="", description="URL (http or https) to download, without credentials; see existingSecret."
    )
    existing_secret: StrictStr = Field(
        default="",
        description="Your own Secret with the key url (if the URL is secret), the key headers (lines"
        " NAME: VALUE), or both.",
    )
    sha256: Sha256 = Field(default="", description="SHA-256 of the file, in hexadecimal digits; required.")
    archive: Literal["", "tar", "zip"] = Field(
        default="",
        description="Kind of archive to unpack: tar (plain, gz, bz2 or xz) or zip; empty keeps the file"
        " as it is.",
    )
    size_limit_gi: PositiveNumber = Field(
        default=10,
        description="Maximum size of the file, and of its unpacked content, in units of 2^30 bytes (Gi).",
    )
    timeout_seconds: PositiveInt = Field(
        default=600, description="Timeout of the download including retries, in seconds."
    )
    ca_config_map: StrictStr = Field(
        default="",
        description="ConfigMap whose ca.crt holds certificate authorities to trust besides the image's.",
    )


class ConfigMapSource(Section):
    """Keys of a ConfigMap, as files."""

    name: StrictStr = Field(default="", description="ConfigMap in the release's namespace.")
    keys: list[ConfigMapKey] = Field(
        default=[], description="Keys of that ConfigMap that become files; required."
    )


class Sourced(Section):
    """A model or code with at most one source; without one it is part of the image."""

    image: ImageSource = Field(default_factory=ImageSource, description="From an OCI image.")
    persistent_volume_claim: ClaimSource = Field(
        default_factory=ClaimSource, description="From a PersistentVolumeClaim."
    )
    download: Download = Field(default_factory=Download, description="From a URL.")
    config_map: ConfigMapSource = Field(default_factory=ConfigMapSource, description="From a ConfigMap.")


class ModelVersion(Sourced):
    """One version of a model: a single file or folder in azureml-models/NAME/VERSION."""

    name: StrictStr = Field(description="Name of the registered model.")
    version: NonNegativeInt = Field(default=1, description="Version of the model.")
    entry: EntryName = Field(
        default="",
        description="Name of the model's file or folder in its version's folder; defaults to its own name.",
    )


_NAME = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
EntryScript = Annotated[
    StrictStr, text(rf"(({_NAME}/)*{_NAME}\.py)?", "be the relative path of a .py file, such as score.py")
]
FolderName = Annotated[StrictStr, text(_NAME, "be the name of one folder")]


class Inference(Sourced):
    """The entry script and its source folder."""

    entry_script: EntryScript = Field(
        default="",
        description="Path of the entry script in sourceDirectory; defaults to the image's script.",
    )
    source_directory: FolderName = Field(
        default="src", description="Name of the source folder under /var/azureml-app."
    )
    files: dict[StrictStr, StrictStr] = Field(
        default={},
        description="Small source files: text by path in the source folder; Helm's --set-file reads them.",
    )
