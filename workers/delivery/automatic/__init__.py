"""Planners of what is done in the systems of the company."""
