"""The life of a scoring request: admission, queue, time limits, outcome. No HTTP and no threads."""
