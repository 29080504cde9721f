"""A local Slack workspace: Web API, Socket Mode, a page for people, faults on demand."""
