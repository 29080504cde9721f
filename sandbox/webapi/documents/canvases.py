"""canvases.*: documents of Markdown blocks, each with an id that only holds until the next edit, as in Slack.

Shapes and errors: https://docs.slack.dev/reference/methods/canvases.edit and its siblings.
"""

import re
from collections.abc import Iterable
from typing import Any

from sandbox.records import Canvas, Json
from sandbox.state import Workspace
from sandbox.webapi.registry import Call, SlackError, method, writable

LARGEST = 1_048_576  # characters of Markdown in one call
SIGNS = re.compile(r"\\([\\`*_\[\]<>|#])")
HEADING = re.compile(r"(#{1,3}) ")
LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)]) ")
KINDS = {"any_header": ("#", "##", "###"), "h1": ("#",), "h2": ("##",), "h3": ("###",)}


def blocks_of(markdown: str) -> list[str]:
    """Cut Markdown into blocks: each heading and each item of a list by itself, paragraphs, fenced code whole."""
    blocks: list[str] = []
    fenced = joined = False
    for line in markdown.splitlines():
        fence = line.lstrip().startswith("```")
        alone = not fenced and not fence and bool(HEADING.match(line) or LIST_ITEM.match(line))
        if fenced or (joined and line.strip() and not alone and not fence):
            blocks[-1] += f"\n{line}"
        elif line.strip():
            blocks.append(line)
        fenced ^= fence
        joined = bool(line.strip()) and not HEADING.match(line)
    return blocks


def text_of(row: Canvas) -> str:
    """The whole canvas as Markdown: items of a list stand together, an empty line between all else."""
    parts: list[str] = []
    for block in row.sections.values():
        together = parts and LIST_ITEM.match(block) and LIST_ITEM.match(parts[-1])
        parts += ["\n" if together else "\n\n", block] if parts else [block]
    return "".join(parts) + "\n" if parts else ""


def content_of(call: Call, holder: Json | None = None) -> list[str]:
    content: Any = (holder or {}).get("document_content") if holder is not None else None
    if holder is None:
        content = call.structure("document_content", "invalid_arguments") or {"type": "markdown", "markdown": ""}
    if not isinstance(content, dict) or content.get("type") != "markdown" or not isinstance(content["markdown"], str):
        raise SlackError("invalid_arguments")
    if len(content["markdown"]) > LARGEST:
        raise SlackError("canvas_too_large")
    return blocks_of(content["markdown"])


def identified(workspace: Workspace, blocks: Iterable[str]) -> dict[str, str]:
    """Give each block a new id."""
    return {f"temp:C:{workspace.fresh_id('S')}": block for block in blocks}


def put(workspace: Workspace, row: Canvas, markdown: str) -> Canvas:
    """Store what a person made of a canvas."""
    workspace.canvases[row.id] = row.changed(sections=identified(workspace, blocks_of(markdown)))
    return workspace.canvases[row.id]


def named(call: Call) -> Canvas:
    row = call.workspace.canvases.get(call.text("canvas_id"))
    if row is None:
        raise SlackError("canvas_not_found")
    return row


def make(call: Call, **fields: Any) -> Json:
    workspace, blocks = call.workspace, content_of(call)
    key = workspace.fresh_id("F")
    workspace.canvases[key] = Canvas(
        id=key,
        title=call.text("title") or "Untitled",
        sections=identified(workspace, blocks),
        created=int(workspace.now()),
        **fields,
    )
    return {"canvas_id": key}


@method("canvases.create", "tier2", "canvases:write")
def create(call: Call) -> Json:
    channel = call.member_channel(name="channel_id") if call.text("channel_id") else None
    return make(call, channels=(channel.id,) if channel else ())


@method("conversations.canvases.create", "tier2", "canvases:write", ["channel_id"])
def create_in_channel(call: Call) -> Json:
    channel = writable(call.member_channel(name="channel_id"))
    if any(row.tab == channel.id for row in call.workspace.canvases.values()):
        raise SlackError("channel_canvas_already_exists")
    return make(call, channels=(channel.id,), tab=channel.id)


@method("canvases.delete", "tier3", "canvases:write", ["canvas_id"])
def delete(call: Call) -> Json:
    del call.workspace.canvases[named(call).id]
    return {}


@method("canvases.access.set", "tier3", "canvases:write", ["canvas_id", "access_level"])
def set_access(call: Call) -> Json:
    row, channels, users = named(call), call.words("channel_ids"), call.words("user_ids")
    if bool(channels) == bool(users):
        raise SlackError("invalid_parameters")
    if any(channel not in call.workspace.channels for channel in channels):
        raise SlackError("channel_not_found")
    if any(user not in call.workspace.users for user in users):
        raise SlackError("user_not_found")
    fields = {"channels": _more(row.channels, channels), "users": _more(row.users, users)}
    call.workspace.canvases[row.id] = row.changed(**fields)
    return {}


@method("canvases.access.delete", "tier3", "canvases:write", ["canvas_id"])
def delete_access(call: Call) -> Json:
    row, channels, users = named(call), call.words("channel_ids"), call.words("user_ids")
    if bool(channels) == bool(users):
        raise SlackError("invalid_parameters")
    left = {
        "channels": tuple(key for key in row.channels if key not in channels),
        "users": tuple(key for key in row.users if key not in users),
    }
    call.workspace.canvases[row.id] = row.changed(**left)
    return {}


def _more(before: tuple[str, ...], added: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*before, *added)))


@method("canvases.getContent", "tier3", "canvases:read", ["canvas_id"])
def content(call: Call) -> Json:
    """Only as Markdown; the HTML that Slack also gives is not served here."""
    return {"content": text_of(named(call))}


@method("canvases.sections.lookup", "tier3", "canvases:read", ["canvas_id", "criteria"])
def look_up(call: Call) -> Json:
    row, criteria = named(call), call.structure("criteria", "invalid_arguments")
    if not isinstance(criteria, dict) or not criteria:
        raise SlackError("invalid_arguments")
    kinds = tuple(sign for kind in criteria.get("section_types") or () for sign in KINDS.get(kind, ()))
    words = str(criteria.get("contains_text") or "")
    found = [key for key, block in row.sections.items() if _meets(block, kinds, words)]
    return {"sections": [{"id": key} for key in found]}


def _meets(block: str, kinds: tuple[str, ...], words: str) -> bool:
    heading = HEADING.match(block)
    return (not kinds or (heading is not None and heading[1] in kinds)) and words in SIGNS.sub(r"\1", block)


@method("canvases.edit", "tier3", "canvases:write", ["canvas_id", "changes"])
def edit(call: Call) -> Json:
    row, changes = named(call), call.structure("changes", "invalid_arguments")
    if not isinstance(changes, list) or len(changes) != 1 or not isinstance(changes[0], dict):
        raise SlackError("invalid_arguments")
    blocks = list(row.sections.items())
    changed = _changed(blocks, changes[0], call)
    call.workspace.canvases[row.id] = row.changed(sections=identified(call.workspace, changed))
    return {}


def _changed(blocks: list[tuple[str, str]], change: Json, call: Call) -> list[str]:
    """The blocks after one change; the ids of before mean nothing any more."""
    texts, operation = [block for _, block in blocks], change.get("operation")
    new = [] if operation == "delete" else content_of(call, change)
    at = next((n for n, (key, _) in enumerate(blocks) if key == change.get("section_id")), None)
    if operation in ("insert_after", "insert_before", "delete") and at is None:
        raise SlackError("canvas_editing_failed")
    match operation, at:
        case "insert_at_start", _:
            return [*new, *texts]
        case "insert_at_end", _:
            return [*texts, *new]
        case "insert_after", int():
            return [*texts[: at + 1], *new, *texts[at + 1 :]]
        case "insert_before", int():
            return [*texts[:at], *new, *texts[at:]]
        case "delete", int():
            return [*texts[:at], *texts[at + 1 :]]
        case "replace", _:
            return new if at is None else [*texts[:at], *new, *texts[at + 1 :]]
    raise SlackError("invalid_arguments")
