"""Processes: wiring, supervision, Redis and logs."""
