"""Downloads one file over HTTP, in as many tries as it takes, each going on where the last one broke.

A URL may itself be a credential (presigned, SAS): its query is never printed, and nothing but its host when
it comes from a Secret.
"""

import base64
import hashlib
import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any
from urllib.parse import SplitResult, unquote, urlsplit

from report import FetchError, megabytes, say

CHUNK = 1 << 20
SECONDS_OF_SILENCE = 30.0
SECONDS_BETWEEN_LINES = 10.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
# The server may answer the same request better later.
PASSING = (408, 425, 429, 500, 502, 503, 504)
REFUSED = {
    401: "the credentials are missing, wrong or expired",
    403: "the credentials are missing, wrong or expired",
    404: "there is nothing at this address",
    410: "there is nothing at this address any more",
}


class InterruptedDownloadError(Exception):
    """The download stopped, and may go on."""


class Address:
    """Where to fetch from, and how to speak of it."""

    def __init__(self, url: str, headers: str, *, secret: bool) -> None:
        where = "key url of the Secret" if secret else "URL"
        if not re.fullmatch(r"https?://[!-~]+", url):
            raise FetchError(f"The {where} is no URL of the form https://HOST/PATH.")
        self._parts = urlsplit(url)
        try:
            port, host = self._parts.port, self._parts.hostname
        except ValueError:
            raise FetchError(f"The {where} has no valid host and port.") from None
        if not host:
            raise FetchError(f"The {where} has no host.")
        host = f"[{host}]" if ":" in host else host
        authority = host if port is None else f"{host}:{port}"
        self.url = self._parts._replace(netloc=authority, fragment="").geturl()
        self.shown = f"{self._parts.scheme}://{authority}" + ("/…" if secret else self._parts.path)
        self.headers = {**_basic_authorization(self._parts), **_parsed(headers)}


def _basic_authorization(parts: SplitResult) -> dict[str, str]:
    """Return USER:PASSWORD@ of a URL as the header that it stands for."""
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _parsed(headers: str) -> dict[str, str]:
    found = {}
    for line in filter(None, (line.strip() for line in headers.splitlines())):
        match = re.fullmatch(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*([ -~]*)", line)
        if match is None:
            raise FetchError("The key headers of the Secret must hold lines of the form NAME: VALUE.")
        found[match[1]] = match[2]
    return found


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but takes credentials to no other server and never leaves HTTPS."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Return the request that follows."""
        start, end = urlsplit(self._address.url), urlsplit(newurl)
        if end.scheme not in ("http", "https") or (start.scheme, end.scheme) == ("https", "http"):
            raise FetchError(f"{self._address.shown} redirects to {end.scheme}: only https is followed.")
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and (start.scheme, start.netloc) == (end.scheme, end.netloc):
            _add_headers(following, self._address.headers)
        return following


def _add_headers(request: urllib.request.Request, headers: dict[str, str]) -> None:
    for name, value in headers.items():
        # Left out when urllib makes a redirected request by itself.
        request.add_unredirected_header(name, value)


class Part:
    """What has arrived, in a file, with its SHA-256 kept up to date."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+b")
        self._file.seek(0)
        self.sha256 = hashlib.sha256()
        self.size = 0
        while chunk := self._file.read(CHUNK):
            self.sha256.update(chunk)
            self.size += len(chunk)

    def write(self, chunk: bytes) -> None:
        """Add what has arrived."""
        self._file.write(chunk)
        self.sha256.update(chunk)
        self.size += len(chunk)

    def clear(self) -> None:
        """Start anew."""
        self._file.truncate(0)
        self.sha256 = hashlib.sha256()
        self.size = 0

    def close(self) -> None:
        """Let go of the file, which is then whole on the disk."""
        self._file.close()


class Download:
    """One file on its way from an address into a Part."""

    def __init__(
        self, address: Address, part: Part, *, most: int, deadline: float, ca_file: Path | None
    ) -> None:
        self._address = address
        self._part = part
        self._most = most
        self._deadline = deadline
        context = ssl.create_default_context()
        if ca_file is not None:
            context.load_verify_locations(ca_file)
        self._opener = urllib.request.build_opener(
            Redirects(address), urllib.request.HTTPSHandler(context=context)
        )
        self._version: str | None = None
        self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
        self.resumed = 0

    def run(self) -> None:
        """Return when all has arrived.

        Raises:
            FetchError: it cannot be had, is too large, or did not arrive in time.
        """
        pause = FIRST_PAUSE
        while True:
            before = self._part.size
            try:
                self._receive()
                return
            except InterruptedDownloadError as error:
                pause = FIRST_PAUSE if self._part.size > before else min(pause * 2, LONGEST_PAUSE)
                if time.monotonic() + pause > self._deadline:
                    raise FetchError(
                        f"{self._address.shown} did not arrive in time ({megabytes(self._part.size)} so far):"
                        f" {error}. Allow it more seconds (download.timeoutSeconds) if it is only slow.",
                        final=False,
                    ) from error
                say(f"{error}; trying again with {megabytes(self._part.size)} here")
                time.sleep(pause)

    def _receive(self) -> None:
        """Ask for what is missing and take it."""
        answer = self._open()
        if answer is None:
            return
        with answer as response:
            if response.status == 206:
                if not response.headers.get("Content-Range", "").startswith(f"bytes {self._part.size}-"):
                    self._part.clear()
                    raise InterruptedDownloadError("the server sent another part than was asked for")
                self.resumed += 1
                say(f"Going on at {megabytes(self._part.size)}")
            else:
                self._part.clear()
            tag = response.headers.get("ETag", "")
            # A weak tag does not promise equal bytes.
            self._version = tag if tag.startswith('"') else response.headers.get("Last-Modified")
            length = response.headers.get("Content-Length", "")
            total = self._part.size + int(length) if length.isdigit() else None
            self._check_size(total or 0)
            while chunk := self._read(response):
                self._check_size(self._part.size + len(chunk))
                self._part.write(chunk)
                self._tell(total)
            if total is not None and self._part.size < total:
                raise InterruptedDownloadError(
                    f"the connection ended at {megabytes(self._part.size)} of {megabytes(total)}"
                )

    def _open(self) -> http.client.HTTPResponse | None:
        """Return the server's answer, or None when it has no more than what is here already."""
        request = urllib.request.Request(self._address.url, headers={"User-Agent": "gpu-inference"})
        _add_headers(request, self._address.headers)
        if self._part.size:
            request.add_header("Range", f"bytes={self._part.size}-")
            if self._version:
                request.add_header("If-Range", self._version)
        try:
            response: http.client.HTTPResponse = self._opener.open(request, timeout=SECONDS_OF_SILENCE)
            return response
        except urllib.error.HTTPError as error:
            self._refused(error)
            return None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise FetchError(
                    f"The certificate of {self._address.shown} is not to be trusted: {reason.verify_message}."
                    " If it is your own authority's, name its ConfigMap in download.caConfigMap."
                ) from error
            raise InterruptedDownloadError(f"{self._address.shown} cannot be reached: {reason}") from error

    def _refused(self, error: urllib.error.HTTPError) -> None:
        if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{self._part.size}":
            return
        said = f"{self._address.shown} answered {error.code}"
        if error.code == 416:
            self._part.clear()
            raise InterruptedDownloadError(f"{said}: it has become smaller") from error
        if error.code in PASSING:
            raise InterruptedDownloadError(said) from error
        raise FetchError(f"{said}: {REFUSED.get(error.code, 'it cannot be fetched like this')}.") from error

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        if time.monotonic() > self._deadline:
            raise InterruptedDownloadError("the time for it is over")
        try:
            return response.read(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise InterruptedDownloadError(f"the connection broke ({error})") from error

    def _check_size(self, size: int) -> None:
        if size > self._most:
            raise FetchError(
                f"{self._address.shown} is larger than {megabytes(self._most)}: raise download.sizeLimitGi if"
                " it is meant to be."
            )

    def _tell(self, total: int | None) -> None:
        if time.monotonic() > self._next_line:
            self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
            say(megabytes(self._part.size) + (f" of {megabytes(total)}" if total else ""))
