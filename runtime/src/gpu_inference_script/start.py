"""The program that the front process starts for each script process: `python start.py JSON` (see worker.py).

It loads the package from its own folder and leaves `sys.path` as the interpreter made it, without that
folder: no module of the server may hide one of the script's.
"""

import importlib.util
import os
import sys

_PACKAGE = "gpu_inference_script"


def main() -> None:
    """Become a script process."""
    folder = os.path.dirname(os.path.abspath(__file__))
    # Python puts the folder of the program first, unless it runs in safe-path mode.
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
    from gpu_inference_script import worker

    worker.main(sys.argv[1])


# Processes that the script starts by `multiprocessing`'s spawn import this file again.
if __name__ == "__main__":
    main()
