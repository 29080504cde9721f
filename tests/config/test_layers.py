"""Layers of a rotation: weekly hours, levels, turns, and the shifts that come of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from escalation.config.company import Staff
from escalation.config.layers import parse_window
from escalation.config.rotations import Rotation
from escalation.oncall.schedule import (
    EMPTY_STATE,
    OncallState,
    Override,
    next_on_call,
    on_call_at,
    shift_at,
    upcoming_shifts,
)

BERLIN = "Europe/Berlin"
PEOPLE = {name: {"email": f"{name}@example.com"} for name in ("dana", "omar", "mei", "jonas")}
HOUR = timedelta(hours=1)


def at(text: str, zone: str = BERLIN) -> datetime:
    """`2026-12-07 09:00` in local time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def staff(*layers: dict[str, Any], zone: str = BERLIN) -> Staff:
    return Staff.model_validate({"people": PEOPLE, "rotations": {"r": {"timezone": zone, "layers": list(layers)}}})


def on_call(company: Staff, when: str, state: OncallState = EMPTY_STATE) -> tuple[str, ...]:
    return on_call_at("r", company, state, at(when))


@pytest.mark.parametrize(
    ("text", "said", "within", "outside"),
    [
        ("Monday-Friday 09:00-17:00", "Monday, Tuesday, Wednesday, Thursday, Friday 09:00-17:00", 0, 8),
        ("daily 22:00-06:00", "daily 22:00-06:00", 13, 12),
        ("22:00 - 06:00", "daily 22:00-06:00", 13, 12),
        ("Friday 18:00 - Monday 08:00", "Friday 18:00 - Monday 08:00", 105, 104),
        ("sat-sun 00:00-24:00", "Saturday, Sunday 00:00-00:00", 111, 110),
        ("Sunday 08:00 - Sunday 08:00", "Sunday 08:00 - Sunday 08:00", 143, None),
        ("fri-mon 10:00-11:00", "Monday, Friday, Saturday, Sunday 10:00-11:00", 1, 0),
    ],
)
def test_hours_of_a_week_are_read_and_written(text: str, said: str, within: int, outside: int | None) -> None:
    """`within` and `outside` are hours since Monday 09:00."""
    window = parse_window(text)
    assert str(window) == said
    assert parse_window(said) == window
    company, monday = staff({"people": "dana", "hours": text}), at("2026-12-07 09:00")
    assert on_call_at("r", company, EMPTY_STATE, monday + within * HOUR) == ("dana",)
    if outside is not None:
        assert on_call_at("r", company, EMPTY_STATE, monday + outside * HOUR) == ()


@pytest.mark.parametrize(
    "text", ["", "Monday", "9-17", "Mon-Blah 09:00-17:00", "24:00-06:00", "08:00-24:30", "25:00-26:00"]
)
def test_what_are_no_hours_is_refused_with_a_remedy(text: str) -> None:
    """The error says how to write them, and never that something broke."""
    with pytest.raises(ValidationError, match=r"hours of a week; write|are no hours; 24:00"):
        staff({"people": "dana", "hours": text})


def test_the_highest_level_that_has_anybody_counts() -> None:
    """Layers of one level are on call together, an empty place passes to the level below, and else nobody is."""
    company = staff(
        {"people": ["dana"], "level": 2, "hours": "Monday-Friday 09:00-17:00"},
        {"people": ["omar"], "level": 2, "hours": "Monday 12:00-13:00"},
        {"people": [[], "mei"], "every": "1d", "handover": "Monday 00:00", "first_shift": "2026-12-07", "level": 1},
        {"people": ["jonas"], "hours": "Monday 00:00-24:00", "ends": "2026-12-10T00:00:00+01:00"},
    )
    assert on_call(company, "2026-12-07 09:00") == ("dana",)
    assert on_call(company, "2026-12-07 12:30") == ("dana", "omar")
    assert on_call(company, "2026-12-07 20:00") == ("jonas",)
    assert on_call(company, "2026-12-08 20:00") == ("mei",)
    assert on_call(company, "2026-12-14 20:00") == ("mei",)
    assert on_call(company, "2026-12-21 20:00") == ()


def test_a_shift_ends_where_its_turn_or_hours_do() -> None:
    """Edges of layers that do not count split nothing."""
    company = staff(
        {"people": ["dana", "omar"], "handover": "Monday 09:00", "first_shift": "2026-12-07", "level": 1},
        {"people": ["mei"], "hours": "daily 10:00-11:00"},
    )
    shift = shift_at("r", company, EMPTY_STATE, at("2026-12-09 10:30"))
    assert (shift.people, shift.starts, shift.ends) == (("dana",), at("2026-12-07 09:00"), at("2026-12-14 09:00"))
    assert next_on_call("r", company, EMPTY_STATE, at("2026-12-09 10:30")) == ("omar",)


def test_overrides_hold_in_layers_too() -> None:
    """And a gap can be covered."""
    company = staff({"people": ["dana"], "hours": "Monday-Friday 09:00-17:00"})
    cover = Override(id=1, rotation="r", person="mei", starts=at("2026-12-12 08:00"), ends=at("2026-12-12 20:00"))
    state = OncallState(overrides=(cover,), made=1)
    assert on_call(company, "2026-12-12 12:00") == ()
    assert on_call(company, "2026-12-12 12:00", state) == ("mei",)


def test_hours_follow_the_wall_clock() -> None:
    """A night over a DST change is an hour longer or shorter, and turns begin at the same local time."""
    company = staff({"people": ["dana"], "hours": "daily 22:00-06:00"})
    for day, length in (("2026-10-24", 9), ("2026-10-25", 8), ("2027-03-27", 7)):
        shift = shift_at("r", company, EMPTY_STATE, at(f"{day} 23:00"))
        assert shift.ends is not None
        assert shift.ends - shift.starts == length * HOUR


def test_a_layer_that_ended_leaves_a_gap_without_an_end() -> None:
    """And one that never began, one without a start."""
    company = staff({"people": ["dana"], "ends": "2026-01-01T00:00:00Z"}, zone="UTC")
    gap = shift_at("r", company, EMPTY_STATE, at("2026-12-07 09:00"))
    assert (gap.people, gap.starts, gap.ends) == ((), datetime(2026, 1, 1, tzinfo=UTC), None)


def test_unknown_people_in_a_layer_are_named() -> None:
    """In one place or several."""
    with pytest.raises(ValidationError, match="layers and every exclude each other"):
        Rotation.model_validate({"layers": [{"people": "dana"}], "every": "1d"})
    with pytest.raises(ValidationError, match="layers and ical exclude each other"):
        Rotation.model_validate({"layers": [{"people": "dana"}], "ical": "https://calendar.example/a"})


def _layers() -> st.SearchStrategy[list[dict[str, Any]]]:
    clock = st.sampled_from(["00:00", "06:30", "09:00", "18:00", "24:00"])
    hours = st.builds(
        lambda days, a, b: f"{days} {a}-{b}",
        st.sampled_from(["daily", "Monday-Friday", "Saturday, Sunday", "Wednesday"]),
        st.sampled_from(["00:00", "06:30", "09:00", "22:00"]),
        clock,
    )
    slot = st.lists(st.sampled_from(list(PEOPLE)), max_size=2, unique=True)
    slots = st.tuples(st.just(["jonas"]), st.lists(slot, max_size=2)).map(lambda both: [both[0], *both[1]])
    one = st.fixed_dictionaries(
        {
            "people": slots,
            "every": st.sampled_from(["8h", "12h", "1d", "2d", "1w", "2w"]),
            "handover": st.sampled_from(["Monday 00:00", "Tuesday 09:00", "Sunday 02:30"]),
            "level": st.integers(0, 2),
            "timezone": st.sampled_from(["UTC", BERLIN, "America/New_York", "Asia/Kolkata"]),
        },
        optional={"hours": st.lists(hours, min_size=1, max_size=2), "first_shift": st.just("2026-10-01")},
    )
    return st.lists(one, min_size=1, max_size=3)


def _samples(start: datetime) -> Iterator[datetime]:
    return (start + n * timedelta(minutes=97) for n in range(200))


@settings(max_examples=60, deadline=None)
@given(layers=_layers(), day=st.sampled_from(["2026-10-20", "2026-11-30", "2027-03-24"]))
def test_shifts_follow_each_other_without_a_hole_and_say_who_is_on_call(layers: list[dict[str, Any]], day: str) -> None:
    """Whoever a shift names is on call in all of it, as the layers say at each instant."""
    company, start = staff(*layers), at(f"{day} 00:00")
    rotation = company.rotations["r"]
    shifts = upcoming_shifts("r", company, EMPTY_STATE, start, start + timedelta(days=14))
    assert all(before.ends == after.starts for before, after in pairwise(shifts))
    for when in _samples(start):
        shift = next(s for s in shifts if s.starts <= when and (s.ends is None or when < s.ends))
        turns = [(layer.level, layer.on_call(when)) for layer in rotation.layers]
        present = [(level, turn[1]) for level, turn in turns if turn and turn[1]]
        best = max((level for level, _ in present), default=0)
        assert set(shift.people) == {person for level, people in present if level == best for person in people}
