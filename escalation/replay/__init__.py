"""Replay of past incidents through a changed policy."""
