"""Clients of the services that reach people beside Slack and mail: SMS, calls, push."""
