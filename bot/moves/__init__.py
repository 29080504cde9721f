"""Moves in Slack: the command, button and form of each."""
