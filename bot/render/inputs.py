"""Modals, their input blocks and their submitted values. Pure."""

import hashlib
import json
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from bot.render.blockkit import OPTION, Block, plain_text
from bot.render.mrkdwn import cut, is_member

View = dict[str, Any]
VALUE = "value"  # the action id of each input; its block id names the field
SEARCH = "search"  # that of a select whose options are asked for as somebody types
# https://docs.slack.dev/reference/block-kit/block-elements and https://docs.slack.dev/reference/views
MAX_TEXT = 3000
LABEL = 2000
PLACEHOLDER = 150
MAX_OPTIONS = 100
MAX_VALUE = 150  # characters of an option's value
TITLE = 24


@dataclass(frozen=True)
class Choice:
    """One option of a select or of checkboxes: its value (at most MAX_VALUE characters), label and note."""

    value: str
    label: str
    note: str = ""


def option(choice: Choice) -> Block:
    """Option object of a choice."""
    note = {"description": plain_text(choice.note, OPTION)} if choice.note else {}
    return {"text": plain_text(choice.label, OPTION), "value": choice.value, **note}


def field(name: str, label: str, element: Block, *, optional: bool = False, hint: str = "") -> Block:
    """Input block; `name` is the field of the event that it fills."""
    block: Block = {"type": "input", "block_id": name, "label": plain_text(label, LABEL), "optional": optional}
    return {**block, "element": element, **({"hint": plain_text(hint, LABEL)} if hint else {})}


def text_field(
    name: str,
    label: str,
    *,
    initial: str = "",
    multiline: bool = True,
    optional: bool = False,
    hint: str = "",
    placeholder: str = "",
) -> Block:
    """Text field, of several lines unless `multiline` is False."""
    element: Block = {"type": "plain_text_input", "action_id": VALUE, "multiline": multiline}
    if initial:
        element["initial_value"] = cut(initial, MAX_TEXT)
    if placeholder:
        element["placeholder"] = plain_text(placeholder, PLACEHOLDER)
    return field(name, label, element, optional=optional, hint=hint)


def select(
    name: str,
    label: str,
    choices: Iterable[Choice],
    *,
    initial: str = "",
    optional: bool = False,
    hint: str = "",
    action_id: str = VALUE,
) -> Block:
    """Select of one choice. With an `action_id` of its own, Slack sends us each choice at once.

    More choices than a select holds are asked for as somebody types: see `suggestions`.
    """
    options = [option(c) for c in choices]
    element: Block = {"type": "static_select", "action_id": action_id, "options": options}
    if len(options) > MAX_OPTIONS:
        element = {"type": "external_select", "action_id": SEARCH, "min_query_length": 0}
        element["placeholder"] = plain_text("Type to search", PLACEHOLDER)
    if chosen := next((o for o in options if o["value"] == initial), None):
        element["initial_option"] = chosen
    block = field(name, label, element, optional=optional, hint=hint)
    return block if action_id == VALUE else {**block, "dispatch_action": True}


def multi_select(
    name: str, label: str, choices: Iterable[Choice], *, initial: Container[str] = (), hint: str = ""
) -> Block:
    """Select of any number of choices; more than a select holds are asked for as somebody types."""
    options = [option(c) for c in choices]
    searched = len(options) > MAX_OPTIONS
    element: Block = {"type": "multi_external_select" if searched else "multi_static_select"}
    element["action_id"] = SEARCH if searched else VALUE
    element["placeholder"] = plain_text("Type to search" if searched else "None", PLACEHOLDER)
    element |= {"min_query_length": 0} if searched else {"options": options}
    if chosen := [o for o in options if o["value"] in initial]:
        element["initial_options"] = chosen
    return field(name, label, element, optional=True, hint=hint)


def instant_field(name: str, label: str, *, initial: int = 0, optional: bool = False, hint: str = "") -> Block:
    """Field for a date with a time, in the reader's own zone; `initial` in epoch seconds."""
    element: Block = {"type": "datetimepicker", "action_id": VALUE}
    shown = element | ({"initial_date_time": initial} if initial else {})
    return field(name, label, shown, optional=optional, hint=hint)


def date_field(name: str, label: str, *, initial: date | None = None, optional: bool = False) -> Block:
    """Field for a day."""
    element: Block = {"type": "datepicker", "action_id": VALUE}
    shown = element | ({"initial_date": initial.isoformat()} if initial else {})
    return field(name, label, shown, optional=optional)


def suggestions(choices: Iterable[Choice], typed: str) -> list[Block]:
    """Options of a select that is searched: those with all the words typed, the ones that begin so first."""
    words = typed.casefold().split()
    found = [c for c in choices if all(word in f"{c.label} {c.value}".casefold() for word in words)]
    found.sort(key=lambda c: not c.label.casefold().startswith(typed.casefold().strip()))
    return [option(c) for c in found[:MAX_OPTIONS]]


def checkboxes(name: str, label: str, choices: Iterable[Choice]) -> Block:
    """Checkboxes."""
    element: Block = {"type": "checkboxes", "action_id": VALUE, "options": [option(c) for c in choices]}
    return field(name, label, element, optional=True)


_UNKNOWN = "unknown"
_THREE = (Choice(_UNKNOWN, "Not known"), Choice("no", "No"), Choice("yes", "Yes"))


def yes_no_select(name: str, label: str, known: bool | None, *, hint: str = "") -> Block:
    """Select of yes, no or not known, for a fact that must not be stated by leaving a box empty."""
    return select(name, label, _THREE, initial={True: "yes", False: "no", None: _UNKNOWN}[known], hint=hint)


def people_select(name: str, label: str, *, most: int = 0, initial: tuple[str, ...] = (), hint: str = "") -> Block:
    """Select of members of the workspace, `most` at most (0: any number).

    Of those in `initial` only members are shown: Slack refuses a form with anything else.
    """
    shown = [member for member in initial if is_member(member)]
    element = {
        "type": "multi_users_select",
        "action_id": VALUE,
        "placeholder": plain_text("Choose somebody" if most == 1 else "Choose people", PLACEHOLDER),
        **({"max_selected_items": most} if most else {}),
        **({"initial_users": shown} if shown else {}),
    }
    return field(name, label, element, optional=True, hint=hint)


def note(block_id: str, *texts: str) -> Block:
    """Context block of a modal; the texts are escaped mrkdwn."""
    return {"type": "context", "block_id": block_id, "elements": [{"type": "mrkdwn", "text": t} for t in texts]}


def modal(callback_id: str, title: str, submit: str, blocks: Iterable[Block], metadata: str) -> View:
    """Modal with a form. Title and submit have at most 24 characters; `metadata` at most 3,000."""
    return {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain_text(title, TITLE),
        "submit": plain_text(submit, TITLE),
        "close": plain_text("Cancel", TITLE),
        "private_metadata": metadata,
        "blocks": list(blocks),
    }


def notice(title: str, text: str, blocks: Iterable[Block] = ()) -> View:
    """Modal with a text only, which is mrkdwn, or with the blocks of a message."""
    shown = list(blocks) or [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]
    close = plain_text("Close", TITLE)
    return {"type": "modal", "title": plain_text(title, TITLE), "close": close, "blocks": shown}


class FormValues:
    """Values of a submitted modal, by field, and the initial values that it had shown."""

    def __init__(self, view: View) -> None:
        self._values = {name: _single_value(actions) for name, actions in view["state"]["values"].items()}
        self._blocks = frozenset(str(b["block_id"]) for b in view["blocks"])
        self._elements = {str(b["block_id"]): b["element"] for b in view["blocks"] if b["type"] == "input"}

    @property
    def fields(self) -> frozenset[str]:
        """Block ids at which an error can be shown."""
        return frozenset(self._elements)

    @property
    def first(self) -> str:
        """Block id at which an error is shown that belongs to no field."""
        return next(iter(self._elements))

    def has(self, block_id: str) -> bool:
        """True if the modal had a block of that id."""
        return block_id in self._blocks

    def text(self, name: str) -> str:
        """Text of a field, stripped; empty for none."""
        return str(self._values.get(name, {}).get("value") or "").strip()

    def choice(self, name: str) -> str:
        """Value of the chosen option; empty for none."""
        return _value(self._values.get(name, {}).get("selected_option"))

    def choices(self, name: str) -> frozenset[str]:
        """Values of the ticked boxes, or of a select of several."""
        return frozenset(o["value"] for o in self._values.get(name, {}).get("selected_options") or ())

    def initial_text(self, name: str) -> str:
        """Text that a field had shown; empty for none."""
        return str(self._elements.get(name, {}).get("initial_value") or "")

    def initial_choices(self, name: str) -> frozenset[str]:
        """Values that a select of several had shown as chosen."""
        return frozenset(_value(o) for o in self._elements.get(name, {}).get("initial_options") or ())

    def instant(self, name: str) -> datetime | None:
        """Instant of a field; None for none."""
        seconds = self._values.get(name, {}).get("selected_date_time")
        return datetime.fromtimestamp(seconds, UTC) if seconds else None

    def day(self, name: str) -> date | None:
        """Day of a field; None for none."""
        return _day(self._values.get(name, {}).get("selected_date"))

    def initial_day(self, name: str) -> date | None:
        """Day that a field had shown; None for none."""
        return _day(self._elements.get(name, {}).get("initial_date"))

    def digest(self) -> str:
        """Digest of all values: equal while nothing in the form is changed."""
        return hashlib.sha256(json.dumps(self._values, sort_keys=True).encode()).hexdigest()[:32]

    def yes_no(self, name: str) -> bool | None:
        """Answer of a `yes_no_select`; None for not known."""
        return {"yes": True, "no": False}.get(self.choice(name))

    def people(self, name: str) -> tuple[str, ...]:
        """Member ids of the chosen people."""
        return tuple(self._values.get(name, {}).get("selected_users") or ())

    def changed(self, name: str) -> bool:
        """True if a text, choice or instant differs from its initial value; False for a field that was not there."""
        element = self._elements.get(name)
        if element is None:
            return False
        if element["type"] in ("static_select", "external_select"):
            return self.choice(name) != _value(element.get("initial_option"))
        if element["type"] == "datetimepicker":
            instant = self.instant(name)
            return int(instant.timestamp() if instant else 0) != int(element.get("initial_date_time") or 0)
        return self.text(name) != str(element.get("initial_value") or "").strip()


def _day(text: Any) -> date | None:
    return date.fromisoformat(text) if text else None


def _value(option: Block | None) -> str:
    return str((option or {}).get("value", ""))


def _single_value(actions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return next(iter(actions.values()), {})
