"""The command `gpu-inference-server`."""

import os
import signal
import sys
from pathlib import Path

from gpu_inference_runtime.process.startup import enter_app_root, log_startup
from gpu_inference_runtime.settings import SettingsError, load_settings
from gpu_inference_script.log_setup import LoggingConfigurationError, configure_logging


def main() -> int:
    """Serve with the settings from the command line and the environment.

    Returns:
        The exit status: 0 after a requested stop, 1 for an invalid setting or an unavailable port, 3 if the
        script could not be started.
    """
    # gunicorn handles SIGTERM once it runs. Until then the kernel would not deliver it to a container's first
    # process, and the pod would stay for its whole grace period (docs/decisions.md 56).
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    remove_working_directory_from_path()
    try:
        settings = load_settings(sys.argv[1:], os.environ)
        enter_app_root(settings)
        configure_logging(
            settings.log_format, settings.log_level, str(settings.app_root), settings.entry_script
        )
    except (SettingsError, LoggingConfigurationError) as error:
        print(f"gpu-inference-server: {error}", file=sys.stderr)
        return 1
    log_startup(settings, os.environ)
    # Imported here, so that a bad setting is reported without waiting for the import of gunicorn.
    from gpu_inference_runtime.process.server import serve

    return serve(settings)


def remove_working_directory_from_path() -> None:
    """Undo what `python -m` adds to `sys.path`: the user's files must not hide packages."""
    # docs/decisions.md 68
    if not sys.flags.safe_path and sys.path[0] == str(Path.cwd()):
        del sys.path[0]


if __name__ == "__main__":
    sys.exit(main())
