"""What becomes of messages in Slack."""
