"""The script process: it loads the user's entry script and calls it.

The package only needs Python 3.6 and the standard library, so that a service can keep the interpreter and the
packages that it was made with. It never imports `gpu_inference_runtime`, which imports parts of it.
"""
