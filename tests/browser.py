"""The browser that tests drive: Debian's Chromium, by its own driver. `python -m tests.browser` installs it.

It is a program of the tests alone, so that no user of the harness has to have it.
"""

import shutil
import sys

from gpu_inference.errors import GpuInferenceError

COMMAND = f"{sys.executable} -m tests.browser"
PACKAGES = {"chromium": "chromium", "chromedriver": "chromium-driver"}
"""The programs, and the Debian package of each: whatever version Debian has."""


def programs() -> tuple[str, str]:
    """Return the paths of the browser and of its driver.

    Raises:
        GpuInferenceError: one is not installed.
    """
    found = [shutil.which(program) for program in PACKAGES]
    browser, driver = found
    if browser is None or driver is None:
        raise GpuInferenceError(
            f"Not on PATH: {' or '.join(PACKAGES)}, which the tests of web pages need.",
            COMMAND,
        )
    return browser, driver


def install() -> None:
    """Install with apt what is missing.

    Raises:
        GpuInferenceError: there is no apt, this is not root, or apt fails.
    """
    from gpu_inference.progress import Progress
    from gpu_inference_testing.toolchain import debian
    from gpu_inference_testing.toolchain.preflight import missing_packages

    if missing := missing_packages(PACKAGES):
        debian.install(missing, Progress(), command=COMMAND)


if __name__ == "__main__":
    try:
        install()
    except GpuInferenceError as error:
        sys.exit(str(error))
