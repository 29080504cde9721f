"""On call in Slack: who is on call, test pages, handovers with their checklist, the buttons that take a shift. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.render.blockkit import (
    BUTTON,
    CONFIRM,
    OPTION,
    TEXT,
    WHOLE_MESSAGE,
    Block,
    Message,
    action_row,
    plain_text,
    sections,
)
from bot.render.mrkdwn import DAY, cut, escape, moment, person, render, share, size
from escalation.config.company import Company, Directory
from escalation.config.notify import By
from escalation.config.policy import Policy
from escalation.oncall.roster import Roster
from escalation.oncall.schedule import (
    EMPTY_STATE,
    Feed,
    OncallShift,
    OncallState,
    Override,
    absences,
    kept_shift,
    next_on_call,
    on_call_at,
    override_at,
    replaced_by,
    shift_at,
    upcoming_shifts,
)
from escalation.text import Line, Person, Span, Strong, Time, clean, line, people
from escalation.values import PersonId

SCHEDULE_AHEAD = timedelta(weeks=4)
MAX_SHIFTS = 10  # of a rotation
ABSENCES_AHEAD = timedelta(days=30)  # absences that begin later are not shown yet


def on_call_lines(
    company: Company,
    policy: Policy,
    directory: Directory,
    roster: Roster,
    now: datetime,
    state: OncallState = EMPTY_STATE,
) -> tuple[Line, ...]:
    """Lines for each rotation, silent Slacks, the schedule ahead, overrides and absences, then one for each role."""
    board = Board(company, directory, state, now)
    silent = _silent(policy, roster, now)
    return (*board.rotations(), *silent, *board.schedule(), *board.overrides(), *board.away(), *_roles(policy, roster))


class Board:
    """Lines about rotations, overrides and absences at an instant."""

    def __init__(self, company: Company, directory: Directory, state: OncallState, now: datetime) -> None:
        self._company = company
        self._directory = directory
        self._state = state
        self._now = now

    def rotations(self) -> Iterator[Line]:
        """Lines for each rotation: who is on call, the backup, the next handover, the calendar."""
        for name in self._company.rotations:
            yield from self._rotation(name)

    def schedule(self) -> Iterator[Line]:
        """Lines for the shifts of the next weeks as they result: overrides, swaps and absences applied."""
        until = self._now + SCHEDULE_AHEAD
        for name in self._company.rotations:
            shifts = upcoming_shifts(name, self._company, self._state, self._now, until)
            yield line(Strong(f"Schedule of {name}, next {SCHEDULE_AHEAD.days // 7} weeks:"))
            yield from map(self._shift, shifts[:MAX_SHIFTS])
            if len(shifts) > MAX_SHIFTS:
                yield line(f"• and {len(shifts) - MAX_SHIFTS} more; `tocsin oncall` lists them")

    def _shift(self, shift: OncallShift) -> Line:
        start = ("• now",) if shift.starts <= self._now else ("• ", Time(shift.starts, clock=False))
        end = (" until ", Time(shift.ends, clock=False)) if shift.ends else (" with no end in sight",)
        override = override_at(shift.rotation, self._company, self._state, max(shift.starts, self._now))
        planned = (*self._people(shift.planned), ")") if shift.planned else ("nobody)",)
        why = f" (override {override.id}, instead of " if override else " (instead of "
        instead = () if shift.people == shift.planned else (why, *planned)
        return line(*start, *end, ": ", *self._people(shift.people), *instead)

    def overrides(self) -> Iterator[Line]:
        """Lines for overrides that have not ended; of contradictory ones it is said which counts."""
        for override in self._state.overrides:
            if override.ends > self._now:
                details = self._period(override.starts, override.ends, override.by, override.why)
                known = override.person in self._company.people
                yield line(
                    Strong(f"Override {override.id}: "),
                    *(self._people((override.person,)) if known else (override.person,)),
                    f" in {override.rotation}",
                    *details,
                    self._replaced(override),
                )

    def _replaced(self, override: Override) -> str:
        gone = [override.rotation] if override.rotation not in self._company.rotations else []
        gone += [override.person] if override.person not in self._company.people else []
        if gone:
            return f". ⚠️ Does not count: {' and '.join(gone)} not in the configuration."
        later = replaced_by(override, self._company, self._state, self._now)
        if later is None:
            return ". ⚠️ Replaced by later overrides."
        numbers = " and ".join(map(str, later))
        return f". ⚠️ Partly replaced by override {numbers}, which is later." if later else ""

    def away(self) -> Iterator[Line]:
        """Lines for absences of now and the next 30 days."""
        for absence in sorted(absences(self._company, self._state), key=lambda a: a.starts):
            if (
                self._now < absence.ends
                and absence.starts < self._now + ABSENCES_AHEAD
                and absence.person in self._company.people
            ):
                details = self._period(absence.starts, absence.ends, absence.by, absence.why)
                yield line(
                    Strong(f"Away {absence.id}: " if absence.id else "Away: "),
                    *self._people((absence.person,)),
                    *details,
                )

    def _rotation(self, name: str) -> Iterator[Line]:
        shift_args = (name, self._company, self._state)
        current, backup = on_call_at(*shift_args, self._now), next_on_call(*shift_args, self._now)
        yield line(Strong(f"{name}: "), *self._people(current), ", backup ", *self._people(backup))
        shift = shift_at(*shift_args, self._now)
        if shift.ends:
            next_shift = shift_at(*shift_args, shift.ends)
            yield line("Next handover: ", Time(shift.ends, clock=False), " to ", *self._people(next_shift.people))
        if (kept := kept_shift(name, self._company, self._state)) and kept.ends and kept.ends > self._now:
            yield line(f"Rotation {name} was edited: it holds from ", Time(kept.ends, clock=False), " on.")
        yield from self._test_page(name, shift.starts)
        if self._company.rotations[name].ical:
            yield from self._feed(name)
        if fault := self._state.group_faults.get(name):
            left_out = (" Left out: ", *self._people(fault.people), ".") if fault.people else ()
            yield line(Strong("⚠️ "), f"User group @{fault.group}: {fault.problem}.", *left_out)

    def _test_page(self, name: str, starts: datetime) -> Iterator[Line]:
        for test in self._state.tests:
            if (test.rotation, test.shift_start) == (name, starts) and test.is_unanswered(self._now):
                addressee = self._people((test.person,)) if test.person in self._company.people else (test.person,)
                yield line("Test page sent at ", Time(test.sent_at), " to ", *addressee, ", not answered yet")

    def _feed(self, name: str) -> Iterator[Line]:
        feed = self._state.feeds.get(name, Feed(rotation=name))
        cached = ("; its copy of ", Time(feed.fetched_at, clock=False), " holds") if feed.fetched_at else ("",)
        if feed.error:
            yield line(Strong("⚠️ "), f"The calendar of {name} has a problem: {feed.error}", *cached, ".")
        elif feed.fetched_at:
            yield line(f"The calendar of {name} was read at ", Time(feed.fetched_at, clock=False), ".")
        else:
            yield line(f"The calendar of {name} was not read yet.")
        yield from (line(Strong("⚠️ "), f"Calendar of {name}: {problem}.") for problem in feed.problems)
        yield from (line(f"Calendar of {name}: {note}.") for note in feed.notes)

    def _people(self, keys: tuple[str, ...]) -> Line:
        return people(tuple(self._company.member(key, self._directory) for key in keys))

    def _period(self, starts: datetime, ends: datetime, by: str, why: str) -> Line:
        author: tuple[Span, ...] = (", set by ", Person(by)) if by else ()
        span = (" from ", Time(starts, clock=False), " until ", Time(ends, clock=False))
        return (*span, *author, *((f": {why}",) if why else ()))


def _roles(policy: Policy, roster: Roster) -> Iterator[Line]:
    for role, name in policy.roles.items():
        yield line(Strong(f"{name}: "), *people(roster.of(role)))


def _silent(policy: Policy, roster: Roster, now: datetime) -> Iterator[Line]:
    """Lines for those of the policy's roles whose Slack makes no sound now."""
    for member in dict.fromkeys(member for role in policy.roles for member in roster.of(role)):
        if until := roster.silences.until(member, now):
            yield line("🔕 The Slack of ", Person(member), " is silent until ", Time(until, clock=False), ".")


# Action ids; a tick's is followed by its number.
ANSWER, TAKE, TICK, UNDO = "oncall_here", "oncall_take", "oncall_tick", "oncall_undo"
REST_TAKE, REST_DECLINE = "oncall_rest_take", "oncall_rest_decline"
TRY = "me_test-"
_MAX_BUTTONS = 25  # in a row: https://docs.slack.dev/reference/block-kit/blocks/actions-block
_MAX_BOXES = 20  # https://docs.slack.dev/reference/block-kit/blocks: 50 in a message


@dataclass(frozen=True)
class AnswerValue:
    """Value of the button that answers a test page."""

    rotation: str
    starts: datetime
    person: str

    def encode(self) -> str:
        """Encode the value as a string."""
        return f"{self.starts.timestamp():.0f}|{self.person}|{self.rotation}"

    @classmethod
    def decode(cls, value: str) -> "AnswerValue":
        """Decode a value. Raises ValueError for one that is not ours."""
        starts, person, rotation = value.split("|", 2)
        return cls(rotation, datetime.fromtimestamp(int(starts), UTC), person)


@dataclass(frozen=True)
class ShiftValue:
    """Value of the button that takes a shift: the shift as it was shown."""

    rotation: str
    starts: datetime

    def encode(self) -> str:
        """Encode the value as a string."""
        return f"{self.starts.timestamp():.0f}|{self.rotation}"

    @classmethod
    def decode(cls, value: str) -> "ShiftValue":
        """Decode a value. Raises ValueError for one that is not ours."""
        starts, rotation = value.split("|", 1)
        return cls(rotation, datetime.fromtimestamp(int(starts), UTC))


@dataclass(frozen=True)
class Tick:
    """A tick in a checklist: by whom, and when."""

    by: PersonId
    at: datetime


def lines_message(lines: Iterable[Line], block_id: str) -> Message:
    """Build a message of lines, without buttons."""
    rendered = share([render(line) for line in lines], WHOLE_MESSAGE)
    return Message(text=cut("\n".join(rendered), TEXT), blocks=sections(rendered, block_id))


def test_page(lines: Sequence[Line], answer: AnswerValue) -> Message:
    """Build the test page that opens a shift, with its button."""
    message = lines_message(lines, "test-page")
    button = {
        "type": "button",
        "action_id": ANSWER,
        "style": "primary",
        "text": plain_text("I am here", BUTTON),
        "value": answer.encode(),
    }
    row = {"type": "actions", "block_id": "test-page-answer", "elements": [button]}
    return Message(text=message.text, blocks=[*message.blocks, row])


def rest_offer(lines: Sequence[Line], debt_id: str) -> Message:
    """Build the question whether somebody takes a shift, with its two buttons."""
    message = lines_message(lines, "rest")
    elements: list[Block] = [
        {
            "type": "button",
            "action_id": REST_TAKE,
            "style": "primary",
            "text": plain_text("Take the shift", BUTTON),
            "value": debt_id,
        },
        {"type": "button", "action_id": REST_DECLINE, "text": plain_text("I can't", BUTTON), "value": debt_id},
    ]
    row = {"type": "actions", "block_id": "rest-answer", "elements": elements}
    return Message(text=message.text, blocks=[*message.blocks, row])


def taken_rest(words: Line, undo: Sequence[int]) -> Message:
    """Build the answer to who took a shift; `undo` are the numbers that its button cancels."""
    message = lines_message((words,), "rest")
    return Message(text=message.text, blocks=[*message.blocks, *undo_row(undo)])


def personal_notice(lines: Sequence[Line], undo: Sequence[int]) -> Message:
    """Build the notice to somebody whose time on call changes; `undo` are the numbers that its button cancels."""
    message = lines_message(lines, "oncall-notice")
    return Message(text=message.text, blocks=[*message.blocks, *undo_row(undo)])


def undo_row(undo: Sequence[int]) -> list[Block]:
    """Row with the button that cancels overrides or absences; none for no numbers."""
    if not undo:
        return []
    button = {
        "type": "button",
        "action_id": UNDO,
        "text": plain_text("Undo", BUTTON),
        "value": " ".join(map(str, undo)),
        "confirm": {
            "title": plain_text("Undo", 100),
            "text": plain_text("This cancels it and tells everyone affected.", CONFIRM),
            "confirm": plain_text("Undo", 30),
            "deny": plain_text("Keep it", 30),
        },
    }
    return [{"type": "actions", "block_id": "oncall-undo", "elements": [button]}]


def undone(text: str, by: PersonId, at: datetime) -> Message:
    """Build a notice as it looks once it was undone."""
    text = cut(f"↩️ *Cancelled* by {person(by)} at {moment(at, DAY)}. It was:\n{text}", TEXT)
    return Message(text=text, blocks=sections([text], "oncall-notice"))


def test_buttons(methods: Sequence[By]) -> list[Block]:
    """Row with a button that tests each method."""
    elements = [
        {"type": "button", "action_id": f"{TRY}{by}", "text": plain_text(f"Test {by.words}", BUTTON), "value": str(by)}
        for by in methods
    ]
    return action_row(elements, "me-tests")


def answered_page(rotation: str, starts: datetime, at: datetime) -> Message:
    """Build the test page as it looks once it was answered."""
    start = f"✅ You answered the test page at {moment(at, DAY)}. You are on call in {escape(rotation)} from "
    text = start + moment(starts, DAY) + "."
    return Message(text=text, blocks=sections([text], "test-page"))


def handover(lines: Sequence[Line], checklist: Sequence[str], change: str) -> Message:
    """Build the message of a handover, with a box for each point of the checklist; `change` is the handover's id.

    Points that a box does not show, or not to their end, are listed below the boxes.
    """
    message = lines_message(lines, "handover")
    head = sections(["*Checklist:*"], "checklist") if checklist else []
    boxes = [_box(n, point, f"{change}|{n}", None) for n, point in enumerate(checklist[:_MAX_BOXES])]
    whole = [f"• {escape(p)}" for n, p in enumerate(checklist) if n >= _MAX_BOXES or size(clean(p)) > OPTION]
    rest = sections([render(line(Strong("In full:"))), *whole], "checklist-rest") if whole else []
    return Message(text=message.text, blocks=[*message.blocks, *head, *boxes, *rest])


def with_ticks(blocks: Iterable[Block], ticks: Mapping[int, Tick]) -> list[Block]:
    """Redraw a posted handover's blocks with these boxes ticked."""
    return [_redrawn(block, ticks) for block in blocks]


def _redrawn(block: Block, ticks: Mapping[int, Tick]) -> Block:
    if not str(block.get("block_id", "")).startswith(f"{TICK}-"):
        return block
    option = block["elements"][0]["options"][0]
    n = int(option["value"].rsplit("|", 1)[1])
    return _box(n, option["text"]["text"], option["value"], ticks.get(n))


def _box(n: int, point: str, value: str, ticked: Tick | None) -> Block:
    """Box in a row of its own, so that two people who tick at the same time do not untick each other's."""
    option: dict[str, Any] = {"text": plain_text(point, OPTION), "value": value}
    if ticked:
        option["description"] = {"type": "mrkdwn", "text": f"{person(ticked.by)} {_short_time(ticked.at)}"}
    element: Block = {"type": "checkboxes", "action_id": f"{TICK}-{n}", "options": [option]}
    if ticked:
        element["initial_options"] = [option]
    return {"type": "actions", "block_id": f"{TICK}-{n}", "elements": [element]}


def _short_time(at: datetime) -> str:
    """Format an instant shortly: a description holds 75 characters, tokens included."""
    return f"<!date^{int(at.timestamp())}^{{date_short}} {{time}}|{at:%d %b}>"


def take_buttons(shifts: Sequence[ShiftValue]) -> list[Block]:
    """Rows with one button for each rotation."""
    elements = [_take(shift, alone=len(shifts) == 1) for shift in shifts]
    rows = [elements[n : n + _MAX_BUTTONS] for n in range(0, len(elements), _MAX_BUTTONS)]
    return [b for n, row in enumerate(rows) for b in action_row(row, f"oncall-take-{n}" if n else "oncall-take")]


def _take(shift: ShiftValue, *, alone: bool) -> Block:
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
