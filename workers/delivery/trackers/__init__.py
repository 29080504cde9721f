"""Planner of tickets in trackers."""
