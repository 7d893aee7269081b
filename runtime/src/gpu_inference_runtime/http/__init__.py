"""HTTP without sockets or an event loop: reading requests and writing responses."""
