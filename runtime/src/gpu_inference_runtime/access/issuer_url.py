"""An issuer that publishes its keys at a URL: asked at the start, every few minutes, and for an unknown key.

One thread asks, never more often than every few seconds, however many requests want to know.
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

# A key that the issuer no longer publishes is refused after this at the latest, seconds.
_REFRESH_SECONDS = 300.0
# Between two questions: after a failure, and for keys that are not known.
_PAUSE_SECONDS = 10.0
# How long a request waits for an answer that is on its way.
_PATIENCE_SECONDS = 2.0
_TIMEOUT_SECONDS = 5.0
_LARGEST_ANSWER = 1024 * 1024

log = logging.getLogger("gpu_inference")


# docs/decisions.md 24
class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Another address than the given one would get the credentials too."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class IssuerAddress:
    """Where to ask an issuer.

    Args:
        keys_url: its JSON Web Key Set.
        name: its name; asked for at `discovery_url` if empty.
        discovery_url: its OpenID configuration.
        ca_file: certificates of the authorities that its server is trusted by; the system's if None.
        token_file: a token to show to its server, read for each question.
    """

    keys_url: str
    name: str | None = None
    discovery_url: str | None = None
    ca_file: Path | None = None
    token_file: Path | None = None

    def ask(self) -> Issuer:
        """Return what the issuer says now.

        Raises:
            IssuerError: it cannot be reached, or says something else.
        """
        name = self.name
        if not name:
            try:
                name = json.loads(self._get(self.discovery_url or ""))["issuer"]
            except (ValueError, TypeError, KeyError, RecursionError):
                name = None
            if not isinstance(name, str) or not name:
                raise IssuerError(f"{self.discovery_url} names no issuer")
        answer = self._get(self.keys_url)
        try:
            return Issuer(name, read_keys(answer))
        except IssuerError as error:
            raise IssuerError(f"{self.keys_url}: {error}") from None

    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.ca_file:
            # Python 3.13 asks certificates for extensions that many a cluster's do not have.
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
            with opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                content: bytes = answer.read(_LARGEST_ANSWER + 1)
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
            raise IssuerError(f"{url} does not answer in HTTP: {error!r}") from None
        if len(content) > _LARGEST_ANSWER:
            raise IssuerError(f"{url} answered with more than {_LARGEST_ANSWER} bytes")
        return content


class IssuerUrl:
    """Keeps what an issuer says; while it cannot be asked, what it said last stays good.

    Args:
        ask: asks the issuer; raises IssuerError.
        refresh_seconds: between two questions when all goes well.
        pause_seconds: between two questions in any other case.
        patience_seconds: how long a request waits for an answer that may have its key.
    """

    def __init__(
        self,
        ask: Callable[[], Issuer],
        refresh_seconds: float = _REFRESH_SECONDS,
        pause_seconds: float = _PAUSE_SECONDS,
        patience_seconds: float = _PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._question = ask
        self._refresh = refresh_seconds
        self._pause = pause_seconds
        self._patience = patience_seconds
        self._clock = clock
        self._changed = threading.Condition()
        self._issuer: Issuer | None = None
        self._failed = False
        self._wanted = True
        self._asking = False
        self._asked_at = clock() - pause_seconds
        self._answers = 0
        threading.Thread(target=self._keep_current, name="token issuer", daemon=True).start()

    def current(self, key_id: str) -> Issuer:
        """Return the issuer as known now; if it has no such key, after a question that is due or under way.

        Raises:
            IssuerUnknownError: it has not answered yet.
        """
        with self._changed:
            if not self._knows(key_id) and (self._asking or self._may_ask()):
                if not self._asking:
                    self._wanted = True
                    self._changed.notify_all()
                answers = self._answers
                self._changed.wait_for(lambda: self._answers > answers, self._patience)
            if self._issuer is None:
                raise IssuerUnknownError
            return self._issuer

    def _knows(self, key_id: str) -> bool:
        return self._issuer is not None and key_id in self._issuer.keys

    def _may_ask(self) -> bool:
        return self._clock() - self._asked_at >= self._pause

    def _keep_current(self) -> None:
        while True:
            with self._changed:
                pause = self._pause if self._failed else self._refresh
                self._changed.wait_for(lambda: self._wanted, pause)
                self._wanted = False
                self._asking = True
                self._asked_at = self._clock()
            issuer = self._ask()
            with self._changed:
                self._failed = issuer is None
                self._issuer = issuer or self._issuer
                self._asking = False
                self._answers += 1
                self._changed.notify_all()

    def _ask(self) -> Issuer | None:
        known = self._issuer
        consequence = "what it said before stays good" if known else "until then no token can be checked"
        try:
            issuer = self._question()
        except IssuerError as error:
            log.warning("The token issuer cannot be asked: %s; %s", error, consequence)
            return None
        # The thread must not end, whatever an issuer may say.
        except Exception:
            log.exception("The token issuer cannot be asked; %s", consequence)
            return None
        if known is None or (known.name, known.keys.keys()) != (issuer.name, issuer.keys.keys()):
            log.info("Got %d key(s) of the token issuer %s", len(issuer.keys), issuer.name)
        return issuer
