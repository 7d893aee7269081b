"""The one kind of error that is raised on purpose: what is wrong, where, and what to do."""


class GpuInferenceError(Exception):
    """Something the user can act on; the command line prints it as one sentence and exits with 1.

    Args:
        what: what is wrong and where, as a sentence.
        cure: what to do about it (a command, where one exists); printed on a line of its own.
    """

    def __init__(self, what: str, cure: str | None = None) -> None:
        super().__init__(what if cure is None else f"{what}\n  {cure}")
        self.what = what
        self.cure = cure
