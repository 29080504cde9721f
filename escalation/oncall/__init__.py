"""Who is on call: the schedule, overrides, handovers, coverage, and the reminders that recur."""
