"""Clients of what the public reads."""
