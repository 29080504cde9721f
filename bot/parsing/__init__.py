"""Parsers of the commands typed after /incident."""
