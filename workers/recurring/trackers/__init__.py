"""Recurring work with trackers."""
