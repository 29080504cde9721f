"""On call: the schedule, overrides, handovers, coverage and recurring reminders."""
