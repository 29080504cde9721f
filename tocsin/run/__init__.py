"""Processes: wiring, supervision, the Redis client, the embedded server and logs."""
