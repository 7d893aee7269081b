"""The command `gpu-inference-server`."""

import os
import signal
import sys

from gpu_inference_runtime.settings import SettingsError, load_settings


def main() -> int:
    """Serve with the settings of the command line and the environment; return the exit status.

    0 after a stop that was asked for, 1 for a setting or port it cannot start with, 3 when the script
    could not be started.
    """
    # gunicorn handles it from its own start on. Until then the kernel would withhold it from a container's
    # first process, and the pod would only end when its whole grace period is over.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        settings = load_settings(sys.argv[1:], os.environ)
    except SettingsError as error:
        print(f"gpu-inference-server: {error}", file=sys.stderr)
        return 1
    # Only now: a wrong setting is told before Flask and gunicorn are imported.
    from gpu_inference_runtime.server import serve

    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
