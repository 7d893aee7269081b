"""The program of a script process: the front runs `python start.py JSON` (see main.py).

It loads the package from its own folder, but keeps that folder off `sys.path`, so that no module of the
server hides one of the script's.
"""

import importlib.util
import os
import sys

_PACKAGE = "gpu_inference_script"


def main() -> None:
    """Load the package and run the script process."""
    folder = os.path.dirname(os.path.abspath(__file__))
    # Python puts the program's folder first, except in safe-path mode.
    if sys.path and os.path.abspath(sys.path[0]) == folder:
        del sys.path[0]
    if _PACKAGE not in sys.modules:
        path = os.path.join(folder, "__init__.py")
        spec = importlib.util.spec_from_file_location(_PACKAGE, path, submodule_search_locations=[folder])
        assert spec is not None
        assert spec.loader is not None
        package = importlib.util.module_from_spec(spec)
        sys.modules[_PACKAGE] = package
        spec.loader.exec_module(package)
    from gpu_inference_script.main import run

    run(sys.argv[1])


# Processes that the script spawns with `multiprocessing` import this file again.
if __name__ == "__main__":
    main()
