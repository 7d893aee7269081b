"""The two keys of a service: finds their Secret, reads, generates and validates them."""

import base64
import secrets
import string
from dataclasses import dataclass
from typing import Literal, get_args

from gpu_inference.errors import GpuInferenceError
from gpu_inference.service.objects import Object, Objects
from gpu_inference.service.tokens import token_check

Key = Literal["primary", "secondary"]

# File names in the pods' volume; they identify the entries of the Secret.
_FILES = ("primaryKey", "secondaryKey")
# The same length and characters as in the chart's Job; both follow v1.
_KEY_LENGTH = 32
_KEY_CHARACTERS = string.ascii_letters + string.digits
# Characters that an HTTP header transmits unchanged and that are not white space.
_ALLOWED = frozenset(string.ascii_letters + string.digits + string.punctuation)


@dataclass(frozen=True)
class KeySecret:
    """The Secret that a service's pods read their keys from, and the names of its two entries."""

    secret: str
    primary: str
    secondary: str

    def name_of(self, key: Key) -> str:
        """Return the name of a key's entry in the Secret."""
        return self.primary if key == "primary" else self.secondary


def key_secret(deployment: Object) -> KeySecret | None:
    """Return the Secret of a service's keys, or None if its pods read no keys."""
    for volume in deployment["spec"]["template"]["spec"].get("volumes", []):
        items = {item["path"]: item["key"] for item in volume.get("secret", {}).get("items", [])}
        if items.keys() >= set(_FILES):
            return KeySecret(volume["secret"]["secretName"], *(items[file] for file in _FILES))
    return None


def require_key_secret(deployment: Object) -> KeySecret:
    """Return the Secret of a service's keys.

    Raises:
        GpuInferenceError: the service has no keys.
    """
    place = key_secret(deployment)
    if place is None:
        name = deployment["metadata"]["name"]
        if check := token_check(deployment):
            raise GpuInferenceError(
                f"The service {name} has no keys: it requires a token.", check.instruction
            )
        raise GpuInferenceError(f"The service {name} has no keys: its deployment.auth_enabled is false.")
    return place


def read_keys(objects: Objects, deployment: Object) -> tuple[str, str]:
    """Return the primary and the secondary key.

    Raises:
        GpuInferenceError: the service has no keys, or its Secret has none yet.
    """
    place = require_key_secret(deployment)
    secret = objects.secret(place.secret)
    primary, secondary = (key_in(secret, name) for name in (place.primary, place.secondary))
    if primary and secondary:
        return primary, secondary
    missing = [name for name, key in ((place.primary, primary), (place.secondary, secondary)) if not key]
    raise GpuInferenceError(
        f"The Secret {place.secret} in namespace {objects.namespace} has no {' and no '.join(missing)}.",
        "A Job of the release fills the chart's own Secret soon after the deployment (kubectl get jobs "
        f"--namespace {objects.namespace}); a Secret of your own (keys.existingSecret) you fill yourself.",
    )


def key_in(secret: Object | None, name: str) -> str:
    """Return a key as the pods read it, or an empty string if the Secret has none."""
    return base64.b64decode(((secret or {}).get("data") or {}).get(name, "")).decode().strip()


def parse_key(key: str | None) -> Key:
    """Return which key a name means; upper and lower case are equal.

    Raises:
        GpuInferenceError: it is not the name of a key; the messages are the SDK's.
    """
    if not key:
        raise GpuInferenceError("Error, must specify which key with be regenerated: Primary, Secondary")
    keys: tuple[Key, ...] = get_args(Key)
    for known in keys:
        if key.lower() == known:
            return known
    raise GpuInferenceError(
        f"Error, invalid value provided for key: {key}.\nValid options are: Primary, Secondary"
    )


def new_key() -> str:
    """Return a new random key (190 bits)."""
    return "".join(secrets.choice(_KEY_CHARACTERS) for _ in range(_KEY_LENGTH))


def require_key(text: str) -> str:
    """Return the given key if it can be sent in a header.

    Raises:
        GpuInferenceError: it cannot; the message does not contain the key.
    """
    if not text or not _ALLOWED.issuperset(text):
        raise GpuInferenceError(
            "The key cannot be used: it is empty, or contains white space or characters that are not ASCII.",
            "Use letters, digits and punctuation, for example 32 characters.",
        )
    return text
