"""The Web API: one small function for each method, in one registry."""

from sandbox.webapi import (
    basics,
    chat,
    files,
    history,
    keepsakes,
    membership,
    people,
    rooms,
    usergroups,
    views,
)
from sandbox.webapi.registry import METHODS, Call, Method, SlackError

__all__ = [
    "METHODS",
    "Call",
    "Method",
    "SlackError",
    "basics",
    "chat",
    "files",
    "history",
    "keepsakes",
    "membership",
    "people",
    "rooms",
    "usergroups",
    "views",
]
