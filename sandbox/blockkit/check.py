"""What Slack refuses in the blocks of a message and in a view.

Limits: https://docs.slack.dev/reference/block-kit/blocks and https://docs.slack.dev/reference/views
"""

from collections.abc import Iterator
from typing import Any

from sandbox.blockkit import data
from sandbox.blockkit import elements as el
from sandbox.blockkit.grammar import (
    Check,
    anything,
    array,
    by_type,
    choice,
    complaint,
    either,
    exactly_one,
    flag,
    integer,
    record,
    string,
)
from sandbox.records import Json

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100

STYLES = ("bold", "italic", "strike", "underline", "code", "highlight", "client_highlight", "unlink")
STYLED: dict[str, Check] = {"style": record({}, dict.fromkeys(STYLES, flag), either(*STYLES))}
LEAVES: dict[str, tuple[dict[str, Check], dict[str, Check]]] = {
    "text": ({"text": string(0, 0)}, {}),
    "link": ({"url": string(0, 0)}, {"text": string(0, 0), "unsafe": flag}),
    "user": ({"user_id": el.USER}, {}),
    "usergroup": ({"usergroup_id": string(pattern=r"^S[A-Z0-9]+$")}, {}),
    "team": ({"team_id": string(pattern=r"^T[A-Z0-9]+$")}, {}),
    "channel": ({"channel_id": el.ROOM}, {}),
    "emoji": ({"name": string()}, {"skin_tone": integer(1, 6), "unicode": string()}),
    "broadcast": ({"range": choice("here", "channel", "everyone")}, {}),
    "color": ({"value": string(pattern=r"^#?[0-9a-fA-F]{6}$")}, {}),
    "date": (
        {"timestamp": integer(), "format": string()},
        {"url": string(0, 0), "fallback": string(0, 0)},
    ),
}
LEAF = by_type({name: el.typed(name, need, {**more, **STYLED}) for name, (need, more) in LEAVES.items()})
LEAF_LIST: dict[str, Check] = {"elements": array(LEAF, 0, 0)}
BORDER: dict[str, Check] = {"border": integer(0, 1)}
RICH_SECTION = by_type({"rich_text_section": el.typed("rich_text_section", LEAF_LIST, {})})
RICH_LIST = el.typed(
    "rich_text_list",
    {"style": choice("bullet", "ordered"), "elements": array(RICH_SECTION)},
    {"indent": integer(), "offset": integer(), **BORDER},
)
RICH_PART = by_type(
    {
        "rich_text_section": RICH_SECTION,
        "rich_text_list": RICH_LIST,
        "rich_text_preformatted": el.typed("rich_text_preformatted", LEAF_LIST, {**BORDER, "language": string()}),
        "rich_text_quote": el.typed("rich_text_quote", LEAF_LIST, BORDER),
    }
)


def _one_action_id_each(value: Any, pointer: str) -> Iterator[str]:
    seen: set[str] = set()
    rows = value.get("elements")
    for position, element in enumerate(rows if isinstance(rows, list) else []):
        action_id = element.get("action_id") if isinstance(element, dict) else None
        if isinstance(action_id, str) and action_id in seen:
            place = f"{pointer}/elements/{position}/action_id"
            yield complaint(f'`action_id` "{action_id}" already exists for another element', place)
        seen.add(str(action_id))


def block(name: str, required: dict[str, Check], optional: dict[str, Check], *rules: Check) -> Check:
    return el.typed(name, required, {**optional, "block_id": el.IDENTIFIER}, *rules)


CONTEXT_ELEMENT = by_type({"image": el.IMAGE_ELEMENT, "plain_text": el.words(), "mrkdwn": el.words()})
RAW_CELL = el.typed("raw_text", {"text": string(0, 0)}, {})
RICH_CELL = el.typed("rich_text", {"elements": array(RICH_PART, 0, 0)}, {})
CELL = by_type({"raw_text": RAW_CELL, "rich_text": RICH_CELL})
HTTPS = string(3000, pattern=r"^https://", hint="must be a valid https url")

BLOCKS: dict[str, Check] = {
    "actions": block("actions", {"elements": array(el.ACTIONS_ELEMENT, 25)}, {}, _one_action_id_each),
    "context": block("context", {"elements": array(CONTEXT_ELEMENT, 10)}, {}),
    "divider": block("divider", {}, {}),
    "header": block("header", {"text": el.plain(150)}, {"level": integer(1, 4)}),
    "image": block(
        "image",
        {"alt_text": string(2000)},
        {**el.IMAGE_SOURCE, "title": el.plain(2000)},
        exactly_one("image_url", "slack_file"),
    ),
    "input": block(
        "input",
        {"label": el.plain(2000), "element": el.INPUT_ELEMENT},
        {"dispatch_action": flag, "hint": el.plain(2000), "optional": flag},
    ),
    "markdown": block("markdown", {"text": string(12_000)}, {}),
    "rich_text": block("rich_text", {"elements": array(RICH_PART, 0, 0)}, {}),
    "section": block(
        "section",
        {},
        {
            "text": el.words(),
            "fields": array(el.words(2000), 10),
            "accessory": el.ACCESSORY,
            "expand": flag,
        },
        either("text", "fields"),
    ),
    "table": block(
        "table",
        {"rows": array(array(CELL, 20), 100)},
        {"column_settings": array(anything, 20, 0)},
    ),
    "video": block(
        "video",
        {"alt_text": string(), "title": el.plain(199), "thumbnail_url": el.ADDRESS, "video_url": HTTPS},
        {
            "author_name": string(49, 0),
            "description": el.plain(199),
            "provider_icon_url": el.ADDRESS,
            "provider_name": string(),
            "title_url": HTTPS,
        },
    ),
}
CHILDREN = ("actions", "context", "divider", "header", "image", "input", "rich_text", "section", "table", "video")


def _collapsible(value: Any, pointer: str) -> Iterator[str]:
    collapsible = value.get("is_collapsible") is True
    if value.get("default_collapsed") is True and not collapsible:
        yield complaint("`default_collapsed` needs `is_collapsible`", f"{pointer}/default_collapsed")
    if "has_header_divider" in value and collapsible:
        yield complaint("must not be used with `is_collapsible`", f"{pointer}/has_header_divider")


CONTAINER = block(
    "container",
    {"child_blocks": array(by_type({name: BLOCKS[name] for name in CHILDREN}), 10)},
    {
        "title": el.plain(150),
        "rich_text_title": by_type({"rich_text": BLOCKS["rich_text"]}),
        "subtitle": el.words(150),
        "icon": el.IMAGE_ELEMENT,
        "width": choice("narrow", "standard", "wide", "full"),
        "is_collapsible": flag,
        "default_collapsed": flag,
        "has_header_divider": flag,
    },
    either("title", "rich_text_title"),
    _collapsible,
)
DATA = {
    name: block(name, required, optional, *([rule] if rule else []))
    for name, (required, optional, rule) in data.blocks(RICH_CELL).items()
}
IN_MESSAGES = by_type({**BLOCKS, **DATA, "container": CONTAINER})
IN_VIEWS = by_type({name: check for name, check in BLOCKS.items() if name not in ("markdown", "table")})


def _one_block_id_each(blocks: Any, pointer: str) -> Iterator[str]:
    seen: set[str] = set()
    for row, place in _everywhere(blocks, pointer):
        block_id = row.get("block_id")
        if isinstance(block_id, str) and block_id in seen:
            words = f'`block_id` "{block_id}" already exists for another block'
            yield complaint(words, f"{place}/block_id")
        seen.add(str(block_id))


def _everywhere(blocks: Any, pointer: str) -> Iterator[tuple[Json, str]]:
    """Every block with its place, those in containers too."""
    for position, row in enumerate(blocks if isinstance(blocks, list) else []):
        if isinstance(row, dict):
            yield row, f"{pointer}/{position}"
            yield from _everywhere(row.get("child_blocks"), f"{pointer}/{position}/child_blocks")


def _submit_for_inputs(view: Any, pointer: str) -> Iterator[str]:
    blocks = view.get("blocks")
    kinds = {row.get("type") for row in blocks if isinstance(row, dict)} if isinstance(blocks, list) else set()
    if "input" in kinds and "submit" not in view:
        yield complaint("missing required field: submit", pointer)


VIEW_FIELDS: dict[str, Check] = {
    "private_metadata": string(3000, 0),
    "callback_id": string(255, 0),
    "external_id": string(255, 0),
}
VIEW_BODY: dict[str, Check] = {"blocks": array(IN_VIEWS, VIEW_BLOCKS)}
MODAL = el.typed(
    "modal",
    {"title": el.plain(24), **VIEW_BODY},
    {
        **VIEW_FIELDS,
        "close": el.plain(24),
        "submit": el.plain(24),
        "clear_on_close": flag,
        "notify_on_close": flag,
        "submit_disabled": flag,
    },
    _submit_for_inputs,
)
VIEWS: dict[str, Check] = {"modal": MODAL, "home": el.typed("home", VIEW_BODY, VIEW_FIELDS)}


def message_problems(blocks: Any, pointer: str = "/blocks") -> list[str]:
    """Slack's complaints about a message's blocks; empty when it would take them."""
    found = [*array(IN_MESSAGES, MESSAGE_BLOCKS, 0)(blocks, pointer)]
    together = data.in_a_message(blocks, pointer) if isinstance(blocks, list) else ()
    return [*found, *together, *_one_block_id_each(blocks, pointer)]


def view_problems(view: Any, kind: str) -> list[str]:
    """Slack's complaints about a view that should be a "modal" or a "home"."""
    found = [*by_type({kind: VIEWS[kind]})(view, "/view")]
    blocks = view.get("blocks") if isinstance(view, dict) else None
    return [*found, *_one_block_id_each(blocks, "/view/blocks")]


def options_problems(answer: Any) -> list[str]:
    """Slack's complaints about an app's answer to a `block_suggestion`."""
    return [*record({}, el.OFFER, exactly_one("options", "option_groups"))(answer, "")]
