"""The composition objects and elements of Block Kit, with Slack's limits.

Limits: https://docs.slack.dev/reference/block-kit/block-elements and .../composition-objects
"""

from collections.abc import Iterator
from typing import Any

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

IDENTIFIER = string(255)
ADDRESS = string(3000, 0, pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:", hint="must be a valid url")
USER = string(pattern=r"^[UW][A-Z0-9]+$")
ROOM = string(pattern=r"^[CG][A-Z0-9]+$")
DAY = string(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$", hint="must be a date as YYYY-MM-DD")
TIME = string(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", hint="must be a time as HH:mm")
NUMBER = string(pattern=r"^-?\d+(\.\d+)?$", hint="must be a number as text")
STYLE = choice("primary", "danger")


def typed(name: str, required: dict[str, Check], optional: dict[str, Check], *rules: Check) -> Check:
    return record({"type": choice(name), **required}, optional, *rules)


def plain(longest: int = 3000) -> Check:
    return by_type({"plain_text": _plain(longest)})


def _plain(longest: int) -> Check:
    return typed("plain_text", {"text": string(longest)}, {"emoji": flag})


def words(longest: int = 3000) -> Check:
    """Plain text or mrkdwn."""
    mrkdwn = typed("mrkdwn", {"text": string(longest)}, {"verbatim": flag})
    return by_type({"plain_text": _plain(longest), "mrkdwn": mrkdwn})


CONFIRM = record({"title": plain(100), "text": words(300), "confirm": plain(30), "deny": plain(30)}, {"style": STYLE})
VALUE = string(150)
OPTION = record({"text": plain(75), "value": VALUE}, {"description": plain(75)})
LINK_OPTION = record({"text": plain(75), "value": VALUE}, {"description": plain(75), "url": ADDRESS})
RICH_OPTION = record({"text": words(75), "value": VALUE}, {"description": words(75)})
OPTION_GROUP = record({"label": plain(75), "options": array(OPTION, 100)}, {})
SLACK_FILE = record({}, {"url": ADDRESS, "id": string()}, exactly_one("url", "id"))
DISPATCH = record({"trigger_actions_on": array(choice("on_enter_pressed", "on_character_entered"), 2, unique=True)}, {})
CONVERSATION_FILTER = record(
    {},
    {
        "include": array(choice("im", "mpim", "private", "public"), unique=True),
        "exclude_external_shared_channels": flag,
        "exclude_bot_users": flag,
    },
    either("include", "exclude_external_shared_channels", "exclude_bot_users"),
)

NAMED: dict[str, Check] = {"action_id": IDENTIFIER}
ASKING: dict[str, Check] = {**NAMED, "confirm": CONFIRM}
FOCUS: dict[str, Check] = {"focus_on_load": flag}
PLACEHOLDER: dict[str, Check] = {"placeholder": plain(150)}
PICKING: dict[str, Check] = {**ASKING, **FOCUS, **PLACEHOLDER}
TYPING: dict[str, Check] = {**NAMED, **FOCUS, **PLACEHOLDER, "dispatch_action_config": DISPATCH}
MANY: dict[str, Check] = {**PICKING, "max_selected_items": integer(1)}


def _offered(value: dict[str, Any]) -> list[Any]:
    groups = value.get("option_groups")
    if isinstance(groups, list):
        return [option for group in groups for option in group.get("options", [])]
    options = value.get("options")
    return options if isinstance(options, list) else []


def _known(field: str) -> Check:
    """What is chosen at first must be among the options."""

    def rule(value: Any, pointer: str) -> Iterator[str]:
        chosen = value.get(field)
        for option in chosen if isinstance(chosen, list) else [chosen]:
            if option is not None and option not in _offered(value):
                yield complaint(f"{field} must exactly match an option", f"{pointer}/{field}")

    return rule


OPTIONS: dict[str, Check] = {"options": array(OPTION, 100), "option_groups": array(OPTION_GROUP, 100)}
CHOICES = exactly_one("options", "option_groups")
# An answer to `block_suggestion` may offer nothing at all:
# https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element#external_select
OFFER: dict[str, Check] = {"options": array(OPTION, 100, 0), "option_groups": array(OPTION_GROUP, 100, 0)}

BUTTON = typed(
    "button",
    {"text": plain(75)},
    {**ASKING, "url": ADDRESS, "value": string(2000), "style": STYLE, "accessibility_label": string(75)},
)
IMAGE_SOURCE: dict[str, Check] = {"image_url": ADDRESS, "slack_file": SLACK_FILE}
IMAGE_ELEMENT = typed("image", {"alt_text": string()}, IMAGE_SOURCE, exactly_one("image_url", "slack_file"))

# What may stand in an actions block, beside a section and in an input block alike.
PICKERS: dict[str, Check] = {
    "checkboxes": typed(
        "checkboxes",
        {"options": array(RICH_OPTION, 10)},
        {**ASKING, **FOCUS, "initial_options": array(RICH_OPTION)},
        _known("initial_options"),
    ),
    "radio_buttons": typed(
        "radio_buttons",
        {"options": array(RICH_OPTION, 10)},
        {**ASKING, **FOCUS, "initial_option": RICH_OPTION},
        _known("initial_option"),
    ),
    "datepicker": typed("datepicker", {}, {**PICKING, "initial_date": DAY}),
    "timepicker": typed("timepicker", {}, {**PICKING, "initial_time": TIME, "timezone": string()}),
    "static_select": typed(
        "static_select", {}, {**PICKING, **OPTIONS, "initial_option": OPTION}, CHOICES, _known("initial_option")
    ),
    "multi_static_select": typed(
        "multi_static_select",
        {},
        {**MANY, **OPTIONS, "initial_options": array(OPTION)},
        CHOICES,
        _known("initial_options"),
    ),
    "external_select": typed(
        "external_select", {}, {**PICKING, "initial_option": OPTION, "min_query_length": integer()}
    ),
    "multi_external_select": typed(
        "multi_external_select", {}, {**MANY, "initial_options": array(OPTION), "min_query_length": integer()}
    ),
    "users_select": typed("users_select", {}, {**PICKING, "initial_user": USER}),
    "multi_users_select": typed("multi_users_select", {}, {**MANY, "initial_users": array(USER)}),
    "channels_select": typed("channels_select", {}, {**PICKING, "initial_channel": ROOM, "response_url_enabled": flag}),
    "multi_channels_select": typed("multi_channels_select", {}, {**MANY, "initial_channels": array(ROOM)}),
    "conversations_select": typed(
        "conversations_select",
        {},
        {
            **PICKING,
            "initial_conversation": string(),
            "default_to_current_conversation": flag,
            "response_url_enabled": flag,
            "filter": CONVERSATION_FILTER,
        },
    ),
    "multi_conversations_select": typed(
        "multi_conversations_select",
        {},
        {
            **MANY,
            "initial_conversations": array(string()),
            "default_to_current_conversation": flag,
            "filter": CONVERSATION_FILTER,
        },
    ),
}
DATETIME = typed("datetimepicker", {}, {**ASKING, **FOCUS, "initial_date_time": integer()})
OVERFLOW = typed("overflow", {"options": array(LINK_OPTION, 5)}, ASKING)
WORKFLOW_BUTTON = typed(
    "workflow_button",
    {"text": plain(75), "workflow": anything, "action_id": IDENTIFIER},
    {"style": STYLE, "accessibility_label": string(75)},
)
BUTTONS: dict[str, Check] = {"button": BUTTON, "overflow": OVERFLOW, "workflow_button": WORKFLOW_BUTTON}
TEXT_LENGTH = integer(0, 3000)
TEXT_INPUTS: dict[str, Check] = {
    "plain_text_input": typed(
        "plain_text_input",
        {},
        {
            **TYPING,
            "initial_value": string(3000, 0),
            "multiline": flag,
            "min_length": TEXT_LENGTH,
            "max_length": integer(1, 3000),
        },
    ),
    "email_text_input": typed("email_text_input", {}, {**TYPING, "initial_value": string(0, 0)}),
    "url_text_input": typed("url_text_input", {}, {**TYPING, "initial_value": string(0, 0)}),
    "number_input": typed(
        "number_input",
        {"is_decimal_allowed": flag},
        {**TYPING, "initial_value": NUMBER, "min_value": NUMBER, "max_value": NUMBER},
    ),
    "rich_text_input": typed("rich_text_input", {"action_id": IDENTIFIER}, {**TYPING, "initial_value": anything}),
    "file_input": typed("file_input", {}, {**NAMED, "filetypes": array(string()), "max_files": integer(1, 10)}),
}

ACTIONS_ELEMENT = by_type({**BUTTONS, **PICKERS, "datetimepicker": DATETIME})
ACCESSORY = by_type({**BUTTONS, **PICKERS, "image": IMAGE_ELEMENT})
INPUT_ELEMENT = by_type({**TEXT_INPUTS, **PICKERS, "datetimepicker": DATETIME})
