"""Incidents in Redis: one commit for state, due times and jobs."""
