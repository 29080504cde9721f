"""People and machines talking to us: the Slack app and the web app."""
