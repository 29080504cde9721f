"""`tocsin doctor`: health checks of settings, configuration, Redis, Slack, mail and PagerDuty."""
