"""Decisions: from an incident and an event to the next incident and its effects. Pure."""
