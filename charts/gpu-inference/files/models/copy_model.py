"""Copies a model from a volume into the pod before the service starts; an init container of the pod runs it.

It is what `blobfuse_enabled: false` asked of Azure ML v1: the script then reads from the node's disk. Needs
nothing but Python's standard library.
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path


def copy(source: Path, content: Path) -> int:
    """Copy a file or folder into the folder `content`, which then holds nothing else; return its bytes."""
    arriving = content.with_name("arriving")
    for left in (content, arriving):
        shutil.rmtree(left, ignore_errors=True)
    arriving.mkdir()
    if source.is_dir():
        # Links are followed: what they lead to may not be there for the service.
        shutil.copytree(source, arriving / source.name)
    else:
        shutil.copy2(source, arriving / source.name)
    arriving.rename(content)
    return sum(file.stat().st_size for file in content.rglob("*") if file.is_file())


def main() -> int:
    """Copy it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", required=True, help="what it is, for the log")
    parser.add_argument("--source", type=Path, required=True, help="the file or folder")
    parser.add_argument("--into", type=Path, required=True, help="the volume")
    arguments = parser.parse_args()
    began = time.monotonic()
    try:
        size = copy(arguments.source, arguments.into / "content")
    except OSError as error:
        who = f"user {os.getuid()}, group {os.getgid()}"
        print(f"{arguments.what} was not copied: {error} (this container runs as {who})", file=sys.stderr)
        return 1
    print(f"Copied {arguments.what}: {size:,} bytes in {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
