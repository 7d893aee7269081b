"""Scores one real request with the service's real key; the pod of `helm test` runs it in the cluster.

It says what it asked and what came back, never a key, and needs nothing but Python's standard library.
"""

import argparse
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

SECONDS_BETWEEN_TRIES = 1.0
# What a service answers while it starts, or while all its slots are taken.
UNAVAILABLE = 503
LONGEST_SHOWN = 500


class WrongAnswerError(Exception):
    """The service did not answer as it should."""


def post(url: str, body: bytes, key: str | None, timeout: float) -> tuple[int, str]:
    """Return the status and the text of the answer to one request.

    Raises:
        OSError: nothing answers.
    """
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, data=body, headers=headers)
    # The service is inside the cluster: a proxy that the image may be set to is not on the way.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as response:
            return response.status, response.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def answer(url: str, body: bytes, key: str | None, timeout: float, deadline: float) -> tuple[int, str]:
    """Return the first answer that is not one of a service still starting, or the last before the deadline.

    Raises:
        WrongAnswerError: nothing has answered until the deadline.
    """
    while True:
        try:
            status, text = post(url, body, key, timeout)
            if status != UNAVAILABLE or time.monotonic() > deadline:
                return status, text
            said = f"status {status}"
        except OSError as error:
            said = str(error)
            if time.monotonic() > deadline:
                raise WrongAnswerError(f"Nothing answers at {url}: {said}") from error
        print(f"Not yet: {said}", flush=True)
        time.sleep(SECONDS_BETWEEN_TRIES)


def check(arguments: argparse.Namespace) -> None:
    """Ask without credentials where some are needed, then with the key.

    Raises:
        WrongAnswerError: an answer is not what it should be.
    """
    body = arguments.request.encode()
    deadline = time.monotonic() + arguments.give_up_after
    if arguments.authentication != "none":
        status, _ = answer(arguments.url, body, None, arguments.timeout, deadline)
        if status != 401:
            raise WrongAnswerError(f"Without credentials the service answered {status} instead of 401.")
        print("Without credentials: 401, as it should be")
    if arguments.authentication == "token":
        print("Not scored: the service wants a token, and only its own clients have one")
        return
    key = arguments.key_file.read_text().strip() if arguments.authentication == "key" else None
    began = time.monotonic()
    status, text = answer(arguments.url, body, key, arguments.timeout, deadline)
    print(f"POST {arguments.url} {arguments.request[:LONGEST_SHOWN]}")
    print(f"{status} after {time.monotonic() - began:.2f} s: {text[:LONGEST_SHOWN]}")
    if status != 200:
        raise WrongAnswerError(
            f"The service answered {status} instead of 200. If the script wants another request than "
            "this one, put it into the value helmTest.request."
        )


def main() -> int:
    """Check once; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="the scoring URI")
    parser.add_argument("request", help="the body of the request, JSON")
    parser.add_argument("--authentication", choices=["key", "token", "none"], required=True)
    parser.add_argument("--key-file", type=Path, help="the file with the key, for --authentication key")
    parser.add_argument("--timeout", type=float, default=60, help="longest wait for one answer, seconds")
    parser.add_argument("--give-up-after", type=float, default=120, metavar="SECONDS")
    try:
        check(parser.parse_args())
    except (WrongAnswerError, OSError) as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    print("PASSED")
    return 0


if __name__ == "__main__":
    sys.exit(main())
