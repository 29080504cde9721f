"""Edits of a rotation in the configuration: whoever is on call stays until the handover."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.render.mrkdwn import plain
from bot.render.oncall import Board
from escalation.config.company import Company, Directory
from escalation.messages.oncall import Announcer
from escalation.oncall import overrides
from escalation.oncall.edits import plan_changes, record_running
from escalation.oncall.reminders import DueEdit, DueLeft, due_reminders
from escalation.oncall.schedule import MICROSECOND, OncallState, on_call_at, upcoming_shifts
from tests.support.profiles import examples
from tests.support.story import kars
from tocsin.commands.output import left_notes

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
EVERYBODY = ("dana", "omar", "mei", "lena")
NOW = MONDAY + 2 * DAY
BEFORE = {"people": ["dana", "omar", "mei"], "first_shift": "2026-11-09"}  # Mei has this week, then Dana


def company(rotation: dict[str, Any], people: tuple[str, ...] = EVERYBODY) -> Company:
    entries = {name: {"slack": f"U{name.upper()}"} for name in people}
    return Company.model_validate({"policy": "kars", "people": entries, "rotations": {"primary": rotation}})


def who(of: Company, state: OncallState, at: datetime) -> tuple[str, ...]:
    return on_call_at("primary", of, state, at)


RUNNING = record_running(OncallState(), company(BEFORE), NOW)

EDITS: dict[str, dict[str, Any]] = {
    "append": BEFORE | {"people": ["dana", "omar", "mei", "lena"]},
    "insert": BEFORE | {"people": ["lena", "dana", "omar", "mei"]},
    "reorder": BEFORE | {"people": ["mei", "omar", "dana"]},
    "remove who is on call": BEFORE | {"people": ["dana", "omar"]},
    "another handover": BEFORE | {"handover": "Wednesday 12:00"},
    "another zone": BEFORE | {"timezone": "Asia/Tokyo"},
    "another length": BEFORE | {"every": "12h"},
    "another first shift": BEFORE | {"first_shift": "2026-11-16"},
    "a calendar": {"people": ["dana", "omar", "mei"], "ical": "https://cal.example/a.ics"},
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_running_shift_stays_until_its_handover(edit: str) -> None:
    """Whatever is edited: nobody is put on call, or off it, in mid-shift."""
    after = company(EDITS[edit])
    assert RUNNING.running["primary"].ends == MONDAY + WEEK
    for hour in range(int((MONDAY + WEEK - NOW) / HOUR)):
        assert who(after, RUNNING, NOW + hour * HOUR) == ("mei",)
    assert who(after, RUNNING, MONDAY + WEEK - MICROSECOND) == ("mei",)
    if edit != "a calendar":
        assert who(after, RUNNING, MONDAY + WEEK) == (after.rotations["primary"].on_call(MONDAY + WEEK),)


def test_after_the_handover_the_edit_holds() -> None:
    """The next round records the new definition, and the former one is forgotten."""
    after = company(EDITS["append"])
    assert record_running(RUNNING, after, MONDAY + WEEK - MICROSECOND) is RUNNING
    later = record_running(RUNNING, after, MONDAY + WEEK)
    assert later.running["primary"].definition == after.rotations["primary"].definition
    assert who(after, later, MONDAY + WEEK) == (after.rotations["primary"].on_call(MONDAY + WEEK),)


def test_somebody_who_left_the_configuration_does_not_stay() -> None:
    """Nobody could page them."""
    gone = company(BEFORE | {"people": ["dana", "omar"]}, people=("dana", "omar"))
    assert who(gone, RUNNING, NOW) == (gone.rotations["primary"].on_call(NOW),)


def test_an_edit_that_was_taken_back_leaves_no_trace() -> None:
    """The definition is the recorded one again."""
    assert plan_changes("primary", company(BEFORE), RUNNING) == ()
    assert who(company(BEFORE), RUNNING, MONDAY + WEEK) == ("dana",)


def test_an_edit_is_told_before_it_happens() -> None:
    """To the channel, and to everybody whose shifts change; the board says from when on it holds."""
    after = company(EDITS["append"])
    found = [r for r in due_reminders(after, kars(), RUNNING, Directory(), NOW) if isinstance(r, DueEdit)]
    assert {r.to for r in found} == {"", *(p for c in found[0].changes for p in (*c.before, *c.after))}
    words = "\n".join(map(plain, Announcer(after, Directory()).edit(found[0])))
    assert "@UMEI stays on call until the handover at 2026-11-30 00:00" in words
    first = plan_changes("primary", after, RUNNING)[0]
    assert f"From {first.at:%Y-%m-%d %H:%M}" in words
    board = "\n".join(map(plain, Board(after, Directory(), RUNNING, NOW).rotations()))
    assert "was edited: it holds from 2026-11-30 00:00" in board


ROTATIONS = st.fixed_dictionaries(
    {"people": st.lists(st.sampled_from(EVERYBODY), min_size=1, max_size=4, unique=True)},
    optional={
        "every": st.sampled_from(("12h", "1d", "1w", "2w")),
        "handover": st.sampled_from(("Monday 00:00", "Friday 17:00")),
        "timezone": st.sampled_from(("UTC", "Europe/Berlin", "Asia/Tokyo")),
        "first_shift": st.sampled_from(("2026-11-09", "2026-12-01")),
    },
)


@given(ROTATIONS, ROTATIONS, st.integers(0, 400))
@settings(max_examples=examples(60), deadline=None)
def test_shifts_stay_whole_over_any_edit(before: dict[str, Any], after: dict[str, Any], hours: int) -> None:
    """They follow each other without gap or overlap, and who is on call at the edit is on call until the handover."""
    at = MONDAY + hours * HOUR
    state = record_running(OncallState(), company(before), at)
    edited, ends = company(after), state.running["primary"].ends
    assert who(edited, state, at) == who(edited, state, ends - MICROSECOND) == state.running["primary"].people
    shifts = upcoming_shifts("primary", edited, state, at - 2 * WEEK, at + 6 * WEEK)
    assert all(one.ends == other.starts for one, other in pairwise(shifts))
    assert all(s.ends and who(edited, state, s.starts) == who(edited, state, s.ends - MICROSECOND) for s in shifts)


WITHOUT_MEI = company(BEFORE | {"people": ["dana", "omar"]}, ("dana", "omar"))


def left(after: Company, state: OncallState, at: datetime) -> list[DueLeft]:
    found = due_reminders(after, kars(), state, Directory(), at)
    return [reminder for reminder in found if isinstance(reminder, DueLeft)]


def test_whoever_is_on_call_instead_of_somebody_deleted_is_named() -> None:
    """Mei is on call and no longer under `people`: check and doctor say until her handover who is on call instead."""
    (now_on_call,) = who(WITHOUT_MEI, RUNNING, NOW)
    said = list(left_notes(WITHOUT_MEI, RUNNING, NOW))
    shift = "mei left `people`, so mei's shift, until Monday 2026-11-30 00:00 UTC, counts no more"
    assert said == [f"rotation primary: {shift}: {now_on_call} from now on."]
    started = record_running(RUNNING, WITHOUT_MEI, NOW)
    assert list(left_notes(WITHOUT_MEI, started, NOW + DAY)) == said
    assert list(left_notes(WITHOUT_MEI, started, MONDAY + WEEK)) == []
    assert list(left_notes(company(BEFORE), started, NOW)) == []


def test_whoever_was_put_on_call_and_left_the_configuration_is_told_of() -> None:
    """Once, to the channel, to whoever put them there and to those on call instead, before it is their turn too."""
    starts, ends = MONDAY + 2 * WEEK, MONDAY + 2 * WEEK + DAY
    made = overrides.add_override(RUNNING, company(BEFORE), "primary", "mei", starts, ends, NOW, by="UDANA")
    assert left(company(BEFORE), record_running(made, company(BEFORE), NOW), NOW) == []
    after = company(BEFORE | {"people": ["dana", "omar"]}, ("dana", "omar", "lena"))
    state = record_running(made, after, MONDAY + WEEK)  # her own shift is over by then
    (instead,) = who(after, state, starts)
    told = left(after, state, MONDAY + WEEK)
    assert {reminder.to for reminder in told} == {"", "dana", instead}
    words = "\n".join(map(plain, Announcer(after, Directory()).left(told[0])))
    assert "Override 1 does not count any more: mei is not in the configuration." in words
    assert f"On call then: @U{instead.upper()}" in words
    later = record_running(state, after, MONDAY + WEEK + HOUR)
    assert [r.id for r in left(after, later, MONDAY + WEEK + HOUR)] == [r.id for r in told]
    board = "\n".join(map(plain, Board(after, Directory(), state, MONDAY + WEEK).overrides()))
    assert "Does not count: mei not in the configuration" in board
    back = record_running(later, company(BEFORE), MONDAY + WEEK + HOUR)  # by a host that still has her
    assert back.left == ()
    again = record_running(back, after, MONDAY + WEEK + 2 * HOUR)
    assert [r.id for r in left(after, again, MONDAY + WEEK + 2 * HOUR)] == [r.id for r in told]


def test_an_override_in_a_rotation_that_was_renamed_is_told_of() -> None:
    """It counts in no rotation, and nobody else would notice."""
    made = overrides.add_override(RUNNING, company(BEFORE), "primary", "dana", NOW, NOW + DAY, NOW, by="UOMAR")
    after = Company.model_validate(
        {"policy": "kars", "people": {p: {"slack": f"U{p.upper()}"} for p in EVERYBODY}, "rotations": {"main": BEFORE}}
    )
    state = record_running(made, after, NOW + HOUR)
    told = left(after, state, NOW + HOUR)
    assert {(r.left.person, r.to) for r in told} == {("dana", ""), ("dana", "omar"), ("mei", "")}
    words = "\n".join(plain(line) for r in told for line in Announcer(after, Directory()).left(r))
    assert "rotation primary is not in the configuration" in words
    assert any("the rotation is gone" in said for said in left_notes(after, state, NOW + HOUR))
