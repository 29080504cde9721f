"""Messages to people, as lines of text without Slack markup."""
