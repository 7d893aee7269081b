"""The process that owns the sockets: HTTP on an event loop, and the script processes behind it."""
