"""The processes of an embedded cluster's node, as the host sees them."""

from pathlib import Path


def descendants(pid: int) -> set[int]:
    """Return a process and all below it: as the node is a process namespace, all that runs in it."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[0] != "Z":
                parents[int(folder.name)] = int(fields[1])
    found = {pid} & set(parents)
    while new := {child for child, parent in parents.items() if parent in found} - found:
        found |= new
    return found
