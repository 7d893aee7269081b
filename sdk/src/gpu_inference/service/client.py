"""Sends scoring requests with the headers, retries and error texts of the SDK's `Webservice.run`."""

import functools
import random
import time
from collections.abc import Callable
from typing import Any

import requests

from gpu_inference.errors import GpuInferenceError

_RETRIES = 3
_RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504, 530})
_CONNECT_SECONDS = 10


class ScoringClient:
    """Sends requests to one service; it may be used from several threads.

    Args:
        uri: the scoring URI.
        fetch_key: returns the key to send, or None if the service has none; called again after a 401.
        sleep: waits for a number of seconds.

    Example:
        ScoringClient("http://127.0.0.1:5001/score", lambda: None).run('{"data": [1, 2]}')
    """

    def __init__(
        self, uri: str, fetch_key: Callable[[], str | None], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.uri = uri
        self._fetch_key = fetch_key
        self._sleep = sleep
        self._session = requests.Session()
        # Otherwise an entry in ~/.netrc would replace the key.
        self._session.trust_env = False
        self._session.headers.update({"Content-Type": "application/json", "Accept": "application/json"})
        self._authorize()

    def run(self, input_data: str | bytes) -> Any:
        """Send one request and return the response, decoded from JSON.

        Like the SDK, it retries up to three times, also requests that may have reached the script.

        Args:
            input_data: the body of the request.

        Raises:
            GpuInferenceError: after the retries the response is not 200 or not JSON, or the service cannot be
                reached.
        """
        response = self._post(input_data)
        if response.status_code == 401:
            self._authorize()
            response = self._post(input_data)
        if response.status_code != 200:
            raise GpuInferenceError(
                "Received bad response from service. More information can be found by calling `.get_logs()` "
                "on the webservice object.\n"
                f"Response Code: {response.status_code}\n"
                f"Headers: {response.headers}\n"
                f"Content: {response.content!r}"
            )
        try:
            return response.json()
        except requests.JSONDecodeError as error:
            raise GpuInferenceError(
                f"The response of {self.uri} is not JSON: {response.text[:200]!r}."
            ) from error

    def _post(self, input_data: str | bytes) -> requests.Response:
        body = input_data.encode() if isinstance(input_data, str) else input_data
        for retry in range(_RETRIES + 1):
            status = None
            try:
                response = self._session.post(self.uri, data=body, timeout=(_CONNECT_SECONDS, None))
                if response.status_code not in _RETRIED_STATUSES or retry == _RETRIES:
                    return response
                status = response.status_code
            except (requests.ConnectionError, requests.Timeout) as error:
                if retry == _RETRIES:
                    raise GpuInferenceError(f"{self.uri} cannot be reached: {error}.") from error
            self._sleep(_delay_seconds(status, retry))
        raise AssertionError("The last attempt returns or raises.")

    def _authorize(self) -> None:
        key = self._fetch_key()
        if key is not None:
            self._session.headers["Authorization"] = f"Bearer {key}"


def _delay_seconds(status: int | None, retry: int) -> float:
    """Return the SDK's delay before a retry (numbered from 0); a status of None means no response."""
    if status == 429:
        return 32 * 2.0**retry
    if status == 500:
        return 2 * 2.0**retry
    if status == 503:
        return _overload_delay_seconds() * 2.0**retry
    return 0.0 if retry == 0 else 2.0 ** (retry - 1)


@functools.cache
def _overload_delay_seconds() -> float:
    # Random, so that many clients do not retry at the same time; chosen once per process, as in the SDK.
    return float(random.randint(2, 10))
