"""Whole incidents whose people are reached, and whose public is told, outside Slack."""
