"""Recurring work: reminders, calendar feeds, user groups, the objective."""
