"""The command `gpu-inference-server`."""

import os
import signal
import sys
from pathlib import Path

from gpu_inference_runtime.process.startup import announce, enter_app_root
from gpu_inference_runtime.settings import SettingsError, load_settings
from gpu_inference_script.log_setup import LoggingConfigurationError, configure_logging


def main() -> int:
    """Serve with the settings of the command line and the environment; return the exit status.

    0 after a stop that was asked for, 1 for a setting or port it cannot start with, 3 when the script
    could not be started.
    """
    # gunicorn handles it from its own start on. Until then the kernel would withhold it from a container's
    # first process, and the pod would only end when its whole grace period is over (docs/decisions.md 56).
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    leave_working_directory_off_the_path()
    try:
        settings = load_settings(sys.argv[1:], os.environ)
        enter_app_root(settings)
        configure_logging(
            settings.log_format, settings.log_level, str(settings.app_root), settings.entry_script
        )
    except (SettingsError, LoggingConfigurationError) as error:
        print(f"gpu-inference-server: {error}", file=sys.stderr)
        return 1
    announce(settings, os.environ)
    # Only now: a wrong setting is told before Flask and gunicorn are imported.
    from gpu_inference_runtime.process.server import serve

    return serve(settings)


def leave_working_directory_off_the_path() -> None:
    """Undo what `python -m` does: no file of the user's must hide a package. The app root comes last."""
    # docs/decisions.md 68
    if not sys.flags.safe_path and sys.path[0] == str(Path.cwd()):
        del sys.path[0]


if __name__ == "__main__":
    sys.exit(main())
