"""Slack listeners: commands, buttons, forms, shortcuts and the Home tab."""
