"""Clients of the trackers that tickets are in."""
