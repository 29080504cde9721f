"""What is posted about on call, as Slack messages: the test page, the handover with its boxes to tick. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.render.blockkit import BUTTON, CONFIRM, OPTION, TEXT, WHOLE_MESSAGE, plain_text, sections
from bot.render.message import Block, Message
from bot.render.mrkdwn import DAY, cut, escape, moment, person, render, share
from escalation.text import Line
from escalation.values import PersonId

HERE, TAKE, TICK = "oncall_here", "oncall_take", "oncall_tick"  # action ids; a tick's is followed by its number
_MOST_BOXES = 20  # https://docs.slack.dev/reference/block-kit/blocks: 50 in a message


@dataclass(frozen=True)
class Here:
    """What the button of a test page carries."""

    rotation: str
    starts: datetime
    person: str

    def encode(self) -> str:
        return f"{self.starts.timestamp():.0f}|{self.person}|{self.rotation}"

    @classmethod
    def decode(cls, value: str) -> "Here":
        """ValueError when the value is not one of ours."""
        starts, who, rotation = value.split("|", 2)
        return cls(rotation, datetime.fromtimestamp(int(starts), UTC), who)


@dataclass(frozen=True)
class Shift:
    """What the button that takes a shift carries: the shift as it was shown."""

    rotation: str
    starts: datetime

    def encode(self) -> str:
        return f"{self.starts.timestamp():.0f}|{self.rotation}"

    @classmethod
    def decode(cls, value: str) -> "Shift":
        """ValueError when the value is not one of ours."""
        starts, rotation = value.split("|", 1)
        return cls(rotation, datetime.fromtimestamp(int(starts), UTC))


@dataclass(frozen=True)
class Ticked:
    """Who ticked a box, and when."""

    by: PersonId
    at: datetime


def spoken(lines: Iterable[Line], block_id: str) -> Message:
    """Words alone."""
    rendered = share([render(line) for line in lines], WHOLE_MESSAGE)
    return Message(text=cut("\n".join(rendered), TEXT), blocks=sections(rendered, block_id))


def test_page(lines: Sequence[Line], here: Here) -> Message:
    """The page that opens a shift, with its button."""
    words = spoken(lines, "test-page")
    button = {
        "type": "button",
        "action_id": HERE,
        "style": "primary",
        "text": plain_text("I am here", BUTTON),
        "value": here.encode(),
    }
    row = {"type": "actions", "block_id": "test-page-answer", "elements": [button]}
    return Message(text=words.text, blocks=[*words.blocks, row])


def answered(rotation: str, starts: datetime, at: datetime) -> Message:
    """The same once it was answered."""
    words = f"✅ You answered the test page at {moment(at, DAY)}. You are on call in {escape(rotation)} from "
    text = words + moment(starts, DAY) + "."
    return Message(text=text, blocks=sections([text], "test-page"))


def handover(lines: Sequence[Line], checklist: Sequence[str], change: str) -> Message:
    """The handover of that id, with one box for each point of the checklist."""
    words = spoken(lines, "handover")
    head = sections(["*Checklist:*"], "checklist") if checklist else []
    boxes = [_box(n, point, f"{change}|{n}", None) for n, point in enumerate(checklist[:_MOST_BOXES])]
    return Message(text=words.text, blocks=[*words.blocks, *head, *boxes])


def with_ticks(blocks: Iterable[Block], ticks: Mapping[int, Ticked]) -> list[Block]:
    """A posted handover's blocks with other boxes ticked."""
    return [_again(block, ticks) for block in blocks]


def _again(block: Block, ticks: Mapping[int, Ticked]) -> Block:
    if not str(block.get("block_id", "")).startswith(f"{TICK}-"):
        return block
    option = block["elements"][0]["options"][0]
    n = int(option["value"].rsplit("|", 1)[1])
    return _box(n, option["text"]["text"], option["value"], ticks.get(n))


def _box(n: int, point: str, value: str, ticked: Ticked | None) -> Block:
    """A row of its own, so that two people who tick at one time do not untick each other's."""
    option: dict[str, Any] = {"text": plain_text(point, OPTION), "value": value}
    if ticked:
        option["description"] = {"type": "mrkdwn", "text": f"{person(ticked.by)} {_briefly(ticked.at)}"}
    element: Block = {"type": "checkboxes", "action_id": f"{TICK}-{n}", "options": [option]}
    if ticked:
        element["initial_options"] = [option]
    return {"type": "actions", "block_id": f"{TICK}-{n}", "elements": [element]}


def _briefly(at: datetime) -> str:
    """A description has 75 characters, tokens included."""
    return f"<!date^{int(at.timestamp())}^{{date_short}} {{time}}|{at:%d %b}>"


def take_buttons(shifts: Sequence[Shift]) -> list[Block]:
    """A row with one button for each rotation; Slack allows 25."""
    elements = [_take(shift, alone=len(shifts) == 1) for shift in shifts[:25]]
    return [{"type": "actions", "block_id": "oncall-take", "elements": elements}] if elements else []


def _take(shift: Shift, *, alone: bool) -> Block:
    label = "Take this shift" if alone else f"Take this shift of {shift.rotation}"
    question = cut(f"You are on call in {escape(shift.rotation)} at once, until this shift ends.", CONFIRM)
    return {
        "type": "button",
        "action_id": TAKE if alone else f"{TAKE}-{shift.rotation}"[:255],
        "text": plain_text(label, BUTTON),
        "value": shift.encode(),
        "confirm": {
            "title": plain_text("Take this shift", 100),
            "text": {"type": "mrkdwn", "text": question},
            "confirm": plain_text("Take it", 30),
            "deny": plain_text("Not now", 30),
        },
    }
