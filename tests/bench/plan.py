"""What is measured in slices: which servers at which work, and the goals that the ratios are held to."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.servers import Spec


@dataclass(frozen=True)
class Contender:
    """A server as its clients use it: two contenders may be one server that speaks two protocols."""

    name: str
    program: str
    mode: str = "plain"
    form: str | None = None
    """The protocol, where it is not the server's usual one."""

    def spec(self, model: str, cores: int) -> Spec:
        """Return the server that it is, with a model."""
        return Spec(self.program, model, cores, self.mode)


CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender("incumbent", "incumbent"),
        Contender("ours", "ours"),
        Contender("ours merge", "ours", "merge"),
        Contender("ours merge+fast_json", "ours", "merge+fast_json"),
        Contender("ours array", "ours", "array"),
        Contender("ours npy", "ours", "array", "npy"),
        Contender("ours schema", "ours", "schema, front end"),
        Contender("ours array, front end", "ours", "array, front end"),
        Contender("ours two scripts", "ours", "two scripts"),
        Contender("KServe", "kserve"),
        Contender("PyTriton", "pytriton"),
        Contender("PyTriton binary", "pytriton", form="v2 binary"),
        Contender("MLServer", "mlserver"),
        Contender("MLServer batching", "mlserver batching"),
    )
}
RIVALS = ("KServe", "PyTriton")
ALL_RIVALS = (*RIVALS, "MLServer", "MLServer batching")


@dataclass(frozen=True)
class Group:
    """Slices that are compared with each other: one kind of work, one number of connections."""

    rows: tuple[int, ...]
    """The lines of the table of goals that need it; none: for the plots."""
    model: str
    work: str
    connections: int
    contenders: tuple[str, ...]
    cores: int = 1
    seconds: float = 1.0
    rounds: float = 1.0
    """How many of the usual rounds it takes part in, as a share."""
    refusal: bool = False
    """Whether answers of 4xx and 5xx are what is asked for."""

    @property
    def name(self) -> str:
        """What the slices are called in files and tables."""
        return f"{self.model}, {self.work}, {self.cores}c, c={self.connections}"


@dataclass(frozen=True)
class Goal:
    """One number of the table of goals: a contender's ratio to the incumbent in one group."""

    row: int
    what: str
    group: str
    contender: str
    goal: float
    spike: str = "-"
    rival: str = "-"
    """The best peer when the goal was set."""
    measure: str = "rate"
    """`rate`, `p99` or `cpu`: of the last two the incumbent's is divided by ours."""


def groups(full: bool) -> list[Group]:
    """Return every group of slices of the short or the full benchmark."""
    rivals = ALL_RIVALS if full else RIVALS
    echo = ("incumbent", "ours")
    modes = ("ours", "ours merge", "ours merge+fast_json", "ours array")
    wide = ("incumbent", "ours array", "ours npy", *rivals, "PyTriton binary")
    short = [
        *(Group((1, 8), "echo", "row", connections, echo) for connections in (1, 8, 64)),
        Group((9,), "echo", "bytes 1500000", 8, echo, seconds=1.5),
        Group((2,), "numpy", "row", 64, echo),
        *(
            Group(
                (14,),
                "numpy",
                fault,
                8,
                (*echo, "ours schema", "ours array, front end"),
                seconds=0.7,
                rounds=0.4,
                refusal=True,
            )
            for fault in ("not-json", "no-key", "ragged", "too-wide")
        ),
        Group((2, 11), "numpy", "row", 64, (*echo, "ours two scripts"), cores=2),
        Group((2, 4), "tensorflow", "row", 1, ("incumbent", "ours", "ours array", *rivals)),
        Group((), "tensorflow", "row", 8, ("incumbent", *modes, *rivals), rounds=0.4),
        Group((2, 3, 4, 8), "tensorflow", "row", 64, ("incumbent", *modes, *rivals)),
        Group((10,), "tensorflow", "rows 256", 8, wide, seconds=1.5),
        Group((3,), "tensorflow", "row", 64, ("incumbent", "ours merge+fast_json"), cores=2),
        Group((5,), "gpu", "row", 64, ("incumbent", *modes, *rivals)),
        Group((6,), "gpu", "row", 8, ("incumbent", "ours array", *rivals)),
        Group((7,), "gil", "row", 64, ("incumbent", "ours merge")),
    ]
    return short + (_curves() if full else [])


def _curves() -> list[Group]:
    rows = [
        Group(
            (), "tensorflow", f"rows {count}", 8, ("incumbent", "ours", "ours array", "ours npy"), rounds=0.4
        )
        for count in (1, 4, 16, 64, 1024, 4096)
    ]
    connections = [
        Group(
            (),
            "tensorflow",
            "row",
            count,
            ("incumbent", "ours", "ours merge+fast_json", "ours array", *RIVALS),
            rounds=0.4,
        )
        for count in (2, 4, 16, 32, 128, 256, 512, 1000, 2000)
    ]
    bodies = [
        Group((), "echo", f"bytes {size}", 2, ("incumbent", "ours"), seconds=2.0, rounds=0.4)
        for size in (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
    ]
    return rows + connections + bodies


GOALS = (
    Goal(1, "echo, 6 kB, 1c, c=1", "echo, row, 1c, c=1", "ours", 4.5, "4.7"),
    Goal(1, "echo, 6 kB, 1c, c=8", "echo, row, 1c, c=8", "ours", 13, "14"),
    Goal(1, "echo, 6 kB, 1c, c=64", "echo, row, 1c, c=64", "ours", 17, "19"),
    Goal(
        2,
        "article's script, no option, TF, 1c, c=64",
        "tensorflow, row, 1c, c=64",
        "ours",
        2.3,
        "2.44",
        "1.6",
    ),
    Goal(2, "the same with numpy, 1c, c=64", "numpy, row, 1c, c=64", "ours", 3.3, "3.6"),
    Goal(2, "the same with numpy, 2c, c=64", "numpy, row, 2c, c=64", "ours", 3.8, "4.0"),
    Goal(3, "merged, TF, 1c, c=64", "tensorflow, row, 1c, c=64", "ours merge", 5, "5.1"),
    Goal(
        3,
        "merged + fast JSON, TF, 1c, c=64",
        "tensorflow, row, 1c, c=64",
        "ours merge+fast_json",
        15,
        "15-16",
    ),
    Goal(
        3, "merged + fast JSON, TF, 2c, c=64", "tensorflow, row, 2c, c=64", "ours merge+fast_json", 18, "19"
    ),
    Goal(4, "array contract, TF, 1c, c=1", "tensorflow, row, 1c, c=1", "ours array", 2.5, "2.7", "2.7"),
    Goal(4, "array contract, TF, 1c, c=64", "tensorflow, row, 1c, c=64", "ours array", 28, "28-33", "2.7"),
    Goal(5, "GPU stand-in, merged, c=64", "gpu, row, 1c, c=64", "ours merge", 12, "12.4", "7.5"),
    Goal(
        5,
        "GPU stand-in, merged + fast JSON, c=64",
        "gpu, row, 1c, c=64",
        "ours merge+fast_json",
        28,
        "29.5",
        "7.5",
    ),
    Goal(5, "GPU stand-in, array contract, c=64", "gpu, row, 1c, c=64", "ours array", 40, "42", "7.5"),
    Goal(
        6,
        "GPU stand-in, array contract, c=8",
        "gpu, row, 1c, c=8",
        "ours array",
        7,
        "5.6; 8.9 with a batch wait",
    ),
    Goal(7, "stand-in that holds the GIL, merged, c=64", "gil, row, 1c, c=64", "ours merge", 12, "12.6"),
    Goal(8, "1/p99, echo, c=64", "echo, row, 1c, c=64", "ours", 13, "15", "2.2", "p99"),
    Goal(
        8,
        "1/p99, array contract, TF, c=64",
        "tensorflow, row, 1c, c=64",
        "ours array",
        17,
        "18",
        "2.2",
        "p99",
    ),
    Goal(9, "echo, 1.5 MB JSON, 1c, c=8", "echo, bytes 1500000, 1c, c=8", "ours", 1.9, "2.04"),
    Goal(
        10,
        "256 rows, JSON, array contract, TF",
        "tensorflow, rows 256, 1c, c=8",
        "ours array",
        12,
        "13",
        "3.7",
    ),
    Goal(10, "256 rows, .npy, TF", "tensorflow, rows 256, 1c, c=8", "ours npy", 20, "-", "9.5"),
    Goal(11, "two script processes, numpy, 2c, c=64", "numpy, row, 2c, c=64", "ours two scripts", 5, "5.4"),
    Goal(14, "1/CPU, malformed: not JSON", "numpy, not-json, 1c, c=8", "ours schema", 5, measure="cpu"),
    Goal(14, "1/CPU, malformed: key missing", "numpy, no-key, 1c, c=8", "ours schema", 5, measure="cpu"),
    Goal(14, "1/CPU, malformed: ragged rows", "numpy, ragged, 1c, c=8", "ours schema", 5, measure="cpu"),
    Goal(
        14, "1/CPU, malformed: a column too many", "numpy, too-wide, 1c, c=8", "ours schema", 5, measure="cpu"
    ),
)
"""Every goal that is a ratio of slices. Rows 12, 13 and 15 are measured in their own ways."""


def servers_of(some: Sequence[Group]) -> dict[tuple[str, int], list[Group]]:
    """Return the groups that can share servers: those of one model on as many cores."""
    shared: dict[tuple[str, int], list[Group]] = {}
    for group in some:
        shared.setdefault((group.model, group.cores), []).append(group)
    return shared
