"""Roles of the response."""

from enum import StrEnum


class Lead(StrEnum):
    """Roles of the response that one person at a time holds."""

    COMMANDER = "commander"
    COMMUNICATIONS = "communications"
    SCRIBE = "scribe"
