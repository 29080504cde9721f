"""The web app as its senders see it."""
