"""The weekly note of those whom nothing wakes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from escalation.config.company import Company, Directory
from escalation.config.notify import Via
from escalation.messages.oncall import Announcer
from escalation.oncall.reminders import DueAsleep, due_reminders
from escalation.oncall.schedule import OncallState
from escalation.text import text
from tests.support.company import example_data
from tests.support.story import kars

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)  # in the example's zone too


def company(**phones: str) -> Company:
    """The example company, where these people have a telephone, and nobody else."""
    people: dict[str, Any] = {key: {"email": f"{key}@example.com"} for key in example_data()["people"]}
    for key, number in phones.items():
        people[key]["phone"] = number
    return Company.model_validate(example_data() | {"people": people})


def note(firm: Company, at: datetime) -> DueAsleep | None:
    found = due_reminders(firm, kars(), OncallState(), Directory(), at)
    return next((o for o in found if isinstance(o, DueAsleep)), None)


def test_each_week_begins_with_who_cannot_be_woken() -> None:
    """One note on the first working morning names everybody on an urgent tier without such a method."""
    firm = company(dana="+4915112345678")
    opening = firm.calendar.next_opening(MONDAY)
    due = note(firm, opening)
    assert due
    assert due.due == opening
    people = {gap.person for gap in due.gaps}
    assert "dana" not in people
    assert "omar" in people
    words = text(Announcer(firm, Directory()).asleep(due))
    assert "Nothing wakes them" in words
    assert "omar" in words
    assert "give them a phone" in words
    assert note(firm, opening - timedelta(seconds=1)) is None
    assert note(firm, opening + timedelta(days=1)) is None
    following = note(firm, opening + timedelta(days=7))
    assert following
    assert following.id != due.id


def test_a_phone_that_nothing_here_can_ring_wakes_nobody() -> None:
    """The note goes by what is set up: with ntfy alone whoever has a phone and no topic is on it."""
    people: dict[str, Any] = {key: {"email": f"{key}@example.com"} for key in example_data()["people"]}
    people["dana"] |= {"phone": "+4915112345678"}
    people["omar"] |= {"ntfy": "omar-pages"}
    firm = Company.model_validate(example_data() | {"people": people})
    found = due_reminders(firm, kars(), OncallState(), Directory(), firm.calendar.next_opening(MONDAY), {Via.NTFY})
    [due] = [o for o in found if isinstance(o, DueAsleep)]
    assert "omar" not in {gap.person for gap in due.gaps}
    assert "dana" in {gap.person for gap in due.gaps}
    assert "SMS, call not set up here" in text(Announcer(firm, Directory()).asleep(due))


@pytest.mark.parametrize("everybody", [True, False])
def test_it_is_no_news_where_everybody_or_nobody_can_be_woken(everybody: bool) -> None:
    """A company that uses no such method hears it from `tocsin check --coverage`, not each week."""
    phones = {key: f"+49151123{n:05}" for n, key in enumerate(example_data()["people"])} if everybody else {}
    firm = company(**phones)
    assert note(firm, firm.calendar.next_opening(MONDAY)) is None
