"""Alerts coming in: one small module for each source, found by name, which reads a body that was kept as it came."""
