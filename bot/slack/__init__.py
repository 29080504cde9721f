"""The connection to Slack: Socket Mode, Web API clients, members of the workspace."""
