"""Clients of the services that reviews are published in."""
