"""The connection to Slack: Socket Mode, the Web API client, who is a member."""
