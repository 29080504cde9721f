"""Commands about on call."""
