"""Channels beside Slack: contact methods of people, and other paging services."""
