"""Delivery of Slack messages: planning, posting, updating and rendering them."""
