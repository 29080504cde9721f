"""Keeping the record: how long, and in how little space."""
