"""Names of war rooms: short, and unique."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.incident.room_names import ROOM_NAME_LIMIT, candidates, room_name
from escalation.incident.state.rooms import Room
from tests.support.incidents import declared

LOST = (Room(channel="C1", name="inc-001", private=False),)


@pytest.mark.parametrize(
    ("facts", "private", "name"),
    [
        ({"title": "Database corrupted"}, False, "inc-001-database-corrupted"),
        ({"title": "Database corrupted"}, True, "inc-001-private-database-corrupted"),
        ({"title": "Café «Ünïcode» — 50 % of 10.000"}, False, "inc-001-cafe-unicode-50-of-10-000"),
        ({"title": "数据库"}, False, "inc-001"),
        ({"title": "Slow", "drill": True}, False, "drill-001-slow"),
        ({"title": "Slow", "old_rooms": LOST}, False, "inc-001-2-slow"),
    ],
)
def test_a_room_is_named_after_its_number_and_title(facts: dict[str, object], private: bool, name: str) -> None:
    """A narrow sidebar shows the number and the first words of the title."""
    title = str(facts.pop("title"))
    assert room_name(declared(title=title).model_copy(update=facts), private) == name


def test_a_taken_name_gets_the_day_then_the_year_then_a_number() -> None:
    """A name that an earlier version chose, with its day in it, is only numbered."""
    assert candidates("inc-001-slow", "INC-20241218-001")[:4] == (
        "inc-001-slow",
        "inc-1218-001-slow",
        "inc-20241218-001-slow",
        "inc-20241218-001-slow-2",
    )
    old = "inc-20241218-001-slow"
    assert candidates(old, "INC-20241218-001")[:2] == (old, f"{old}-2")


@given(st.text(min_size=1, max_size=200), st.booleans(), st.booleans())
def test_every_name_is_one_that_slack_takes(title: str, private: bool, drill: bool) -> None:
    """At most 80 lower-case letters, digits and hyphens, and no name twice."""
    incident = declared(title=title).model_copy(update={"drill": drill})
    names = candidates(room_name(incident, private), incident.id)
    assert len(set(names)) == len(names) > 5
    assert all(re.fullmatch(rf"[a-z0-9-]{{1,{ROOM_NAME_LIMIT}}}", name) for name in names)
