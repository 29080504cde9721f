"""Incidents as Slack messages and views."""
