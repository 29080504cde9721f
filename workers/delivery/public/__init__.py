"""Planners of what the public reads."""
