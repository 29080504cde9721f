"""Incidents in Redis: state, due times and jobs in one commit."""
