"""The two keys of a service: where they lie, and reading them."""

import base64
import secrets
import string
from dataclasses import dataclass
from typing import Literal, get_args

from gpu_inference.errors import GpuInferenceError
from gpu_inference.service.objects import Object, Objects
from gpu_inference.service.tokens import token_check

Key = Literal["primary", "secondary"]

# The files that the pods read, by which the entries of whichever Secret are known.
_FILES = ("primaryKey", "secondaryKey")
# As long, and of the same characters, as the chart's Job makes them, which are v1's.
_KEY_LENGTH = 32
_KEY_CHARACTERS = string.ascii_letters + string.digits
# What an HTTP header carries unchanged, and nobody mistakes for the white space around it.
_ALLOWED = frozenset(string.ascii_letters + string.digits + string.punctuation)


@dataclass(frozen=True)
class KeysPlace:
    """The Secret that a service's pods read their keys from, and the names of both in it."""

    secret: str
    primary: str
    secondary: str

    def name_of(self, key: Key) -> str:
        """Return the name of one key in the Secret."""
        return self.primary if key == "primary" else self.secondary


def keys_place(deployment: Object) -> KeysPlace | None:
    """Return where a service's keys lie, or None when its pods read none."""
    for volume in deployment["spec"]["template"]["spec"].get("volumes", []):
        items = {item["path"]: item["key"] for item in volume.get("secret", {}).get("items", [])}
        if items.keys() >= set(_FILES):
            return KeysPlace(volume["secret"]["secretName"], *(items[file] for file in _FILES))
    return None


def require_keys_place(deployment: Object) -> KeysPlace:
    """Return where a service's keys lie.

    Raises:
        GpuInferenceError: its pods read none.
    """
    place = keys_place(deployment)
    if place is None:
        name = deployment["metadata"]["name"]
        if check := token_check(deployment):
            raise GpuInferenceError(f"The service {name} has no keys: it asks for a token.", check.way)
        raise GpuInferenceError(f"The service {name} has no keys: deployment.auth_enabled is false for it.")
    return place


def read_keys(objects: Objects, deployment: Object) -> tuple[str, str]:
    """Return the primary and the secondary key.

    Raises:
        GpuInferenceError: the service asks for no key, or its Secret has none yet.
    """
    place = require_keys_place(deployment)
    secret = objects.secret(place.secret)
    primary, secondary = (key_in(secret, name) for name in (place.primary, place.secondary))
    if primary and secondary:
        return primary, secondary
    missing = [name for name, key in ((place.primary, primary), (place.secondary, secondary)) if not key]
    raise GpuInferenceError(
        f"The Secret {place.secret} in namespace {objects.namespace} has no {' and no '.join(missing)}.",
        "The chart's own is filled soon after the deployment, by a Job of the release (kubectl get jobs "
        f"--namespace {objects.namespace}); a Secret of yours (keys.existingSecret) you fill.",
    )


def key_in(secret: Object | None, name: str) -> str:
    """Return a key as the pods understand it, or nothing where the Secret has none."""
    return base64.b64decode(((secret or {}).get("data") or {}).get(name, "")).decode().strip()


def which_key(key: str | None) -> Key:
    """Return the key that is meant, in whatever case it is written.

    Raises:
        GpuInferenceError: it is neither; in the SDK's words.
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
    """Return a key that nobody can guess (190 random bits)."""
    return "".join(secrets.choice(_KEY_CHARACTERS) for _ in range(_KEY_LENGTH))


def require_key(text: str) -> str:
    """Return a key that a person gave.

    Raises:
        GpuInferenceError: clients could not send it. The message does not hold it.
    """
    if not text or not _ALLOWED.issuperset(text):
        raise GpuInferenceError(
            "The key cannot be used: it is empty, or holds white space or characters that are not ASCII.",
            "Take letters, digits and punctuation, 32 of them for example.",
        )
    return text
