"""Reports for people: what is due when, what is in it, as a document that Slack, mail, browser and terminal render."""
