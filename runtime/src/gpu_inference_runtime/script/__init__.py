"""The user's entry script: how it is loaded, what `run()` gets, what becomes of its result, its thread."""
