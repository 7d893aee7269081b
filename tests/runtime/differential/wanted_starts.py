"""Where our server is meant to start, or not to start, otherwise than the incumbent, and why."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class WantedStart:
    """A difference of how a start ends.

    Args:
        reason: why it is meant.
        exits: exit status of the incumbent and of ours; "serves" where there is none.
    """

    reason: str
    exits: tuple[int | str, int | str]


_ONE_SENTENCE = "A setting that the server cannot start with is told in one sentence, with exit status 1."

STARTS: Mapping[str, WantedStart] = {
    "a broken config.json": WantedStart(_ONE_SENTENCE, (3, 1)),
    "a timeout that is no number": WantedStart(_ONE_SENTENCE, (3, 1)),
    "a worker timeout that is no number": WantedStart(_ONE_SENTENCE, (2, 1)),
    "no timeout at all": WantedStart(
        "0 turned the incumbent's timeout off; here a call that never ends must not hold its slot for ever.",
        ("serves", 1),
    ),
    "no worker timeout at all": WantedStart(
        "Likewise: nothing would replace a worker that is stuck.", ("serves", 1)
    ),
    "a switch that is neither": WantedStart(
        "A switch must be one of the usual words; the incumbent takes any other for off.", ("serves", 1)
    ),
    "the script named by the environment alone": WantedStart(
        "AZUREML_ENTRY_SCRIPT is enough, as in v1's images; the incumbent's command wants a flag.",
        (1, "serves"),
    ),
    "no script at all": WantedStart("A built-in script answers with what it gets.", (1, "serves")),
    "--config_file that is missing": WantedStart(
        "A file that was named and is not there is a mistake; the incumbent goes on without it.",
        ("serves", 1),
    ),
}
