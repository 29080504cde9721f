"""Outcomes of effects: delivered, refused, failed."""
