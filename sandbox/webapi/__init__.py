"""The Web API: one small function for each method, in one registry."""

from sandbox.webapi import (
    basics,
    chat,
    dnd,
    documents,
    files,
    history,
    keepsakes,
    membership,
    people,
    rooms,
    scheduled,
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
    "dnd",
    "documents",
    "files",
    "history",
    "keepsakes",
    "membership",
    "people",
    "rooms",
    "scheduled",
    "usergroups",
    "views",
]
