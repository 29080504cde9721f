"""Reports as Slack and mail show them. Pure."""
