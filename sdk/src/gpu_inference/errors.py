"""The exception for errors that a user can fix."""


class GpuInferenceError(Exception):
    """An error that the user can fix; the command line prints it without a traceback and exits with 1.

    Args:
        what: what is wrong and where, as a sentence.
        cure: how to fix it, as a command if there is one; printed on a line of its own.

    Example:
        raise GpuInferenceError("There is no image x:1.", "List the images: gpu-inference image list")
    """

    def __init__(self, what: str, cure: str | None = None) -> None:
        super().__init__(what if cure is None else f"{what}\n  {cure}")
        self.what = what
        self.cure = cure
