"""Answers and mails from outside Slack: what names a page, what guards it, and which incident a mail is about."""
