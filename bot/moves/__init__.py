"""How each move is made in Slack: its command, its button, its form."""
