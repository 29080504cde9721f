"""Tests of published reviews."""
