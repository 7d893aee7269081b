"""The processes: the server and its workers, probes, start and end."""
