"""Action items: noted as ideas or commitments, listed, closed, and reminded of once."""

from datetime import UTC, date, datetime, timedelta

import fakeredis
import pytest

from bot.parsing.action_item import parse_action_item
from escalation.errors import Refused
from escalation.incident.events.moves import Resolve
from escalation.reviews.action_items import ActionItem, ItemState, closed, due_action_items, in_order
from escalation.reviews.draft import draft
from escalation.storage.action_items import ActionItems
from tests.bot.test_home import home
from tests.support.bot import Office
from tests.support.company import example_company, user
from tests.support.story import START, Story
from tests.support.worker import Works
from workers.recurring.reminders import Reminders

NOW = datetime(2024, 12, 18, 9, tzinfo=UTC)  # a Wednesday
OMAR = "U0OMAR0001"


def item(n: int = 1, **facts: object) -> ActionItem:
    known = {"text": "Alert on the pool", "by": "UDANA", "at": NOW, "owner": OMAR, "due": date(2024, 12, 20)}
    return ActionItem(f"INC-20241218-001/{n}", **(known | facts))  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("typed", "text", "owner", "due"),
    [
        ("Alert on the pool <@U0OMAR0001> friday", "Alert on the pool", OMAR, date(2024, 12, 20)),
        ("Alert on the pool <@U0OMAR0001|omar> by 2024-12-31", "Alert on the pool", OMAR, date(2024, 12, 31)),
        ("Alert on the pool <@U0OMAR0001> in 2 weeks", "Alert on the pool", OMAR, date(2025, 1, 1)),
        ("Ask <@U0DANA0001> <@U0OMAR0001> friday", "Ask <@U0DANA0001>", OMAR, date(2024, 12, 20)),
        ("Alert on the pool, due friday", "Alert on the pool", "", date(2024, 12, 20)),
        ("Alert on the pool <@U0OMAR0001>", "Alert on the pool", OMAR, None),
        ("Fail over by hand", "Fail over by hand", "", None),
    ],
)
def test_items_are_read_as_people_write_them(typed: str, text: str, owner: str, due: date | None) -> None:
    """What is to be done, then who, then by which day."""
    assert tuple(parse_action_item(typed, "UTC", NOW)) == (text, owner, due)


@pytest.mark.parametrize("typed", ["", "<@U0OMAR0001> friday", "x <@U0OMAR0001> someday", "x <@U0OMAR0001> 2024-12-01"])
def test_other_words_are_refused_with_what_to_write(typed: str) -> None:
    """Nothing to do, no such day, or a day that is over."""
    with pytest.raises(Refused, match=r"/incident action \[ID\]"):
        parse_action_item(typed, "UTC", NOW)


def test_an_item_is_an_idea_until_it_has_an_owner_and_a_day() -> None:
    """Commitments stand first, by their day; ideas after them."""
    idea, later = item(1, owner="", due=None), item(2, due=date(2025, 1, 9))
    assert not idea.commitment
    assert [i.id[-1] for i in in_order([idea, later, item(3)], NOW.date())] == ["3", "2", "1"]


def test_an_item_is_closed_once_and_dropped_with_a_reason() -> None:
    """What is closed stays so."""
    with pytest.raises(Refused, match="Say why"):
        closed(item(), ItemState.DROPPED, OMAR, NOW)
    done = closed(item(), ItemState.DONE, OMAR, NOW)
    with pytest.raises(Refused, match="done already"):
        closed(done, ItemState.DROPPED, OMAR, NOW, "no")


def test_what_was_stored_is_read_back() -> None:
    """Numbers count up by incident; an unknown one is refused."""
    items = ActionItems(fakeredis.FakeRedis())
    made = [items.add("INC-20241218-001", lambda new: item(int(new[-1]))) for _ in range(2)]
    assert items.of("INC-20241218-001") == made == items.all()
    changed = items.change(made[0].id, lambda i: closed(i, ItemState.DROPPED, OMAR, NOW, "never"))
    assert items.of("INC-20241218-001")[0] == changed
    with pytest.raises(Refused, match="no action item"):
        items.change("INC-20241218-001/9", lambda i: i)


@pytest.mark.parametrize(
    ("days", "what"),
    [(-3, None), (-2, "soon"), (-1, "soon"), (0, None), (1, "overdue"), (6, None), (7, "lead"), (20, None)],
)
def test_reminders_come_before_after_and_to_the_lead(days: int, what: str) -> None:
    """Two days before and the day after to the owner, a week after to the lead of the service, in the morning."""
    company = example_company()
    service = next(name for name in company.services if company.lead_of(name))
    at = datetime(2024, 12, 20, 9, 30, tzinfo=UTC) + timedelta(days=days)
    found = list(due_action_items([item(service=service)], company, at))
    assert [d.what for d in found] == ([what] if what else [])
    if what:
        assert found[0].to == (company.lead_of(service) if what == "lead" else OMAR)
    assert not list(due_action_items([item(service=service, state=ItemState.DONE)], company, at))
    assert not list(due_action_items([item(service=service)], company, at.replace(hour=8)))


def test_nobody_else_hears_of_a_private_incidents_item() -> None:
    """Its owner is reminded, the lead is not told."""
    company = example_company()
    service = next(name for name in company.services if company.lead_of(name))
    late = datetime(2024, 12, 28, 10, tzinfo=UTC)
    assert not list(due_action_items([item(service=service, private=True)], company, late))


def test_a_reminder_is_sent_once(parts: Works) -> None:
    """In direct messages of the owner, however often the round comes."""
    due = parts.clock().date() + timedelta(days=2)
    parts.clock.push(hours=24 - parts.clock().hour + 10)
    ActionItems(parts.redis).add("INC-20241218-001", lambda new: item(owner=OMAR, due=due + timedelta(days=1)))
    reminders = Reminders(parts.context)
    assert [reminders.send_due(parts.clock()) for _ in range(2)] == [1, 0]
    said = [m for m in parts.directs() if "Alert on the pool" in str(m)]
    assert len(said) == 1
    assert "actions done INC-20241218-001/1" in str(said[0])


def test_the_item_of_somebody_who_left_is_told_to_the_lead(parts: Works) -> None:
    """Once, with the owner's name; of a private incident nobody else is told."""
    company = parts.service.company
    service = next(name for name in company.services if company.lead_of(name) not in ("", OMAR, "omar"))
    due = parts.clock().date() + timedelta(days=3)
    parts.clock.push(hours=24 - parts.clock().hour + 10)
    facts = {"owner": OMAR, "due": due, "service": service}
    for more in ({}, {"private": True, "text": "Secret one"}):
        given = facts | more
        ActionItems(parts.redis).add("INC-20241218-001", lambda new, given=given: item(int(new[-1]), **given))
    parts.control(f"users/{OMAR}", deleted=True)
    reminders = Reminders(parts.context)
    for _ in range(2):
        reminders.send_due(parts.clock())
    said = [m for m in parts.directs() if "its owner cannot be reached" in str(m)]
    assert len(said) == 1
    assert "Alert on the pool" in str(said[0])
    assert OMAR in str(said[0])
    assert not [m for m in parts.directs() if "Secret one" in str(m)]


def test_the_review_lists_them() -> None:
    """Below what the resolution named as next steps, with owner and day."""
    incident = (
        Story("P0").until(9).do(Resolve(by="UONCALL", summary="a", resolution="b", next_steps="Tune it")).incident
    )
    section = next(s for s in draft(incident, {}, [item()]).sections if s.key == "actions")
    assert [entry > 0 for _, entry in section.lines] == [True, False]
    assert "due 2024-12-20" in str(section.lines[1].line)


def test_items_are_noted_listed_and_closed_in_slack(office: Office) -> None:
    """By command; a button says that one is done."""
    incident = office.declare(severity="P1")
    dana = office.person("dana")
    dana.command(f"action {incident.id} Alert on the pool <@{user('omar')}> in 2 weeks")
    assert "Noted" in dana.told("Alert on the pool")
    dana.command("actions all")
    assert "Open action items: 1" in dana.told("Open action items")
    dana.command(f"actions done {incident.id}/1")
    assert f"{incident.id}/1" in dana.told("✅")
    assert ActionItems(office.world.redis).of(incident.id)[0].state is ItemState.DONE
    assert office.world.clock() >= START


def test_items_of_a_private_incident_are_for_its_responders(office: Office) -> None:
    """Others see none in their list, and cannot close one."""
    incident = office.declare(severity="P0", security=True)
    items = ActionItems(office.world.redis)
    items.add(incident.id, lambda new: ActionItem(new, "Rotate keys", user("sofia"), NOW, private=True))
    paula = office.person("paula")
    paula.command("actions all")
    assert "Rotate keys" not in paula.told("No open action items")
    paula.command(f"actions done {incident.id}/1")
    assert paula.told("This incident is private.")
    assert items.of(incident.id)[0].state is ItemState.OPEN


def test_home_shows_what_one_has_promised(office: Office) -> None:
    """The open commitments of its reader, and nobody else's."""
    incident = office.declare(severity="P1")
    items = ActionItems(office.world.redis)
    items.add(incident.id, lambda new: ActionItem(new, "Mine", user("dana"), NOW, owner=user("dana")))
    items.add(incident.id, lambda new: ActionItem(new, "Another's", user("dana"), NOW, owner=user("omar")))
    shown = home(office.person("dana"), "Mine")
    assert "Another" not in shown
