"""Inbound requests: the Slack app and the web app."""
