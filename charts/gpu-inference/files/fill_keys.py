"""Puts the missing keys of the service into its Secret, once; the chart's Job runs it in the cluster.

It takes the Secret's name and the names of the keys, talks to the API server as the pod's ServiceAccount, and
needs nothing but Python's standard library. Keys that exist are never changed, so that it may run any number
of times.
"""

import argparse
import base64
import http.client
import json
import os
import secrets
import ssl
import string
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CREDENTIALS = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# As long, and of the same characters, as the keys that Azure ML v1 gave out.
KEY_LENGTH = 32
KEY_CHARACTERS = string.ascii_letters + string.digits
# The name under which the API server records who set a field.
FIELD_MANAGER = "gpu-inference-keys"
SECONDS_BETWEEN_TRIES = 1.0
SECONDS_PER_CALL = 10.0


class CannotFillError(Exception):
    """A person has to change something."""


class TryAgainError(Exception):
    """The API server cannot be reached, is overloaded, or has a newer version of the Secret."""


class Api:
    """The API server, for one Secret."""

    def __init__(self, environment: Mapping[str, str], credentials: Path, secret: str) -> None:
        try:
            host, port = environment["KUBERNETES_SERVICE_HOST"], environment["KUBERNETES_SERVICE_PORT"]
        except KeyError as error:
            raise CannotFillError(f"{error} is not set, which it is in every pod.") from error
        # An IPv6 address would otherwise run into the port.
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        namespace = (credentials / "namespace").read_text().strip()
        self.where = f"the Secret {secret} in the namespace {namespace}"
        self._url = f"https://{authority}/api/v1/namespaces/{namespace}/secrets/{secret}"
        self._token = (credentials / "token").read_text().strip()
        self._opener = urllib.request.build_opener(
            # The API server is inside the cluster: a proxy that the image may be set to is not on the way.
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=_trusting(credentials / "ca.crt")),
        )

    def read(self) -> dict[str, Any]:
        """Return the Secret."""
        return self._call("GET", None)

    def patch(self, secret: dict[str, Any], **change: Any) -> dict[str, Any]:
        """Merge a change into the Secret and return it; refused if it is no longer as it was read."""
        metadata = {**change.pop("metadata", {}), "resourceVersion": secret["metadata"]["resourceVersion"]}
        return self._call("PATCH", {"metadata": metadata, **change})

    def _call(self, method: str, body: dict[str, Any] | None) -> dict[str, Any]:
        request = urllib.request.Request(
            self._url if body is None else f"{self._url}?fieldManager={FIELD_MANAGER}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Accept": "application/json",
                "Content-Type": "application/merge-patch+json",
            },
        )
        try:
            with self._opener.open(request, timeout=SECONDS_PER_CALL) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            said = f"{method} of {self.where} was answered {error.code}: {_message(error.read())}"
            # 404 and 403: another part of the release (the Secret, the Role) may not have been made yet.
            if error.code in (403, 404, 409, 429) or error.code >= 500:
                raise TryAgainError(said) from error
            raise CannotFillError(said) from error
        except (OSError, http.client.HTTPException) as error:
            if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
                raise CannotFillError(
                    f"The API server is not one that the cluster's CA knows: {error}"
                ) from error
            raise TryAgainError(f"The API server cannot be reached at {self._url}: {error}") from error


def _trusting(authorities: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authorities))
    # Python 3.13 asks certificates for extensions that many a cluster's do not have (docs/decisions.md 18).
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _message(body: bytes) -> str:
    """Return what an API error says, without the machine-readable rest."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip() or "no reason given"


def new_key() -> str:
    """Return a key that nobody can guess (190 random bits)."""
    return "".join(secrets.choice(KEY_CHARACTERS) for _ in range(KEY_LENGTH))


def fill(api: Api, names: list[str]) -> None:
    """Make the keys that the Secret lacks; do nothing where it lacks none."""
    secret = api.read()
    present = secret.get("data") or {}
    missing = [name for name in names if not present.get(name)]
    if missing:
        made = {name: base64.b64encode(new_key().encode()).decode() for name in missing}
        secret = api.patch(secret, data=made)
    # The keys shall be nobody's: Helm 4 could not replace fields of ours by keys given in values later.
    # docs/decisions.md 19
    owners = secret["metadata"].get("managedFields", [])
    others = [owner for owner in owners if owner.get("manager") != FIELD_MANAGER]
    if len(others) < len(owners):
        # A list with an empty entry is how the API server is told that there is no owner left.
        api.patch(secret, metadata={"managedFields": others or [{}]})


def main() -> int:
    """Fill the keys, trying again while that may help; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("secret", help="name of the Secret")
    parser.add_argument("keys", nargs="+", help="names of the keys in it")
    parser.add_argument("--credentials", type=Path, default=CREDENTIALS, help="folder of the ServiceAccount")
    parser.add_argument("--give-up-after", type=float, default=120, metavar="SECONDS")
    arguments = parser.parse_args()
    deadline = time.monotonic() + arguments.give_up_after
    try:
        api = Api(os.environ, arguments.credentials, arguments.secret)
        while True:
            try:
                fill(api, arguments.keys)
                break
            except TryAgainError as error:
                if time.monotonic() > deadline:
                    raise CannotFillError(str(error)) from error
                print(f"{error}; trying again", file=sys.stderr, flush=True)
                time.sleep(SECONDS_BETWEEN_TRIES)
    except (CannotFillError, OSError) as error:
        print(f"The keys were not made. {error}", file=sys.stderr)
        return 1
    print(f"Present in {api.where}: {', '.join(arguments.keys)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
