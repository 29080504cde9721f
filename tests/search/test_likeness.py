"""Likeness in the thread, whoever declared: found in the background, told once, and what *Same problem* does."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.render.buttons import entry_buttons
from escalation.incident.events.moves import Cancel, MarkSecurity, Reopen, Resolve
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.facts import Status
from escalation.messages.timeline import entry_lines
from escalation.processes import URGENT
from escalation.reviews.action_items import ActionItem
from escalation.storage.action_items import ActionItems
from escalation.text import text
from escalation.values import machine
from sandbox.server import RunningWorkspace
from tests.support.bot import control
from tests.support.company import user
from tests.support.worker import Works, redis_of, works
from workers.queue.rq import queue_key
from workers.recurring.keeping import search
from workers.recurring.keeping.search import SearchRounds

GRAFANA = machine("Grafana")


@pytest.fixture
def parts(patient: RunningWorkspace) -> Iterator[Works]:
    control(patient, "reset")
    with redis_of("fakeredis") as redis:
        yield works(redis, patient)


def solved(parts: Works, title: str, **facts: Any) -> Incident:
    incident = parts.declare("P1", title=title, **facts)
    done = Resolve(by=user("dana"), key=incident.id, summary="Over", resolution="Doubled the pool")
    return parts.service.handle(incident.id, done)


def compared(parts: Works) -> None:
    """A round of the background work, and what follows from it."""
    SearchRounds(parts.context, lambda: False).run(parts.clock())
    parts.run()


def told(parts: Works, incident: Incident) -> list[Entry]:
    return [entry for entry in parts.now(incident).timeline if entry.kind is EntryKind.ALIKE]


def test_an_alerts_incident_is_told_what_is_like_it(parts: Works) -> None:
    """In its thread, once: which open one may be the same, and of the past what fixed it and what is still open."""
    past = solved(parts, "Payment gateway times out")
    ActionItems(parts.redis).add(past.id, lambda i: ActionItem(i, "Alert on the pool", user("dana"), past.declared_at))
    twin = parts.declare("P1", title="Payment gateway timeouts")
    new = parts.declare("P0", by=GRAFANA, title="Payment gateway times out again")
    parts.run()
    assert not told(parts, new)
    for _ in range(2):
        compared(parts)
    [entry] = told(parts, new)
    assert entry.fields == {"open": twin.id, "past": past.id}  # a P0 is not closed as a duplicate of a P1
    [post] = [p for p in parts.now(new).posts if entry.n in p.entries]
    message = str(posted(parts, post.channel, post.ts))
    for words in ("Maybe the same problem", past.id, "Doubled the pool", "Alert on the pool"):
        assert words in message


def posted(parts: Works, channel: str, ts: str) -> dict[str, Any]:
    return next(m for m in parts.messages() if (m["channel"], m["ts"]) == (channel, ts))


def test_neither_declaration_nor_page_waits_for_likeness(parts: Works) -> None:
    """What is decided at the declaration holds nothing of it, and no page has a word of another incident."""
    solved(parts, "Payment gateway times out")
    new = parts.declare("P0", by=GRAFANA, title="Payment gateway times out")
    assert new.pages
    assert not [e for e in new.timeline if e.kind is EntryKind.ALIKE]
    parts.run()
    compared(parts)
    [entry] = told(parts, new)
    assert not [p for p in parts.now(new).posts if p.person and entry.n in p.entries]


def test_private_incidents_are_never_named(parts: Works) -> None:
    """Neither a closed nor an open private incident is named anywhere; and one that nothing is like says nothing."""
    solved(parts, "Payment gateway times out", security=True)
    parts.declare("P0", title="Payment gateway times out", security=True)
    new = parts.declare("P0", by=GRAFANA, title="Payment gateway times out")
    compared(parts)
    assert not told(parts, new)


def test_what_became_private_is_taken_back(parts: Works) -> None:
    """The words of an open incident that was named, and is private since, leave the thread of the other one."""
    twin = parts.declare("P1", title="Payment gateway of Zebra times out")
    new = parts.declare("P0", by=GRAFANA, title="Payment gateway times out")
    parts.run()
    compared(parts)
    [entry] = told(parts, new)
    [post] = [p for p in parts.now(new).posts if entry.n in p.entries]
    assert "Zebra" in str(posted(parts, post.channel, post.ts))
    parts.service.handle(twin.id, MarkSecurity(by=user("dana"), why="A leak"))
    compared(parts)
    assert "Zebra" not in str(posted(parts, post.channel, post.ts))


def test_a_closed_incident_is_told_nothing(parts: Works) -> None:
    """What is over before it was compared needs no advice."""
    solved(parts, "Payment gateway times out")
    new = solved(parts, "Payment gateway times out again")
    compared(parts)
    assert not told(parts, new)


def test_the_original_hears_what_the_duplicate_said(parts: Works) -> None:
    """One click cancels the new one; the open one is told its words, once, and who reported it is invited."""
    twin = parts.declare("P0", title="Payment gateway times out")
    new = parts.declare("P0", by=user("omar"), title="Payment gateway times out again", impact="Cards are refused")
    compared(parts)
    [entry] = told(parts, new)
    [button] = entry_buttons(parts.now(new), entry)
    assert (button.label, button.about) == ("Same problem", f"same:{twin.id}")
    parts.service.handle(new.id, Cancel(by=user("dana"), duplicate_of=twin.id))
    parts.run()
    parts.service.handle(new.id, Cancel(by=user("dana"), duplicate_of=twin.id, why="Said again"))
    parts.run()
    assert parts.now(new).status is Status.CANCELLED
    [heard] = [e for e in parts.now(twin).timeline if e.kind is EntryKind.SAME_PROBLEM]
    assert (heard.fields["other"], heard.by, heard.people) == (new.id, user("dana"), (user("omar"),))
    assert heard.text == "Payment gateway times out again\nCards are refused"


def test_words_of_a_duplicate_that_became_private_leave_its_original(parts: Works) -> None:
    """It was reopened, and is a security incident: its original says no more of it than its id, wherever it is read."""
    twin = parts.declare("P0", title="Payment gateway times out")
    new = parts.declare("P0", by=user("omar"), title="Zebra opens the vault")
    parts.service.handle(new.id, Cancel(by=user("dana"), duplicate_of=twin.id))
    parts.run()
    assert any("Zebra" in words and "Same problem" in words for words in parts.public_words("Zebra"))
    parts.service.handle(new.id, Reopen(by=user("dana"), why="It is another one"))
    parts.service.handle(new.id, MarkSecurity(by=user("dana"), why="A leak"))
    parts.run()
    compared(parts)
    parts.run()
    assert [words for words in parts.public_words("Zebra") if "set the channel topic" not in words] == []
    [entry] = [e for e in parts.now(twin).timeline if e.kind is EntryKind.SAME_PROBLEM]
    assert "Zebra" not in text(entry_lines(parts.now(twin), entry))


def test_only_one_as_bad_or_worse_is_joined(parts: Works) -> None:
    """And of two as bad the later one joins: nobody closes the worse one, or both."""
    mild = parts.declare("P2", title="Payment gateway times out")
    worse = parts.declare("P0", title="Payment gateway times out for cards")
    late = parts.declare("P0", title="Payment gateway times out again")
    compared(parts)
    joins = {i.id: told(parts, i)[0].fields.get("join", "") for i in (mild, worse, late)}
    assert joins[worse.id] == ""
    assert joins[late.id] == worse.id
    assert joins[mild.id] in (worse.id, late.id)


def test_who_reported_the_duplicate_is_invited(parts: Works) -> None:
    """To the room of the one that goes on."""
    twin = parts.declare("P0", title="Payment gateway times out")
    new = parts.declare("P0", by=user("omar"), title="Payment gateway times out again")
    after = parts.service.handle(new.id, Cancel(by=user("dana"), duplicate_of=twin.id))
    assert [e.other for e in after.effects if e.kind == "tell_original"] == [twin.id]
    parts.run()
    room = parts.now(twin).room
    assert room is not None
    invited = [call for call in parts.calls("conversations.invite") if room.channel in str(call)]
    assert user("omar") in str(invited)


@pytest.mark.parametrize(("mine", "other"), [(True, False), (False, True)])
def test_a_private_duplicate_stays_private(parts: Works, mine: bool, other: bool) -> None:
    """Words of a private one reach no public one; a private one hears of its duplicate, and lets nobody in by it."""
    original = parts.declare("P0", title="Payment gateway times out", security=other)
    new = parts.declare("P0", by=user("omar"), title="Stolen key", security=mine)
    members = parts.now(original).people()
    parts.service.handle(new.id, Cancel(by=user("dana"), duplicate_of=original.id))
    parts.run()
    heard = [e for e in parts.now(original).timeline if e.kind is EntryKind.SAME_PROBLEM]
    assert bool(heard) is other
    assert user("omar") not in parts.now(original).people() - members


def test_the_comparison_gives_way_to_pages(parts: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a page or checkpoint waits nothing is compared; it has its turn in the next round."""
    solved(parts, "Payment gateway times out")
    new = parts.declare("P0", by=GRAFANA, title="Payment gateway times out")
    assert parts.redis.exists(queue_key(URGENT))
    monkeypatch.setattr(search, "MAX_YIELD", 0.0)
    paced = replace(parts.context, paced=True)
    rounds = SearchRounds(paced, lambda: False)
    rounds.run(parts.clock())
    assert not told(parts, new)
    parts.run()
    rounds.run(parts.clock())
    assert told(parts, new)
