"""Incident: its state, the events that change it, the effects that follow."""
