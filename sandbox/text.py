"""Slack's control characters: what people type and what apps send, as it is stored."""

import re

from sandbox.state import Workspace

# <@U…>, <#C…>, <!here>, links: what Slack keeps when an app sends it.
CONTROL = re.compile(r"<(?:[@#!][^<>]+|(?:https?|mailto|tel):[^<>]+)>")
LONE_AMPERSAND = re.compile(r"&(?!amp;|lt;|gt;)")
NAME = re.compile(r"(?<![\w<@])@([a-z0-9][\w.-]*)", re.IGNORECASE)
ROOM = re.compile(r"(?<![\w<&])#([a-z0-9_-]+)")
BROADCASTS = frozenset({"here", "channel", "everyone"})
LONGEST = 40_000


def escaped(text: str) -> str:
    """What someone typed, with the three characters that Slack escapes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def from_app(text: str) -> str:
    """An app's text: control sequences stay, stray brackets and ampersands are escaped; cut at 40,000."""
    pieces, position = [], 0
    for found in CONTROL.finditer(text):
        pieces += [_stray(text[position : found.start()]), found.group()]
        position = found.end()
    return "".join([*pieces, _stray(text[position:])])[:LONGEST]


def from_person(workspace: Workspace, text: str) -> str:
    """What a person typed: escaped, with @names, @here and #channels turned into mentions."""
    return mentions(workspace, escaped(text), broadcasts=True)


def mentions(workspace: Workspace, text: str, broadcasts: bool) -> str:
    """Turn @name, @group and #channel into control sequences where such a person, group or channel exists."""

    def named(found: re.Match[str]) -> str:
        return _mention(workspace, found.group(1), broadcasts) or found.group()

    def room(found: re.Match[str]) -> str:
        channel = workspace.channel_named(found.group(1))
        return f"<#{channel.id}|{channel.name}>" if channel and channel.kind == "public" else found.group()

    return ROOM.sub(room, NAME.sub(named, text))


def _mention(workspace: Workspace, name: str, broadcasts: bool) -> str | None:
    person = workspace.person_named(name)
    if person is not None:
        return f"<@{person.id}>" if broadcasts else f"<@{person.id}|{person.name}>"
    group = workspace.group_named(name)
    if group is not None:
        return f"<!subteam^{group.id}|@{group.handle}>"
    return f"<!{name}>" if broadcasts and name in BROADCASTS else None


def _stray(text: str) -> str:
    return LONE_AMPERSAND.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def is_mentioned(workspace: Workspace, user: str, text: str) -> bool:
    """Whether the text calls this person: by id, by a broadcast or through a user group."""
    if f"<@{user}" in text or any(f"<!{word}" in text for word in BROADCASTS):
        return True
    groups = (g.id for g in workspace.usergroups.values() if user in g.users and not g.deleted)
    return any(f"<!subteam^{group}" in text for group in groups)
