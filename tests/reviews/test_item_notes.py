"""Action items from messages: by the shortcut, by a reaction, and by the form; ideas and commitments stand apart."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from escalation.incident.effects import PostCard
from escalation.incident.events.outcomes import Delivered
from escalation.incident.model import Incident
from escalation.reviews.action_items import ActionItem, ItemState
from escalation.storage.action_items import ActionItems
from sandbox.server import RunningWorkspace
from tests.support.bot import Json, Office, Person, office_in, open_office, patient_workspace
from tests.support.company import user
from tests.support.waiting import eventually

EMOJI = "fast_forward"


@pytest.fixture(scope="module")
def workspace() -> Iterator[RunningWorkspace]:
    with patient_workspace() as opened:
        yield opened


@pytest.fixture
def office(workspace: RunningWorkspace) -> Iterator[Office]:
    with office_in(workspace) as opened:
        yield opened


def items(office: Office) -> list[ActionItem]:
    return ActionItems(office.world.redis).all()


def in_room(office: Office, text: str = "The pool needs an alert", **facts: object) -> tuple[Incident, Person, str]:
    """An incident, and a message of Omar's in its room."""
    incident = office.room(office.declare(**facts), "dana", "omar")  # type: ignore[arg-type]  # facts
    assert incident.room
    return incident, office.person("dana"), office.person("omar").say(text, incident.room.name)


def react(person: Person, incident: Incident, ts: str, name: str = EMOJI, **more: object) -> Json:
    assert incident.room
    return person._post("react", channel=incident.room.channel, ts=ts, name=name, **more)


def shortcut(person: Person, channel: str, ts: str) -> None:
    person.shortcut("action_item_from_message", channel=channel, message_ts=ts)


def test_a_message_becomes_a_commitment_by_its_menu(office: Office) -> None:
    """The form has its words; owner and day make it a commitment, which links to the message."""
    incident, dana, ts = in_room(office)
    assert incident.room
    shortcut(dana, incident.room.channel, ts)
    form = dana.modal("Action item")
    assert "The pool needs an alert" in str(form)
    due = office.world.clock().date() + timedelta(days=14)
    dana.submit(form, text="Alert on the pool", owner=[user("omar")], due=due.isoformat())
    [item] = eventually(lambda: items(office))
    assert (item.text, item.owner, item.due, item.commitment) == ("Alert on the pool", user("omar"), due, True)
    assert ts.replace(".", "") in item.url
    assert "Noted." in dana.told("Alert on the pool", incident.room.name)


def test_a_message_in_the_thread_under_the_card_counts_too(office: Office) -> None:
    """Before there is a room, that is where people write; without owner and day it is an idea."""
    incident = office.declare(severity="P1")
    posted = office.post_card(incident)
    dana = office.person("dana")
    office.world.service.handle(incident.id, _card_posted(incident, posted["channel"], posted["ts"]))
    ts = dana._post("say", channel=posted["channel"], text="Try a second gateway", thread_ts=posted["ts"])["ts"]
    shortcut(dana, posted["channel"], ts)
    dana.submit(dana.modal("Action item"))
    [item] = eventually(lambda: items(office))
    assert (item.text, item.incident, item.commitment) == ("Try a second gateway", incident.id, False)


def _card_posted(incident: Incident, channel: str, ts: str) -> Delivered:
    effect = next(e for e in incident.effects if isinstance(e, PostCard))
    return Delivered(effect=effect.id, channel=channel, ts=ts)


def test_a_message_of_no_incident_is_refused_with_what_to_write(office: Office) -> None:
    """Nothing is noted anywhere."""
    dana = office.person("dana")
    ts = dana.say("Lunch?")
    shortcut(dana, dana.channel("general"), ts)
    assert "/incident action" in dana.told("in no incident")
    assert items(office) == []


@pytest.mark.parametrize(("due", "text", "why"), [("2024-01-01", "x", "is over"), (None, " ", "Say what")])
def test_the_form_says_what_is_wrong(office: Office, due: str | None, text: str, why: str) -> None:
    """A day that is over, or nothing to do; what was typed stays."""
    incident, dana, ts = in_room(office)
    assert incident.room
    shortcut(dana, incident.room.channel, ts)
    answer = dana.submit(dana.modal("Action item"), text=text, **({"due": due} if due else {}))
    assert why in str(answer)
    assert items(office) == []


def test_a_reaction_notes_an_idea_once_and_offers_to_promise_it(office: Office) -> None:
    """Two people react: one item. The button opens the form for its owner and day."""
    incident, dana, ts = in_room(office)
    assert incident.room
    react(dana, incident, ts)
    react(office.person("omar"), incident, ts)
    whisper = dana.told("Noted as an idea", incident.room.name)
    assert "The pool needs an alert" in whisper
    office.person("omar").told("Noted as an idea", incident.room.name)
    [item] = items(office)
    assert not item.commitment
    message = next(m for m in dana.messages(incident.room.name) if m.get("ephemeral") and "Noted" in str(m))
    dana.press(message, f"say-promise-{item.id}", incident.room.channel)
    due = office.world.clock().date() + timedelta(days=3)
    dana.submit(dana.modal("Action item"), owner=[user("dana")], due=due.isoformat())
    [promised] = eventually(lambda: [i for i in items(office) if i.commitment])
    assert (promised.id, promised.text, promised.owner, promised.due) == (item.id, item.text, user("dana"), due)


def test_a_message_is_not_noted_twice(office: Office) -> None:
    """Its menu promises the idea that a reaction made; a reaction on what the menu noted makes no second item."""
    incident, dana, ts = in_room(office)
    assert incident.room
    react(dana, incident, ts)
    eventually(lambda: items(office))
    shortcut(dana, incident.room.channel, ts)
    due = office.world.clock().date() + timedelta(days=3)
    dana.submit(dana.modal("Action item"), owner=[user("dana")], due=due.isoformat())
    [item] = eventually(lambda: [i for i in items(office) if i.commitment])
    other = office.person("omar").say("Another one", incident.room.name)
    shortcut(dana, incident.room.channel, other)
    dana.submit(dana.modal("Action item"), text="Another one")
    eventually(lambda: len(items(office)) == 2)
    react(dana, incident, other)
    dana.told(f"{incident.id}/2", incident.room.name)
    assert len(items(office)) == 2
    assert item.id == f"{incident.id}/1"


def test_a_reaction_that_is_taken_away_drops_the_idea_and_brings_it_back(office: Office) -> None:
    """A slip of the finger leaves nothing to do; while somebody else reacts it stays."""
    incident, dana, ts = in_room(office)
    omar = office.person("omar")
    react(dana, incident, ts)
    react(omar, incident, ts)
    eventually(lambda: items(office))
    react(omar, incident, ts, remove=True)
    react(dana, incident, ts, remove=True)
    eventually(lambda: items(office)[0].state is ItemState.DROPPED)
    react(dana, incident, ts)
    eventually(lambda: items(office)[0].state is ItemState.OPEN)
    assert len(items(office)) == 1


def test_only_the_configured_reaction_notes_and_none_where_it_is_empty() -> None:
    """`follow_up_reaction` names it, with or without colons."""
    for name, expected in ((":memo:", 1), ("", 0)):
        with open_office(follow_up_reaction=name.strip(":")) as office:
            incident, dana, ts = in_room(office)
            react(dana, incident, ts)
            react(dana, incident, ts, name="memo")
            react(dana, incident, ts, name="pushpin")
            eventually(lambda o=office: "pool needs" in str(o.incident().timeline))  # type: ignore[misc]  # a default
            assert len(items(office)) == expected


def test_items_of_a_private_room_stay_there(office: Office) -> None:
    """Whoever may not see the incident notes nothing, and sees nothing."""
    incident, dana, ts = in_room(office, "SECRET-MARKER", severity="P0", security=True)
    react(dana, incident, ts)
    [item] = eventually(lambda: items(office))
    assert item.private
    paula = office.person("paula")
    for command in (
        "actions all",
        f"actions promise {item.id}",
        f"actions reopen {item.id}",
        f"action {incident.id} x",
    ):
        paula.command(command)
    paula.told("This incident is private.")
    paula.told("No open action items")
    assert "SECRET-MARKER" not in str(paula.whispers())
    assert paula.modals() == []
    assert len(items(office)) == 1


def test_a_command_without_words_opens_the_form_and_is_noted_once(office: Office) -> None:
    """Like every other move."""
    incident = office.declare(severity="P1")
    dana = office.person("dana")
    dana.command(f"action {incident.id}")
    form = dana.modal("Action item")
    dana.submit(form, text="Alert on the pool")
    assert len(eventually(lambda: items(office))) == 1


def test_ideas_and_commitments_stand_apart_and_a_closed_one_opens_again(office: Office) -> None:
    """Commitments by their day, then ideas under a heading of their own."""
    incident = office.declare(severity="P1")
    dana = office.person("dana")
    dana.command(f"action {incident.id} Try a second gateway")
    dana.told("Noted as an idea")
    dana.command(f"action {incident.id} Alert on the pool @omar in 2 weeks")
    dana.told("Alert on the pool")
    dana.command("actions all")
    listed = dana.told("Open action items: 2")
    assert (
        listed.index("Commitments") < listed.index("Alert on the pool") < listed.index("Ideas") < listed.rindex("Try a")
    )
    dana.command(f"actions done {incident.id}/2")
    dana.told("✅")
    dana.command(f"actions reopen {incident.id}/2")
    eventually(lambda: all(i.state is ItemState.OPEN for i in items(office)))
