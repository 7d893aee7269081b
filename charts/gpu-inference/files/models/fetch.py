"""Fetches one file from a URL into a volume before the service starts; an init container of the pod runs it.

Only what has the expected SHA-256 ever gets to where the service looks. The volume outlives a restart of the
container, and what has arrived in it is used. Like all scripts here it needs nothing but Python's standard
library, so that any image with Python can run it.
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

from download import Address, Download, Part
from report import FetchError, megabytes, say
from unpack import in_one_entry, unpack


def fetch(arguments: argparse.Namespace, url: str, headers: str) -> None:
    """Leave the file, or what is in the archive, in the folder `content`, unless it is there already."""
    began = time.monotonic()
    expected = arguments.sha256.lower()
    done, content = arguments.into / "done", arguments.into / "content"
    if done.is_file() and done.read_text() == expected:
        say(f"{arguments.what} is here already, with the SHA-256 {expected}")
        return
    address = Address(arguments.url or url, headers, secret=not arguments.url)
    say(f"Fetching {arguments.what} from {address.shown}")
    partial = arguments.into / "download.part"
    part = Part(partial)
    download = Download(
        address,
        part,
        most=arguments.most_bytes,
        deadline=began + arguments.timeout_seconds,
        ca_file=arguments.ca_file,
    )
    download.run()
    if part.sha256.hexdigest() != expected and download.resumed:
        say("The parts do not fit together: once more from the start")
        part.clear()
        download.run()
    part.close()
    if part.sha256.hexdigest() != expected:
        partial.unlink()
        raise FetchError(
            f"What {address.shown} sent has the SHA-256 {part.sha256.hexdigest()}, not {expected}: it was"
            " deleted. Give the right file, or its checksum in download.sha256."
        )
    times = f", resumed {download.resumed} times" if download.resumed else ""
    seconds = time.monotonic() - began
    say(f"Fetched {megabytes(part.size)} in {seconds:.1f} s{times}; its SHA-256 is {expected} as expected")
    for left in (content, arguments.into / "arriving"):
        shutil.rmtree(left, ignore_errors=True)
    arriving = arguments.into / "arriving"
    arriving.mkdir()
    if arguments.archive:
        size = unpack(partial, arguments.archive, arriving, arguments.most_bytes)
        arriving = in_one_entry(arriving, arguments.entry)
        say(f"Unpacked {megabytes(size)}")
        partial.unlink()
    else:
        place = arriving.joinpath(arguments.entry, *([arguments.file] if arguments.file else []))
        place.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(place)
    arriving.rename(content)
    done.write_text(expected)


def main() -> int:
    """Fetch it; return the exit status, which is 3 where trying again cannot help."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", required=True, help="what it is, for the log")
    parser.add_argument("--into", type=Path, required=True, help="the volume")
    parser.add_argument("--url", help="where it is; FETCH_URL, which is then a secret, unless given")
    parser.add_argument("--sha256", required=True)
    parser.add_argument("--most-bytes", type=int, required=True, metavar="BYTES")
    parser.add_argument("--timeout-seconds", type=float, required=True, metavar="SECONDS")
    parser.add_argument("--entry", help="name of the file or folder that it becomes")
    parser.add_argument("--file", help="name of the file in the folder --entry")
    parser.add_argument("--archive", choices=["tar", "zip"], help="unpack it")
    parser.add_argument("--ca-file", type=Path, help="further authorities to trust")
    arguments = parser.parse_args()
    try:
        fetch(arguments, os.environ.get("FETCH_URL", "").strip(), os.environ.get("FETCH_HEADERS", ""))
    except (FetchError, OSError) as error:
        print(f"{arguments.what} was not fetched. {error}", file=sys.stderr)
        return 3 if isinstance(error, FetchError) and error.final else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
