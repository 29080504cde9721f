"""Who is on call, who is the backup, when the next handover is, and what was arranged. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.render.blockkit import BUTTON, CONFIRM, OPTION, TEXT, WHOLE_MESSAGE, Block, Message, plain_text, sections
from bot.render.mrkdwn import DAY, cut, escape, moment, person, render, share
from escalation.config.company import Company, Directory
from escalation.config.policy import Policy
from escalation.oncall.roster import Roster
from escalation.oncall.schedule import NOTHING_ARRANGED, Feed, OncallState, absences, next_on_duty, on_duty, shift_at
from escalation.text import Line, Person, Span, Strong, Time, line, people
from escalation.values import PersonId

SOON = timedelta(days=30)  # absences that begin later are not told yet


def on_call(
    company: Company,
    policy: Policy,
    directory: Directory,
    roster: Roster,
    now: datetime,
    arranged: OncallState = NOTHING_ARRANGED,
) -> tuple[Line, ...]:
    """Lines for each rotation, for what was arranged, then one for each role of the policy."""
    board = Board(company, directory, arranged, now)
    return (*board.rotations(), *board.overrides(), *board.away(), *_roles(policy, roster))


class Board:
    """What there is to tell of rotations at an instant."""

    def __init__(self, company: Company, directory: Directory, arranged: OncallState, now: datetime) -> None:
        self._company = company
        self._directory = directory
        self._arranged = arranged
        self._now = now

    def rotations(self) -> Iterator[Line]:
        for name in self._company.rotations:
            yield from self._rotation(name)

    def overrides(self) -> Iterator[Line]:
        for made in self._arranged.overrides:
            if made.ends > self._now and made.person in self._company.people:
                told = self._stretch(made.starts, made.ends, made.by, made.why)
                yield line(
                    Strong(f"Override {made.id}: "), *self._people((made.person,)), f" in {made.rotation}", *told
                )

    def away(self) -> Iterator[Line]:
        for gone in sorted(absences(self._company, self._arranged), key=lambda a: a.starts):
            if self._now < gone.ends and gone.starts < self._now + SOON and gone.person in self._company.people:
                told = self._stretch(gone.starts, gone.ends, gone.by, gone.why)
                yield line(Strong(f"Away {gone.id}: " if gone.id else "Away: "), *self._people((gone.person,)), *told)

    def _rotation(self, name: str) -> Iterator[Line]:
        where = (name, self._company, self._arranged)
        holding, backup = on_duty(*where, self._now), next_on_duty(*where, self._now)
        yield line(Strong(f"{name}: "), *self._people(holding), ", backup ", *self._people(backup))
        turn = shift_at(*where, self._now)
        if turn.ends:
            after = shift_at(*where, turn.ends)
            yield line("Next handover: ", Time(turn.ends, clock=False), " to ", *self._people(after.people))
        yield from self._test_page(name, turn.starts)
        if self._company.rotations[name].ical:
            yield from self._feed(name)

    def _test_page(self, name: str, starts: datetime) -> Iterator[Line]:
        for test in self._arranged.tests:
            if (test.rotation, test.shift_start) == (name, starts) and test.waits(self._now):
                who = self._people((test.person,)) if test.person in self._company.people else (test.person,)
                yield line("Test page sent at ", Time(test.sent_at), " to ", *who, ", not answered yet")

    def _feed(self, name: str) -> Iterator[Line]:
        feed = self._arranged.feeds.get(name, Feed(rotation=name))
        read = ("; its copy of ", Time(feed.fetched_at, clock=False), " holds") if feed.fetched_at else ("",)
        if feed.error:
            yield line(Strong("⚠️ "), f"The calendar of {name} has a problem: {feed.error}", *read, ".")
        elif feed.fetched_at:
            yield line(f"The calendar of {name} was read at ", Time(feed.fetched_at, clock=False), ".")
        else:
            yield line(f"The calendar of {name} was not read yet.")

    def _people(self, keys: tuple[str, ...]) -> Line:
        return people(tuple(self._company.member(key, self._directory) for key in keys))

    def _stretch(self, starts: datetime, ends: datetime, by: str, why: str) -> Line:
        signed: tuple[Span, ...] = (", by ", Person(by)) if by else ()
        span = (" from ", Time(starts, clock=False), " until ", Time(ends, clock=False))
        return (*span, *signed, *((f": {why}",) if why else ()))


def _roles(policy: Policy, roster: Roster) -> Iterator[Line]:
    for role, name in policy.roles.items():
        yield line(Strong(f"{name}: "), *people(roster.of(role)))


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
