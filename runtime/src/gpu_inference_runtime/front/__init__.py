"""The front process: it serves HTTP on an event loop, and runs the script processes behind it."""
