"""What people read, as lines of text without Slack markup."""
