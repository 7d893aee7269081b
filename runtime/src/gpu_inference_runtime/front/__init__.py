"""The process that owns the sockets: HTTP on an event loop, the script processes behind it, gunicorn's worker around it."""
