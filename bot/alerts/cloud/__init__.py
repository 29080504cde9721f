"""Alarms of cloud providers."""
