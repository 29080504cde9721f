"""`tocsin doctor`: health checks of settings, configuration, Redis and Slack."""
