"""What a trial that is no ratio of slices has found."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One line of the table of goals."""

    row: int
    what: str
    goal: str
    reached: str
    met: bool | None
    """None: there is no goal, or nothing was measured."""
    value: float | None = None
    """A number that is better the larger it is, to compare with the stored one."""
    peer: str = "-"
    """The best of the peers in the same run."""
    cpu: str = "-"
    """Processor time a request: ours, the incumbent's."""
    spike: str = "-"
    """What the prototypes reached, or where the limit lies."""
    details: dict[str, Any] = field(default_factory=dict)
