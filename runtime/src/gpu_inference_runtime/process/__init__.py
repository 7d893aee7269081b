"""The parent process: ports, gunicorn, and the start of the server."""
