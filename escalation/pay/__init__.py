"""On-call pay: minutes from effective cover, times rates. A report is a draft until somebody marks it final."""
