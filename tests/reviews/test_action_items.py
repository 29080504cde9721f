"""Action items: noted as ideas or commitments, listed, closed, and reminded of once."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import fakeredis
import pytest

from bot.parsing.action_item import parse_action_item
from escalation.config.company import Directory
from escalation.errors import Refused
from escalation.incident.events.moves import Resolve, TakeLead
from escalation.incident.state.leads import Lead
from escalation.oncall.reminders import Recipient
from escalation.oncall.roster import Roster, assumed_directory, roster
from escalation.reviews.action_items import ActionItem, ItemState, closed, due_action_items, hearers, in_order
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


def item(n: int = 1, **facts: Any) -> ActionItem:
    known: dict[str, Any] = {
        "text": "Alert on the pool",
        "by": "UDANA",
        "at": NOW,
        "owner": OMAR,
        "due": date(2024, 12, 20),
    }
    return ActionItem(f"INC-20241218-001/{n}", **(known | facts))


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


def of_nobody_else(one: ActionItem) -> tuple[Recipient, ...]:
    """Who hears of an item whose incident's record is gone, as nobody is on call."""
    return hearers(one, example_company(), Directory(), None, Roster())


@pytest.mark.parametrize(
    ("days", "what"),
    [(-3, None), (-2, "soon"), (-1, "soon"), (0, None), (1, "overdue"), (6, None), (7, "lead"), (20, None)],
)
def test_reminders_come_before_after_and_to_the_lead(days: int, what: str) -> None:
    """Two days before and the day after to the owner, a week after to the lead of the service, in the morning."""
    company = example_company()
    service = next(name for name in company.services if company.lead_of(name))
    at = datetime(2024, 12, 20, 9, 30, tzinfo=UTC) + timedelta(days=days)
    found = list(due_action_items([item(service=service)], company, at, of_nobody_else))
    assert [d.what for d in found] == ([what] if what else [])
    if what:
        assert found[0].to == (company.lead_of(service) if what == "lead" else OMAR)
    assert not list(due_action_items([item(service=service, state=ItemState.DONE)], company, at))
    assert not list(due_action_items([item(service=service)], company, at.replace(hour=8)))


LATE = datetime(2024, 12, 28, 10, tzinfo=UTC)  # a week and a day after the items' day
MEI = user("mei")


def heard_by(story: Story, service: str = "checkout", **facts: Any) -> list[str]:
    """Who hears of an item besides its owner, in order: people, and a channel with its #."""
    company = example_company()
    on_call = roster(company, assumed_directory(company), LATE)
    found = hearers(item(service=service, **facts), company, assumed_directory(company), story.incident, on_call)
    return [one.to or f"#{one.channel}" for one in found]


def test_who_else_hears_of_an_item() -> None:
    """The service's lead, who commanded, the company's leads, and at last a channel: somebody always."""
    company = example_company()
    story = Story("P0").do(TakeLead(by="UCOMMAND", lead=Lead.COMMANDER))
    lead = company.lead_of("checkout")
    heard = heard_by(story)
    assert heard[:2] == [lead, "UCOMMAND"]
    assert len(heard) > 3  # the company's leads
    assert heard[-1] == f"#{company.workspace.oncall_channel or company.workspace.incidents_channel}"
    assert heard_by(story, service="") == heard[1:]


def test_of_a_private_incidents_item_only_those_hear_who_may_see_it() -> None:
    """Those it paged or who work on it, and never a channel; nobody once its record is gone."""
    story = Story("P0", security=True).do(TakeLead(by="UCOMMAND", lead=Lead.COMMANDER))
    incident, heard = story.incident, heard_by(story, private=True)
    assert incident.private
    assert "UCOMMAND" in heard
    assert set(heard) - {"UCOMMAND"} <= {page.person for page in incident.pages}
    assert not any(one.startswith("#") for one in heard)
    assert not hearers(item(private=True), example_company(), Directory(), None, Roster())


def test_the_owner_is_reminded_once_more_where_nobody_else_may_hear() -> None:
    """A private item that is a week late is not forgotten."""
    [late] = due_action_items([item(private=True)], example_company(), LATE)
    assert (late.to, late.instead) == (OMAR, ())


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


def due_soon(parts: Works, **facts: object) -> ActionItem:
    """An item of OMAR's, of which somebody is to be reminded now."""
    due = parts.clock().date() + timedelta(days=3)
    parts.clock.push(hours=24 - parts.clock().hour + 10)
    known: dict[str, Any] = {"owner": OMAR, "due": due, "text": "Zebrafish"} | facts
    return ActionItems(parts.redis).add("INC-20241218-001", lambda new: item(int(new[-1]), **known))


def told(parts: Works) -> list[tuple[str, str]]:
    """Who was told of it: the person, or the channel's name; and the words."""
    channels = {c["id"]: c.get("user") or c["name"] for c in parts.look("control/state")["channels"]}
    return [(channels[m["channel"]], str(m)) for m in parts.messages() if "Zebrafish" in str(m)]


@pytest.mark.parametrize("lead_left", [False, True])
def test_the_item_of_somebody_who_left_is_told_to_the_next_who_can_be_reached(parts: Works, lead_left: bool) -> None:
    """Once, with the owner's name and why it is them: the lead, else who commanded."""
    company = parts.service.company
    service = next(name for name in company.services if company.lead_of(name) not in ("", OMAR, "omar"))
    lead = user(company.lead_of(service) or "")
    incident = parts.declare("P0", service=service)
    parts.service.handle(incident.id, TakeLead(by=MEI, lead=Lead.COMMANDER))
    found = due_soon(parts, service=service)
    assert found.incident == incident.id
    for person in (OMAR, *((lead,) if lead_left else ())):
        parts.control(f"users/{person}", deleted=True)
    reminders = Reminders(parts.context)
    for _ in range(2):
        reminders.send_due(parts.clock())
    [(person, words)] = told(parts)
    assert person == (MEI if lead_left else lead)
    assert ("as incident commander" if lead_left else f"as the lead of {service}") in words
    assert "its owner cannot be reached" in words
    assert OMAR in words


def test_an_item_that_nobody_can_be_told_of_is_a_problem(parts: Works) -> None:
    """Of a private incident no channel hears: whoever runs Tocsin finds its number and what to do."""
    found = due_soon(parts, private=True)
    parts.control(f"users/{OMAR}", deleted=True)
    Reminders(parts.context).send_due(parts.clock())
    assert not told(parts)
    [problem] = parts.store.problems.current()
    assert f"/incident actions take {found.id}" in problem.remedy
    assert "Zebrafish" not in str(problem)


def test_an_item_of_which_no_person_can_be_told_is_said_in_the_channel(parts: Works) -> None:
    """An old one, whose incident's record is gone, without a service."""
    due_soon(parts)
    parts.control(f"users/{OMAR}", deleted=True)
    Reminders(parts.context).send_due(parts.clock())
    [(channel, words)] = told(parts)
    company = parts.service.company
    assert channel == (company.workspace.oncall_channel or company.workspace.incidents_channel)
    assert "nobody else is left" in words


def test_reminders_that_slack_refuses_for_good_are_a_problem_until_one_is_taken(parts: Works) -> None:
    """The app's Messages tab is off: nobody would hear, and nobody would know."""
    due_soon(parts)
    parts.fault("chat.postMessage", "error", error="messages_tab_disabled")
    reminders = Reminders(parts.context)
    reminders.send_due(parts.clock())
    [problem] = parts.store.problems.current()
    assert problem.key == "slack:reminders"
    assert "Show Tabs" in problem.remedy
    reminders.send_due(parts.clock())
    assert not parts.store.problems.current()
    assert [person for person, _ in told(parts)] == [OMAR]


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


@pytest.mark.parametrize(("number", "private", "hint"), [("2", False, True), ("9", False, False), ("2", True, False)])
def test_a_number_before_the_words_is_one_of_them(office: Office, number: str, private: bool, hint: bool) -> None:
    """They are noted whole; how they go to the incident of that number is said to whoever may see it."""
    incident, dana = office.room(office.declare(severity="P0"), "dana"), office.person("dana")
    other = office.declare(by="sofia", severity="P0", security=private)
    room = incident.room
    assert room
    dana.command(f"action {number} replicas are too few @omar friday", room.name)
    said = dana.told("Noted", room.name)
    assert [item.text for item in ActionItems(office.world.redis).of(incident.id)] == [f"{number} replicas are too few"]
    assert (f"`/incident action {other.id} …`" in said) == hint
    assert (other.id in said) == hint


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
