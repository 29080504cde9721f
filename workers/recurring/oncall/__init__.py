"""Recurring work about people on call."""
