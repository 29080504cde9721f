"""The domain: incidents, their policies, and what follows from each event. No Slack, no RQ, no HTTP, no clock."""
