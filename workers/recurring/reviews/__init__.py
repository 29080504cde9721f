"""Recurring work with reviews."""
