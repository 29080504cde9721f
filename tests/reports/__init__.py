"""Reports: what is due, what they say, and how Slack, mail and a browser show them."""
