"""HTTP without sockets and without an event loop: how requests are read and answers are written."""
