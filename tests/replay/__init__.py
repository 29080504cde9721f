"""Tests of escalation.replay."""
