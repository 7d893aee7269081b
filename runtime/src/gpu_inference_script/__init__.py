"""What runs in a script process: the user's entry script and all that it meets there.

The package needs Python 3.6 or later and the standard library alone, so that a service can keep the
interpreter and the packages that it was made with. It never imports `gpu_inference_runtime`, which imports
parts of it.
"""
