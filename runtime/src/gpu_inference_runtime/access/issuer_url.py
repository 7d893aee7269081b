"""An issuer that publishes its keys at a URL, fetched at the start, every few minutes, and for unknown keys.

One thread fetches them, at most once every few seconds, however many requests wait for them.
"""

import http.client
import json
import logging
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpu_inference_runtime.access.authorization import IssuerUnknownError
from gpu_inference_runtime.access.issuer import Issuer, IssuerError, read_keys

# A key that the issuer no longer publishes is refused after this time at the latest.
_REFRESH_SECONDS = 300.0
# Between two fetches: after a failure, and for unknown keys.
_PAUSE_SECONDS = 10.0
# How long a request waits for a fetch in progress.
_WAIT_SECONDS = 2.0
_TIMEOUT_SECONDS = 5.0
_MAX_RESPONSE_BYTES = 1024 * 1024

log = logging.getLogger("gpu_inference")


# docs/decisions.md 24
class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: the credentials would go to another address."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class IssuerEndpoint:
    """Where an issuer publishes its keys.

    Args:
        keys_url: URL of its JSON Web Key Set.
        name: the issuer's name; read from `discovery_url` if empty.
        discovery_url: URL of its OpenID configuration.
        ca_file: CA certificates to trust; the system's if None.
        token_file: bearer token for the issuer's server, read again for each fetch.
    """

    keys_url: str
    name: str | None = None
    discovery_url: str | None = None
    ca_file: Path | None = None
    token_file: Path | None = None

    def fetch(self) -> Issuer:
        """Return the issuer's name and keys as published now.

        Raises:
            IssuerError: the issuer cannot be reached, or its response is not what it should be.
        """
        name = self.name
        if not name:
            try:
                name = json.loads(self._get(self.discovery_url or ""))["issuer"]
            except (ValueError, TypeError, KeyError, RecursionError):
                name = None
            if not isinstance(name, str) or not name:
                raise IssuerError(f"{self.discovery_url} names no issuer")
        response = self._get(self.keys_url)
        try:
            return Issuer(name, read_keys(response))
        except IssuerError as error:
            raise IssuerError(f"{self.keys_url}: {error}") from None

    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.ca_file:
            # Python 3.13 demands extensions that the certificates of many clusters lack.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    def _get(self, url: str) -> bytes:
        try:
            request = urllib.request.Request(url)
            if self.token_file:
                token = self.token_file.read_text(encoding="ascii").strip()
                request.add_header("Authorization", f"Bearer {token}")
            opener = urllib.request.build_opener(
                urllib.request.HTTPSHandler(context=self._trust()),
                _NoRedirects,
            )
            with opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
                content: bytes = response.read(_MAX_RESPONSE_BYTES + 1)
        except urllib.error.HTTPError as error:
            error.close()
            raise IssuerError(f"{url} answered with status {error.code}") from None
        except urllib.error.URLError as error:
            raise IssuerError(f"{url} cannot be reached: {error.reason}") from None
        except UnicodeDecodeError:
            raise IssuerError(f"{self.token_file} does not hold a token") from None
        except OSError as error:
            raise IssuerError(f"{url} cannot be asked: {error}") from None
        except http.client.HTTPException as error:
            raise IssuerError(f"{url} does not respond in HTTP: {error!r}") from None
        if len(content) > _MAX_RESPONSE_BYTES:
            raise IssuerError(f"{url} answered with more than {_MAX_RESPONSE_BYTES} bytes")
        return content


class IssuerUrl:
    """Keeps the last known issuer, and refreshes it on a thread of its own.

    While the issuer cannot be reached, what it published last stays valid.

    Args:
        fetch: fetches the issuer; raises IssuerError.
        refresh_seconds: between two fetches when all goes well.
        pause_seconds: between two fetches after a failure or for an unknown key.
        wait_seconds: how long a request waits for a fetch that may bring its key.
        clock: monotonic time in seconds.
    """

    def __init__(
        self,
        fetch: Callable[[], Issuer],
        refresh_seconds: float = _REFRESH_SECONDS,
        pause_seconds: float = _PAUSE_SECONDS,
        wait_seconds: float = _WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch_issuer = fetch
        self._refresh = refresh_seconds
        self._pause = pause_seconds
        self._wait = wait_seconds
        self._clock = clock
        self._changed = threading.Condition()
        self._issuer: Issuer | None = None
        self._failed = False
        self._wanted = True
        self._fetching = False
        self._fetched_at = clock() - pause_seconds
        self._fetches = 0
        threading.Thread(target=self._keep_current, name="token issuer", daemon=True).start()

    def current(self, key_id: str) -> Issuer:
        """Return the issuer as known now. For an unknown key id, fetch it first if a fetch is due.

        Raises:
            IssuerUnknownError: no fetch has succeeded yet.
        """
        with self._changed:
            if not self._knows(key_id) and (self._fetching or self._may_fetch()):
                if not self._fetching:
                    self._wanted = True
                    self._changed.notify_all()
                fetches = self._fetches
                self._changed.wait_for(lambda: self._fetches > fetches, self._wait)
            if self._issuer is None:
                raise IssuerUnknownError
            return self._issuer

    def _knows(self, key_id: str) -> bool:
        return self._issuer is not None and key_id in self._issuer.keys

    def _may_fetch(self) -> bool:
        return self._clock() - self._fetched_at >= self._pause

    def _keep_current(self) -> None:
        while True:
            with self._changed:
                pause = self._pause if self._failed else self._refresh
                self._changed.wait_for(lambda: self._wanted, pause)
                self._wanted = False
                self._fetching = True
                self._fetched_at = self._clock()
            issuer = self._fetch()
            with self._changed:
                self._failed = issuer is None
                self._issuer = issuer or self._issuer
                self._fetching = False
                self._fetches += 1
                self._changed.notify_all()

    def _fetch(self) -> Issuer | None:
        known = self._issuer
        consequence = "its last keys stay valid" if known else "until then no token can be checked"
        try:
            issuer = self._fetch_issuer()
        except IssuerError as error:
            log.warning("The token issuer cannot be asked: %s; %s", error, consequence)
            return None
        # The thread must not end, whatever the issuer responds.
        except Exception:
            log.exception("The token issuer cannot be asked; %s", consequence)
            return None
        if known is None or (known.name, known.keys.keys()) != (issuer.name, issuer.keys.keys()):
            log.info("Got %d key(s) of the token issuer %s", len(issuer.keys), issuer.name)
        return issuer
