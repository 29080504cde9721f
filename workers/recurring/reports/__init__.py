"""Scheduled reports: written when they are due, for a channel or as a mail."""
