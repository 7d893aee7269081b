"""Observability: access log, metrics and traces."""
