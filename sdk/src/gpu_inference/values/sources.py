"""Where a model or the code comes from, unless it lies in the image: the same choices for both."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from gpu_inference.values.base import Amount, Count, KubernetesSection, Switch, Text

# A path below a folder: no "." or ".." and no colon, which mount paths cannot have.
_BELOW = r"\.?[^./:][^/:]*"
SubPath = Annotated[Text, StringConstraints(pattern=rf"^({_BELOW}(/{_BELOW})*)?$")]
EntryName = Annotated[Text, StringConstraints(pattern=rf"^({_BELOW})?$")]
Sha256 = Annotated[Text, StringConstraints(pattern=r"^([0-9a-fA-F]{64})?$")]
ConfigMapKey = Annotated[Text, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]


class ImageSource(KubernetesSection):
    """An OCI image, mounted as a volume."""

    reference: Text = Field(
        default="",
        description="OCI image to mount (Kubernetes 1.35 or newer); global.imageRegistry goes before it.",
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When a node pulls that image."
    )
    sub_path: SubPath = Field(
        default="", description="Folder (not a file) in that image to mount alone; all of it unless given."
    )


class ClaimSource(KubernetesSection):
    """A PersistentVolumeClaim, mounted read-only."""

    claim_name: Text = Field(default="", description="PersistentVolumeClaim in the release's namespace.")
    sub_path: SubPath = Field(
        default="", description="File or folder in that volume, which alone is mounted; must be given."
    )
    access_mode: Literal["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"] = Field(
        default="ReadOnlyMany",
        description="Access mode that the claim has; ReadWriteOnce suits one pod, or pods on one node.",
    )
    single_node: Switch = Field(
        default=False,
        description="Whether all pods run on one node, so that they can share a ReadWriteOnce volume.",
    )


class Download(KubernetesSection):
    """A file behind a URL, fetched by an init container."""

    url: Text = Field(
        default="", description="URL (http or https) to fetch, without credentials; see existingSecret."
    )
    existing_secret: Text = Field(
        default="",
        description="Your own Secret with url (if itself secret) or headers (lines NAME: VALUE), or both.",
    )
    sha256: Sha256 = Field(
        default="", description="SHA-256 of the file, in hexadecimal digits; must be given."
    )
    archive: Literal["", "tar", "zip"] = Field(
        default="", description="Kind of archive to unpack, tar (plain, gz, bz2 or xz) or zip; none if empty."
    )
    size_limit_gi: Amount = Field(
        default=10, description="Largest size of the file, and of what is unpacked from it, in Gi."
    )
    timeout_seconds: Count = Field(
        default=600, description="Longest time that the download may take with all its tries, in seconds."
    )
    ca_config_map: Text = Field(
        default="",
        description="ConfigMap whose ca.crt holds further authorities; the image's alone unless given.",
    )


class ConfigMapSource(KubernetesSection):
    """Keys of a ConfigMap, as files."""

    name: Text = Field(default="", description="ConfigMap in the release's namespace.")
    keys: list[ConfigMapKey] = Field(
        default=[], description="Keys of that ConfigMap that become files; must be given."
    )


class Sourced(KubernetesSection):
    """Something that comes from one place at most; from none: it lies in the image."""

    image: ImageSource = Field(default_factory=ImageSource, description="From an OCI image.")
    persistent_volume_claim: ClaimSource = Field(
        default_factory=ClaimSource, description="From a PersistentVolumeClaim."
    )
    download: Download = Field(default_factory=Download, description="From a URL.")
    config_map: ConfigMapSource = Field(default_factory=ConfigMapSource, description="From a ConfigMap.")

    def sources(self) -> list[str]:
        """Return the names of the places that are given."""
        main = {
            "image": self.image.reference,
            "persistentVolumeClaim": self.persistent_volume_claim.claim_name,
            "download": self.download.url or self.download.existing_secret,
            "configMap": self.config_map.name,
        }
        return [name for name, given in main.items() if given]
