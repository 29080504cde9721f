"""Interfaces of other paging tools, which their clients can use unchanged, and their own webhooks."""
