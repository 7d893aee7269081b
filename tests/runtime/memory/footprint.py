"""How much memory a server takes: all of its processes together, whatever else the machine runs."""

from dataclasses import dataclass
from pathlib import Path

MIB = 1024  # in KiB, the unit of /proc


@dataclass(frozen=True)
class Footprint:
    """Memory of a server, KiB.

    Args:
        own: what its processes wrote (heaps, stacks, shared memory); what a fork shares is counted once.
        files: pages of programs and libraries; of several processes the one with most of them counts, as they
            map the same ones.
    """

    own: int
    files: int

    @property
    def total(self) -> int:
        return self.own + self.files


def footprint(session: int) -> Footprint:
    """Return the footprint of all processes of a session, which is named after the process that began it.

    Pss of files is not taken: it is the less, the more other servers run on the machine.
    """
    own, files = 0, [0]
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if _session_of(folder) != session:
                continue
            rollup, status = _fields(folder / "smaps_rollup"), _fields(folder / "status")
        # It has ended meanwhile.
        except (FileNotFoundError, ProcessLookupError):
            continue
        own += rollup["Pss_Anon"] + rollup["Pss_Shmem"]
        files.append(status["RssFile"])
    return Footprint(own, max(files))


def _session_of(folder: Path) -> int:
    # The name, in brackets, may hold anything.
    return int((folder / "stat").read_text().rpartition(")")[2].split()[3])


def _fields(path: Path) -> dict[str, int]:
    """Return the file's lines that end in `kB`."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) == 3 and words[2] == "kB"}
