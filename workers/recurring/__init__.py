"""Work that recurs: reminders, calendar feeds, user groups, the objective."""
