"""Who is really on call: overrides, swaps, absences, calendar feeds and test pages over the plan."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.render.mrkdwn import plain
from bot.render.oncall import on_call_lines
from escalation.config.company import Company, Directory
from escalation.config.policy import Policy
from escalation.config.rotations import Shift
from escalation.errors import Refused
from escalation.oncall import overrides, schedule
from escalation.oncall.roster import Roster, roster
from escalation.oncall.schedule import (
    MICROSECOND,
    Away,
    Feed,
    OncallState,
    Override,
    boundaries,
    next_on_call,
    on_call_at,
    shift_at,
    upcoming_shifts,
)
from escalation.times import local_instant
from tests.support.profiles import examples

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
THREE = ["dana", "omar", "mei"]


def company(**changed: Any) -> Company:
    """Dana, Omar and Mei, a week each from 23 November 2026."""
    data = {
        "policy": "kars",
        "people": {name: {"slack": f"U{name.upper()}"} for name in (*THREE, "erik")},
        "roles": {"on_call": "rotation primary", "backup": "rotation primary next"},
        "rotations": {"primary": {"people": THREE, "first_shift": "2026-11-23"}},
    }
    return Company.model_validate(data | changed)


def fed(*shifts: tuple[str, int, int]) -> tuple[Company, OncallState]:
    """A rotation by a calendar: (person, first day, day after the last), counted from MONDAY."""
    plan = tuple(Shift(person=p, starts=MONDAY + a * DAY, ends=MONDAY + b * DAY) for p, a, b in shifts)
    by_feed = company(rotations={"primary": {"people": THREE, "ical": "https://cal.example/a.ics"}})
    return by_feed, overrides.record_feed(OncallState(), "primary", plan, MONDAY)


def people(state: OncallState, *hours: float, of: Company | None = None) -> list[str]:
    """Who is on call so many hours after MONDAY."""
    return ["+".join(on_call_at("primary", of or company(), state, MONDAY + h * HOUR)) or "-" for h in hours]


def test_nothing_arranged_is_the_plan() -> None:
    """A week each; the backup is the next one."""
    assert people(OncallState(), 0, 167.99, 168, 336, 504) == ["dana", "dana", "omar", "mei", "dana"]
    assert next_on_call("primary", company(), OncallState(), MONDAY) == ("omar",)


def test_an_override_holds_exactly_as_long_as_it_says() -> None:
    """From its start, included, until its end, excluded; the backup is whoever comes after it."""
    state = overrides.add_override(
        OncallState(), company(), "primary", "erik", MONDAY + HOUR, MONDAY + 3 * HOUR, MONDAY, "UOMAR", "dentist"
    )
    starts, ends = state.overrides[0].starts, state.overrides[0].ends
    at = [starts - MICROSECOND, starts, ends - MICROSECOND, ends]
    assert [on_call_at("primary", company(), state, i) for i in at] == [("dana",), ("erik",), ("erik",), ("dana",)]
    assert next_on_call("primary", company(), state, starts) == ("dana",)
    assert next_on_call("primary", company(), state, MONDAY) == ("erik",)
    assert shift_at("primary", company(), state, starts).planned == ("dana",)


def test_the_later_made_override_wins_and_taking_it_back_uncovers_the_earlier_one() -> None:
    """Also where the later one is the longer."""
    state = overrides.add_override(OncallState(), company(), "primary", "omar", MONDAY, MONDAY + 9 * HOUR, MONDAY)
    state = overrides.add_override(state, company(), "primary", "mei", MONDAY + HOUR, MONDAY + 12 * HOUR, MONDAY)
    assert people(state, 0, 1, 10, 12) == ["omar", "mei", "mei", "dana"]
    assert people(overrides.cancel(state, "#2"), 0, 1, 10) == ["omar", "omar", "dana"]
    assert people(overrides.cancel(state, 1), 0, 1, 10) == ["dana", "mei", "mei"]


@pytest.mark.parametrize(
    ("rotation", "person", "starts", "ends", "words"),
    [
        ("primary", "erik", 2, 2, "It ends before it begins"),
        ("primary", "erik", -9, -1, "It is entirely in the past"),
        ("primary", "erik", 0, 24 * 367, "It is longer than a year"),
        ("primray", "erik", 0, 1, "no rotation called 'primray'; did you mean 'primary'?"),
        ("primary", "erk", 0, 1, "no person called 'erk'; did you mean 'erik'?"),
    ],
)
def test_an_override_that_cannot_be_is_refused(rotation: str, person: str, starts: int, ends: int, words: str) -> None:
    """With words for the one who tried."""
    with pytest.raises(Refused) as refused:
        overrides.add_override(
            OncallState(), company(), rotation, person, MONDAY + starts * HOUR, MONDAY + ends * HOUR, MONDAY
        )
    assert words in str(refused.value)


def test_taking_a_shift_lasts_until_its_end() -> None:
    """The rest of the week, or the rest of another's override; not twice."""
    now = MONDAY + 30 * HOUR
    state = overrides.take_shift(OncallState(), company(), "primary", "mei", now)
    assert people(state, 29.9, 30, 167, 168) == ["dana", "mei", "mei", "omar"]
    with pytest.raises(Refused, match=r"mei is on call in primary already\."):
        overrides.take_shift(state, company(), "primary", "mei", now)
    short = overrides.add_override(OncallState(), company(), "primary", "erik", MONDAY, MONDAY + 40 * HOUR, MONDAY)
    assert people(overrides.take_shift(short, company(), "primary", "mei", now), 29, 30, 39, 40) == [
        "erik", "mei", "mei", "dana",
    ]  # fmt: skip


def test_a_swap_is_two_overrides_made_together() -> None:
    """This week's rest for a whole week of the other's; each is found by its person."""
    now = MONDAY + DAY
    theirs = overrides.next_shift_of("primary", "mei", company(), OncallState(), now)
    assert theirs is not None
    assert theirs.starts == MONDAY + 2 * WEEK
    state = overrides.swap_shifts(OncallState(), company(), "primary", now, theirs.starts, now, "UDANA")
    assert people(state, 23, 24, 168, 336, 503, 504) == ["dana", "mei", "omar", "dana", "dana", "dana"]
    assert [(o.person, o.starts) for o in state.overrides] == [("mei", now), ("dana", MONDAY + 2 * WEEK)]
    with pytest.raises(Refused, match=r"Both shifts are dana's already\."):
        overrides.swap_shifts(OncallState(), company(), "primary", MONDAY, MONDAY + HOUR, MONDAY)


def test_whoever_is_away_is_covered_by_the_next_in_the_order() -> None:
    """Who is not away either; all away is nobody, a gap."""
    state = overrides.add_absence(OncallState(), company(), "dana", MONDAY + DAY, MONDAY + 3 * DAY, MONDAY)
    assert people(state, 23, 24, 71, 72) == ["dana", "omar", "omar", "dana"]
    state = overrides.add_absence(state, company(), "omar", MONDAY + 2 * DAY, MONDAY + 9 * DAY, MONDAY)
    assert people(state, 24, 48, 72, 168) == ["omar", "mei", "dana", "mei"]
    state = overrides.add_absence(state, company(), "mei", MONDAY, MONDAY + 4 * DAY, MONDAY)
    assert people(state, 47, 48, 72) == ["omar", "-", "dana"]
    assert roster(company(), Directory(), MONDAY + 50 * HOUR, state).of("on_call") == ()
    assert people(overrides.cancel(state, 3), 48) == ["mei"]


def test_days_away_in_the_configuration_are_whole_local_days() -> None:
    """First and last included, in the company's zone."""
    entries = {n: {"slack": f"U{n.upper()}"} for n in THREE} | {
        "dana": {"slack": "UDANA", "away": ["2026-11-24..2026-11-25"]}
    }
    berlin = company(people=entries, timezone="Europe/Berlin")
    assert people(OncallState(), 22.9, 23, 70.9, 71, of=berlin) == ["dana", "omar", "omar", "dana"]


def test_what_was_said_last_counts() -> None:
    """Taking a shift in one's own holiday holds; falling ill after taking one is covered."""
    absent = overrides.add_absence(OncallState(), company(), "erik", MONDAY, MONDAY + WEEK, MONDAY)
    back = overrides.take_shift(absent, company(), "primary", "erik", MONDAY)
    assert people(back, 5) == ["erik"]
    ill = overrides.add_absence(back, company(), "erik", MONDAY + HOUR, MONDAY + DAY, MONDAY)
    assert people(ill, 0, 5, 25) == ["erik", "dana", "erik"]


def test_the_backup_is_somebody_who_is_there() -> None:
    """The next one of the order who is neither away nor on call already; nobody when there is none."""
    state = overrides.add_absence(OncallState(), company(), "omar", MONDAY, MONDAY + 3 * DAY, MONDAY)
    assert next_on_call("primary", company(), state, MONDAY) == ("mei",)
    assert next_on_call("primary", company(), state, MONDAY + 4 * DAY) == ("omar",)
    state = overrides.add_absence(state, company(), "mei", MONDAY, MONDAY + 3 * DAY, MONDAY)
    assert next_on_call("primary", company(), state, MONDAY) == ()
    alone = company(rotations={"primary": {"people": ["dana"]}})
    assert next_on_call("primary", alone, OncallState(), MONDAY) == ()


def test_a_feed_says_who_and_its_gap_is_nobody() -> None:
    """After its last shift nothing is known; nothing fetched is nobody."""
    by_feed, state = fed(("omar", 0, 2), ("mei", 3, 4), ("erik", 3, 4))
    assert people(state, -1, 0, 47, 48, 72, 96, of=by_feed) == ["-", "omar", "omar", "-", "mei+erik", "-"]
    assert next_on_call("primary", by_feed, state, MONDAY) == ("mei", "erik")
    assert shift_at("primary", by_feed, state, MONDAY + 9 * DAY).ends is None
    assert people(OncallState(), 0, of=by_feed) == ["-"]
    covered = overrides.add_override(state, by_feed, "primary", "dana", MONDAY + 2 * DAY, MONDAY + 9 * DAY, MONDAY)
    assert people(covered, 47, 48, 71, 72, 200, 216, of=by_feed) == ["omar", "dana", "dana", "dana", "dana", "-"]


def test_a_feed_that_fails_keeps_its_last_good_copy() -> None:
    """And the error beside it, until it is read again."""
    by_feed, state = fed(("omar", 0, 7))
    failed = overrides.record_feed_failure(state, "primary", "no answer", MONDAY + HOUR)
    assert people(failed, 5, of=by_feed) == ["omar"]
    assert (failed.feeds["primary"].error, failed.feeds["primary"].fetched_at) == ("no answer", MONDAY)
    assert overrides.record_feed(failed, "primary", (), MONDAY + DAY).feeds["primary"] == Feed(
        rotation="primary", fetched_at=MONDAY + DAY
    )


def test_until_the_test_page_is_answered_both_are_on_call() -> None:
    """From the start of the shift, wherever it was sent before; and no longer than the answer."""
    start, early = MONDAY + WEEK, MONDAY + WEEK - 9 * HOUR
    page = schedule.TestPage(rotation="primary", shift_start=start, person="omar", sent_at=early)
    sent = overrides.record_test_page(OncallState(), page)
    assert people(sent, 160, 168, 335, 336) == ["dana", "omar+dana", "omar+dana", "mei"]
    heard = overrides.record_answer(sent, "primary", start, "omar", start + HOUR)
    assert people(heard, 168, 168.99, 169) == ["omar+dana", "omar+dana", "omar"]
    assert overrides.record_answer(heard, "primary", start, "omar", start + DAY) is heard
    assert overrides.record_test_page(heard, page) is heard
    before = overrides.record_answer(sent, "primary", start, "omar", early + HOUR)
    assert people(before, 168) == ["omar"]
    assert roster(company(), Directory(), start, sent).of("on_call") == ("UOMAR", "UDANA")


def test_whoever_left_the_configuration_is_on_duty_no_more() -> None:
    """What was arranged for them is as if it were not there."""
    state = OncallState(
        overrides=(Override(id=1, rotation="primary", person="zed", starts=MONDAY, ends=MONDAY + DAY),),
        feeds={"primary": Feed(rotation="primary", shifts=(Shift(person="zed", starts=MONDAY, ends=MONDAY + DAY),))},
    )
    assert people(state, 1) == ["dana"]
    assert people(state, 1, of=fed()[0]) == ["-"]


def test_what_ended_long_ago_is_forgotten_and_numbers_are_not_used_again() -> None:
    """A quarter stays."""
    state = overrides.add_override(OncallState(), company(), "primary", "erik", MONDAY, MONDAY + DAY, MONDAY)
    later = MONDAY + 100 * DAY
    state = overrides.add_absence(state, company(), "omar", later, later + DAY, later)
    assert (state.overrides, state.away[0].id) == ((), 2)
    assert OncallState.model_validate_json(state.model_dump_json()) == state


def test_upcoming_shifts_have_their_real_boundaries() -> None:
    """Cut where people change, and nowhere else."""
    state = overrides.add_override(OncallState(), company(), "primary", "erik", MONDAY + DAY, MONDAY + 2 * DAY, MONDAY)
    state = overrides.add_override(state, company(), "primary", "omar", MONDAY + 7 * DAY, MONDAY + 8 * DAY, MONDAY)
    turns = upcoming_shifts("primary", company(), state, MONDAY + 30 * HOUR, MONDAY + 15 * DAY)
    assert [(t.people, (t.starts - MONDAY).days) for t in turns] == [
        (("erik",), 1), (("dana",), 2), (("omar",), 7), (("mei",), 14),
    ]  # fmt: skip


TIMES = st.integers(-200, 800).map(lambda h: MONDAY + h * HOUR)
LENGTHS = st.integers(1, 400).map(lambda h: h * HOUR)
KEYS = st.sampled_from([*THREE, "erik"])


@st.composite
def oncall_states(draw: st.DrawFn) -> OncallState:
    """Some overrides and absences, in any order and overlap."""
    state = OncallState()
    for n in range(1, draw(st.integers(0, 6)) + 1):
        starts, length, who = draw(TIMES), draw(LENGTHS), draw(KEYS)
        if draw(st.booleans()):
            made = Override(id=n, rotation="primary", person=who, starts=starts, ends=starts + length)
            state = state.model_copy(update={"overrides": (*state.overrides, made), "made": n})
        else:
            gone = Away(id=n, person=who, starts=starts, ends=starts + length)
            state = state.model_copy(update={"away": (*state.away, gone), "made": n})
    if draw(st.booleans()):
        start = MONDAY + WEEK
        page = schedule.TestPage(rotation="primary", shift_start=start, person="omar", sent_at=start - HOUR)
        state = overrides.record_test_page(state, page)
    return state


@settings(max_examples=examples(60))
@given(oncall_states(), st.sampled_from(["12h", "1d", "1w"]), st.data())
def test_boundaries_contain_every_change(state: OncallState, every: str, data: st.DataObject) -> None:
    """Between two neighbouring boundaries the whole roster is constant."""
    here = company(rotations={"primary": {"people": THREE, "every": every}})
    edges = (MONDAY, *boundaries(here, state, MONDAY, MONDAY + 3 * WEEK), MONDAY + 3 * WEEK)
    assert list(edges) == sorted(set(edges))
    at = data.draw(st.integers(0, len(edges) - 2))
    inside = [edges[at], edges[at] + (edges[at + 1] - edges[at]) / 3, edges[at + 1] - MICROSECOND]
    assert len({str(dict(roster(here, Directory(), i, state).holders)) for i in inside}) == 1


@settings(max_examples=examples(60))
@given(oncall_states(), TIMES)
def test_turns_follow_each_other_without_gap_or_overlap(state: OncallState, at: datetime) -> None:
    """Each begins where the one before ends, and holds the people whom its whole length has."""
    turns = upcoming_shifts("primary", company(), state, at, at + 3 * WEEK)
    quiet = state.model_copy(update={"tests": ()})
    assert turns[0].starts <= at
    for turn, following in pairwise(turns):
        assert turn.ends == following.starts
        assert {on_call_at("primary", company(), quiet, i) for i in (turn.starts, following.starts - MICROSECOND)} == {
            turn.people
        }


@settings(max_examples=examples(60))
@given(oncall_states(), TIMES)
def test_the_last_made_override_of_an_instant_holds(state: OncallState, at: datetime) -> None:
    """Unless its person went away after that."""
    holding = [o for o in state.overrides if o.starts <= at < o.ends]
    if holding and not any(a.id > holding[-1].id for a in state.away):
        quiet = state.model_copy(update={"tests": ()})
        assert on_call_at("primary", company(), quiet, at) == (holding[-1].person,)


NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)  # a Wednesday, 10:00 in Berlin


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-12-24", "2026-12-23T23:00"),
        ("2026-12-24 18:00", "2026-12-24T17:00"),
        ("2026-12-24T18:00", "2026-12-24T17:00"),
        ("2026-12-24T18:00+00:00", "2026-12-24T18:00"),
        ("today 18:00", "2026-11-25T17:00"),
        ("18:00", "2026-11-25T17:00"),
        ("Tomorrow", "2026-11-25T23:00"),
        ("tomorrow, 9:30", "2026-11-26T08:30"),
        ("monday 09:00", "2026-11-30T08:00"),
        ("wednesday 11:00", "2026-11-25T10:00"),
        ("wed 09:00", "2026-12-02T08:00"),
        ("2028-02-29 00:00", "2028-02-28T23:00"),
        ("now", "2026-11-25T09:00"),
        ("in 2h", "2026-11-25T11:00"),
        ("in an hour", "2026-11-25T10:00"),
        ("in half an hour", "2026-11-25T09:30"),
        ("in 90 minutes", "2026-11-25T10:30"),
        ("in 2 hours and 15 min", "2026-11-25T11:15"),
        ("tomorrow 9am", "2026-11-26T08:00"),
        ("9am tomorrow", "2026-11-26T08:00"),
        ("tomorrow at 9:30 pm", "2026-11-26T20:30"),
        ("12am", "2026-11-24T23:00"),
        ("12pm", "2026-11-25T11:00"),
        ("noon", "2026-11-25T11:00"),
        ("friday noon", "2026-11-27T11:00"),
        ("Mon 22:00", "2026-11-30T21:00"),
        ("this friday", "2026-11-26T23:00"),
        ("next friday", "2026-12-03T23:00"),
        ("next monday 9am", "2026-11-30T08:00"),
        ("1 Dec 9:00", "2026-12-01T08:00"),
        ("Dec 1 9am", "2026-12-01T08:00"),
        ("December 1st, 2027 at 9am", "2027-12-01T08:00"),
        ("1st of December", "2026-11-30T23:00"),
        ("24 Nov", "2027-11-23T23:00"),
        ("25 November 12:00", "2026-11-25T11:00"),
        # Skipped by the clock change: as much later as the gap is long. Repeated by it: the first time.
        ("2027-03-28 02:30", "2027-03-28T01:30"),
        ("2026-10-25 02:30", "2026-10-25T00:30"),
    ],
)
def test_times_as_people_type_them(text: str, utc: str) -> None:
    """In Berlin's time."""
    assert local_instant(text, "Europe/Berlin", NOW) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a time; write one like"),
        ("teatime", "'teatime' is not a time; write one like 2026-12-24 18:00"),
        ("13pm", "is not a time"),
        ("in a while", "is not a duration"),
        ("30 Feb", "there is no 30 feb"),
        ("1 Foo", "is not a time"),
        ("next", "is not a time"),
        ("24.12.2026", "is not a time"),
        ("2026-12-24 25:00", "is not a time"),
        ("2027-02-29", "there is no 2027-02-29 in the calendar"),
        ("2027-02-29 12:00", "there is no 2027-02-29 in the calendar"),
        ("t 12:00", "is not a time"),
    ],
)
def test_what_is_no_time_is_refused(text: str, words: str) -> None:
    """With examples of what is."""
    with pytest.raises(ValueError, match=words):
        local_instant(text, "Europe/Berlin", NOW)


def test_the_board_tells_what_was_arranged() -> None:
    """People, backup, next handover, overrides, absences, a test page without an answer."""
    now = MONDAY + HOUR
    state = overrides.add_override(
        OncallState(), company(), "primary", "erik", now, MONDAY + DAY, now, "UOMAR", "dentist"
    )
    state = overrides.add_absence(state, company(), "mei", now, MONDAY + DAY, now, why="ill")
    state = overrides.record_test_page(
        state, schedule.TestPage(rotation="primary", shift_start=now, person="erik", sent_at=now)
    )
    policy = Policy(name="kars", title="KARS", roles={"on_call": "on-call engineer"}, severities={})
    names = {f"U{n.upper()}": n.title() for n in (*THREE, "erik")}
    lines = on_call_lines(company(), policy, Directory(), Roster(holders={"on_call": ("UERIK",)}), now, state)
    said = "\n".join(plain(told, names) for told in lines)
    for words in (
        "primary: @Erik and @Dana, backup @Dana",
        "to @Dana",
        "Test page sent at",
        "Override 1: @Erik in primary from",
        "set by @Omar: dentist",
        "Away 2: @Mei from",
        "on-call engineer: @Erik",
    ):
        assert words in said


def test_the_board_shows_the_schedule_that_results() -> None:
    """The next weeks with overrides and absences applied, each with whom it replaces; then the plan goes on."""
    now = MONDAY + HOUR
    state = overrides.add_override(OncallState(), company(), "primary", "erik", now, MONDAY + DAY, now)
    state = overrides.add_absence(state, company(), "omar", MONDAY + WEEK, MONDAY + 2 * WEEK, now)
    said = board_of(state, now).replace(":00 UTC", " UTC")
    for words in (
        "Schedule of primary, next 4 weeks:",
        "• now until 2026-11-24 00:00 UTC: @UERIK (override 1, instead of @UDANA)",
        "• 2026-11-24 00:00 UTC until 2026-11-30 00:00 UTC: @UDANA\n",
        "• 2026-11-30 00:00 UTC until 2026-12-07 00:00 UTC: @UMEI (instead of @UOMAR)",
        "• 2026-12-14 00:00 UTC until 2026-12-21 00:00 UTC: @UDANA",
    ):
        assert words in said


def test_of_contradictory_overrides_it_is_said_which_counts() -> None:
    """The later one; what is left of the earlier one is what the schedule shows."""
    now = MONDAY + HOUR
    state = OncallState()
    for person, first, last in (("erik", 1, 5), ("mei", 2, 3), ("omar", 8, 9), ("mei", 7, 10)):
        starts, ends = MONDAY + first * DAY, MONDAY + last * DAY
        state = overrides.add_override(state, company(), "primary", person, starts, ends, now)
    said = board_of(state, now).splitlines()
    by_number = {line.partition(":")[0]: line for line in said if line.startswith("Override")}
    assert by_number["Override 1"].endswith("⚠️ Partly replaced by override 2, which is later.")
    assert by_number["Override 3"].endswith("⚠️ Replaced by later overrides.")
    assert not any("⚠️" in by_number[f"Override {n}"] for n in (2, 4))


def board_of(state: OncallState, now: datetime) -> str:
    policy = Policy(name="kars", title="KARS", roles={}, severities={})
    return "\n".join(plain(told) for told in on_call_lines(company(), policy, Directory(), Roster(), now, state))
