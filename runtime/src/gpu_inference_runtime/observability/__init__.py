"""What one sees of the service from outside: log, metrics, traces."""
