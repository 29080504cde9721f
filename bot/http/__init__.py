"""The web app: Slack over HTTP, health and metrics."""
