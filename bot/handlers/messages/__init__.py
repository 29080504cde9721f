"""What becomes of messages in Slack: people's join and leave timelines, those of ours that are deleted come again."""
