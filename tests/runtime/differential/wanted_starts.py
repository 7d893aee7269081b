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
    "a timeout with a fraction": WantedStart(_ONE_SENTENCE, (3, 1)),
    "a timeout in config.json that is no number": WantedStart(_ONE_SENTENCE, (3, 1)),
    "a debugger's port that is no number": WantedStart(_ONE_SENTENCE, (3, 1)),
    "an app root that is a file": WantedStart(_ONE_SENTENCE, (3, 1)),
    "a config.json that is a list": WantedStart(_ONE_SENTENCE, (3, 1)),
    "--config_file that is a folder": WantedStart(_ONE_SENTENCE, (3, 1)),
    "--config_file that is missing, and no script": WantedStart(_ONE_SENTENCE, (3, 1)),
    "a script that is in the app root alone": WantedStart(
        "A flag's path that is not in the working directory is looked for in the app root.", (3, "serves")
    ),
    "the script named by the environment alone": WantedStart(
        "AZUREML_ENTRY_SCRIPT is enough, as in v1's images; the incumbent's command wants a flag.",
        (1, "serves"),
    ),
    "no script at all": WantedStart("A built-in script answers with what it gets.", (1, "serves")),
}
