"""Cards, pages and thread messages: what they say, which buttons they carry, and that Slack takes them."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.moves.catalog import SPECS
from bot.render import messages
from bot.render.blockkit import Message
from bot.render.button_value import MORE, ButtonValue
from bot.render.buttons import Button, button, more_moves, offered_moves
from bot.render.card import TIMELINE, redacted
from bot.render.card import card as card_of
from bot.render.lists import PAGE, Page, fitted, home, listing, overview, row, tickets
from bot.render.mrkdwn import DAY, moment, render
from bot.render.notices import communications, for_reminder, of_copy, to_person
from bot.render.pages import page as page_of
from bot.render.upcoming import next_step
from bot.vocabulary import LABELS
from escalation.config.policy import Severity
from escalation.config.rules.checkpoints import Unless
from escalation.engine.state_machine import legal_moves
from escalation.engine.upcoming import Upcoming
from escalation.errors import Refused
from escalation.incident import room_names
from escalation.incident.communications import name_of, pending
from escalation.incident.effects import ArchiveRoom, OpenRoom, Reminded, Say
from escalation.incident.events.declaration import Other
from escalation.incident.events.moves import (
    Acknowledge,
    Answer,
    AnswerCommunication,
    Cancel,
    ChangeSeverity,
    Escalate,
    FixApplied,
    Move,
    PagePeople,
    PostUpdate,
    Reopen,
    Resolve,
    Reviewed,
    RootCause,
    Schedule,
    TakeLead,
    Verify,
    Workaround,
)
from escalation.incident.events.outcomes import Delivered, RoomOpened, Trouble
from escalation.incident.model import Incident
from escalation.incident.responders import duties
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.facts import Facts, Status
from escalation.incident.state.leads import Lead
from escalation.incident.state.pages import MAX_ALSO, PageState
from escalation.incident.state.posted import Copy, CopyKind
from escalation.incident.state.rooms import Room
from escalation.incident.tickets import backlog
from escalation.text import Person, line
from tests.support.block_kit_schema import problems
from tests.support.incidents import (
    RESOLVE,
    UPDATE,
    ahead,
    at,
    declared,
    effect_id,
    in_status,
    incident_after,
    policy,
    roster,
    with_entry,
)
from tests.support.profiles import examples
from tests.support.story import Story

OUTSIDE_TOKEN = re.compile(r"<[!@#](?!date\^)|UEVIL99>")


def texts(value: Any) -> Iterator[str]:
    """Every string in a message that people read."""
    if isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield value["text"]
        yield from (t for inner in value.values() for t in texts(inner))
    elif isinstance(value, list):
        yield from (t for inner in value for t in texts(inner))


def words(message: Message) -> str:
    return "\n".join((message.text, *texts(message.blocks)))


def valid(message: Message) -> Message:
    """Slack would take it: its schema, and the limits that the schema does not know."""
    ids = [b["block_id"] for b in message.blocks]
    assert len(ids) == len(set(ids))
    rows = [[e["action_id"] for e in b["elements"]] for b in message.blocks if b["type"] == "actions"]
    assert all(len(row) == len(set(row)) for row in rows)
    assert 0 < len(message.blocks) <= 50
    assert 0 < len(message.text) <= 3000
    assert sum(len(t) for t in texts(message.blocks)) < 11_000
    assert all(t.strip() for t in texts(message.blocks))
    assert not [problem for block in message.blocks for problem in problems(block)]
    return message


def elements(message: Message) -> list[dict[str, Any]]:
    """The elements of a message's rows of buttons."""
    return [e for b in message.blocks if b["type"] == "actions" for e in b["elements"]]


def pressed(message: Message) -> list[ButtonValue]:
    """Every press that a message offers, from its buttons."""
    return [ButtonValue.decode(e["value"]) for e in elements(message) if e["action_id"] != MORE]


def under_more(incident: Incident) -> list[ButtonValue]:
    """Every press that the list behind a card's More offers; without that button, none."""
    card = card_of(incident, ())
    listed = more_moves(incident, "", [p.move for p in pressed(card)]) if "More" in buttons(card) else []
    return [ButtonValue.decode(block["accessory"]["value"]) for block in listed]


def buttons(message: Message) -> list[str]:
    """The labels of the visible buttons."""
    rows = [e for b in message.blocks if b["type"] == "actions" for e in b["elements"]]
    return [str(e["text"]["text"]) for e in rows if e["type"] == "button"]


def every_message(incident: Incident) -> Iterator[Message]:
    yield card_of(incident, ahead(incident))
    yield card_of(incident, ahead(incident), buttons=False)
    yield redacted(incident)
    yield listing(Page.of([incident]))
    yield tickets(Page.of([incident]))
    for page in incident.pages:
        yield page_of(incident, page.n, ahead(incident))
        yield page_of(incident, page.n, ahead(incident), also=(incident,) * 12)
    for about in Reminded:
        yield to_person(incident, about, "UONCALL")
    for entry in incident.timeline:
        yield messages.for_thread(incident, entry)
        yield messages.for_person(incident, entry)


# Slack takes them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("security", [False, True])
@pytest.mark.parametrize("severity", Severity)
def test_every_status_renders(status: Status, security: bool, severity: Severity) -> None:
    """Card, copies, pages, lists and every timeline entry of an incident in each status are valid."""
    incident = in_status(status, severity=severity, security=security)
    for message in every_message(incident):
        valid(message)


@pytest.mark.parametrize("kind", EntryKind)
def test_every_kind_of_entry_is_said(kind: EntryKind) -> None:
    """Each line of the timeline can be told in the thread and to a person."""
    incident = with_entry(kind)
    entry = incident.latest(kind)
    assert entry is not None
    valid(messages.for_thread(incident, entry))
    assert incident.id in valid(messages.for_person(incident, entry)).text


LONG = st.sampled_from(["x", "& ", "<!channel>", "<@UEVIL99>", "🚨", "line\n", "*_~`"]).map(lambda s: (s * 5000)[:5000])
SHORT = st.text(max_size=60)
NASTY = st.one_of(SHORT, LONG, st.just("<!channel> <@UEVIL99> <#CEVIL99|x> & <https://evil.example|here>\x00\x1b"))
FIELD = NASTY.map(lambda s: s[:3000])
NEEDED = FIELD.filter(lambda s: s.strip())
TITLE = NASTY.map(lambda s: s[:200]).filter(bool)
PERSON = st.one_of(st.sampled_from(["UONCALL", "dana", "<!here>"]), st.text(max_size=80))


@given(
    facts=st.builds(
        Facts,
        title=TITLE,
        impact=FIELD,
        description=FIELD,
        service=NASTY,
        public_wording=NASTY,
        source_link=st.one_of(NASTY, st.just("https://x.example/a|b<!here>")),
    ),
    said=st.tuples(NEEDED, FIELD, FIELD, NEEDED, FIELD, NEEDED),
    by=PERSON,
)
@settings(
    max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
def test_text_from_outside_breaks_nothing(facts: Facts, said: tuple[str, ...], by: str) -> None:
    """Whatever people write, Slack takes the message, and nothing of it mentions anybody."""
    story = Story(roster=roster(on_call=(by,)), by=by)
    story.incident = story.incident.model_copy(update={"facts": facts, "meeting_url": facts.source_link})
    cause, eta, impact, progress, steps, needed = said
    story.do(RootCause(by=by, cause=cause))
    story.do(PostUpdate(by=by, progress=progress, next_steps=steps, eta=eta, impact=impact))
    story.do(Workaround(by=by, text=needed))
    story.do(TakeLead(by=by, lead=Lead.COMMANDER))
    story.do(FixApplied(by=by, text=impact))
    story.do(Trouble(effect=story.incident.effects[0].id, why=needed))
    check_escaped(story.incident)
    closing = Resolve(by=by, summary=needed, resolution=cause, verification=eta, final_impact=impact, next_steps=steps)
    check_escaped(story.do(closing).incident)


def check_escaped(incident: Incident) -> None:
    known = {p for people in roster().holders.values() for p in people} | incident.people()
    mine = re.compile("|".join(f"<@{re.escape(p)}>" for p in known if re.fullmatch(r"[UW][A-Z0-9]{2,}", p)) or "$^")
    for message in every_message(incident):
        assert not OUTSIDE_TOKEN.search(mine.sub("", words(valid(message))))
        assert "<!channel" not in words(message)
    assert len(messages.topic(incident)) <= 250
    assert "<" not in messages.topic(incident)


@given(FIELD, FIELD)
@settings(max_examples=examples(10), deadline=None)
def test_a_cancellation_breaks_nothing(why: str, other: str) -> None:
    """Neither its reason nor the id of its duplicate."""
    check_escaped(incident_after(Cancel(by="UONCALL", why=why, duplicate_of=other)))


# Buttons ----------------------------------------------------------------------------------------------------------


def senseless(incident: Incident) -> set[Move]:
    """The moves that are legal, and still have no place on the card."""
    done = {
        Move.ACKNOWLEDGE: incident.acknowledgement,
        Move.SECURITY: incident.private or not incident.open,  # typed, once it is over
        Move.ESCALATE: len(incident.tiers_paged) == len(incident.policy.tiers),
        Move.WORKAROUND: incident.fix,
        Move.SCHEDULE: incident.fix or not incident.policy.ticket,
        Move.VERIFY: incident.verified or not incident.policy.ticket,
        Move.REVIEWED: incident.reviewed or not incident.review_by,
        Move.PLAN_REVIEW: incident.reviewed or not incident.review_by,
        Move.COMMUNICATE: not pending(incident) or not incident.open,
        Move.RUN: True,  # no action is configured
        Move.PUBLISH: not incident.public_page,
        Move.SNOOZE: True,
        Move.TIMES: not incident.open,  # under the question for its review
        Move.DECLINE: True,  # it stands under a page
    }
    return {move for move, is_so in done.items() if is_so}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("security", [False, True])
@pytest.mark.parametrize("severity", Severity)
def test_each_relevant_move_is_reachable_exactly_once(status: Status, security: bool, severity: Severity) -> None:
    """On the card or behind its one More; only what would certainly be refused, or says nothing new, is left away."""
    incident = in_status(status, security=security, severity=severity)
    shown = valid(card_of(incident, ahead(incident)))
    found = [*pressed(shown), *under_more(incident)]
    assert ("More" in buttons(shown)) == bool(under_more(incident))
    with_reason = [Move.CANCEL] if incident.open else []  # beside the one press: a reason, or a duplicate
    assert sorted(p.move for p in found) == sorted([*(set(legal_moves(incident)) - senseless(incident)), *with_reason])
    assert all(p.incident == incident.id and p.seen == incident.tiers_paged for p in found)


def test_resolve_is_on_the_card_as_soon_as_somebody_has_acknowledged() -> None:
    """Beside at most three other buttons and one More, which says what each of the other moves does."""
    for severity in Severity:
        found = buttons(card_of(incident_after(Acknowledge(by="UONCALL"), severity=severity), ()))
        assert "Resolve" in found
        assert len(found) == 5
        assert found[-1] == "More"
    assert all("\n" in block["text"]["text"] for block in more_moves(declared(), "", ()))


FAILED = LABELS[Move.FIX_FAILED]
PAGING = {"Escalate", "Page someone", "Reopen"}


@pytest.mark.parametrize("severity", Severity)
def test_buttons_keep_their_place_while_the_state_changes(severity: Severity) -> None:
    """What pages is never where Acknowledge was, and Resolve, Post update and Escalate stay where they are."""
    rows = [buttons(card_of(declared(severity), ()))]
    rows += [buttons(card_of(incident_after(Acknowledge(by="UONCALL"), severity=severity), ()))]
    rows += [
        buttons(card_of(in_status(status, severity=severity), ()))
        for status in (Status.IDENTIFIED, Status.FIXING, Status.MONITORING)
    ]
    assert rows[0][0] == "Acknowledge"
    assert {row[0] for row in rows[1:]} == {"Post update"}
    assert {row.index("Resolve") for row in rows[1:]} == {2}
    assert {n for row in rows for n, label in enumerate(row) if label in PAGING} <= {3}


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("status", Status)
def test_a_press_asks_first_unless_it_is_harmless(status: Status, severity: Severity) -> None:
    """What acts at once, without a form, asks first; so a second press never begins what has come to stand there."""
    forms = {Move.LEAD, Move.COMMUNICATE, Move.CANCEL, Move.PLAN_REVIEW}  # these open their list or form from here
    harmless = {Move.ACKNOWLEDGE, Move.SNOOZE, *forms}
    incident = in_status(status, severity=severity)
    shown = [button(Button(move), incident) for move in offered_moves(incident)]
    silent = {e["action_id"] for e in shown if SPECS[Move(e["action_id"])].pressed and "confirm" not in e}
    assert silent <= harmless


@pytest.mark.parametrize(
    ("status", "first"),
    [
        (Status.INVESTIGATING, ["Acknowledge", "Root cause found", "Start fix", "Escalate", "More"]),
        (Status.IDENTIFIED, ["Post update", "Start fix", "Resolve", "Escalate", "More"]),
        (Status.FIXING, ["Post update", "Fix applied", "Resolve", "Escalate", "More"]),
        (Status.MONITORING, ["Post update", FAILED, "Resolve", "Escalate", "More"]),
        (Status.RESOLVED, [LABELS[Move.REVIEWED], "Reopen"]),
        (Status.CANCELLED, ["Reopen", "Correct the reason"]),
    ],
)
def test_the_likeliest_buttons_come_first(status: Status, first: list[str]) -> None:
    """At three in the morning the next move is where the thumb is."""
    assert buttons(card_of(in_status(status), ()))[: len(first)] == first


@pytest.mark.parametrize(
    ("incident", "first"),
    [
        (declared("P2"), ["Acknowledge", "Schedule", "Start fix", "Root cause found"]),
        (
            incident_after(Schedule(by="UONCALL", when="soon"), severity="P2"),
            ["Post update", "Start fix", "Resolve", "Root cause found"],
        ),
        (
            in_status(Status.MONITORING, severity="P2"),
            ["Post update", "Fix verified", "Resolve", FAILED],
        ),
        (
            incident_after(FixApplied(by="UONCALL"), Verify(by="UONCALL"), severity="P2"),
            ["Post update", "Resolve", FAILED],
        ),
        (in_status(Status.RESOLVED), [LABELS[Move.REVIEWED], "Reopen", LABELS[Move.PLAN_REVIEW]]),
        (incident_after(RESOLVE, Reviewed(by="UONCALL")), ["Reopen"]),
        (in_status(Status.RESOLVED, severity="P3"), ["Reopen"]),
    ],
)
def test_a_ticket_and_a_review_have_their_buttons(incident: Incident, first: list[str]) -> None:
    """A ticket is scheduled and verified; a review is asked for while it is due."""
    found = buttons(card_of(incident, ()))
    assert found[: len(first)] == first
    assert incident.open or found == first


def test_a_checkpoint_that_offers_a_button_twice_shows_it_once() -> None:
    """Slack takes no message whose buttons have one name."""
    incident = with_entry(EntryKind.CHECKPOINT)
    [entry] = [e for e in incident.timeline if e.kind is EntryKind.CHECKPOINT]
    twice = entry.model_copy(update={"fields": entry.fields | {"offer": "update,update"}})
    [row] = [b for b in messages.for_thread(incident, twice).blocks if b["type"] == "actions"]
    assert [e["action_id"] for e in row["elements"]] == ["update"]


def test_every_button_that_is_offered_is_accepted() -> None:
    """What the card offers to somebody who was not paged is legal for them at once, Escalate and Acknowledge too."""
    story = Story()
    for move, event in ((Acknowledge, Acknowledge(by="UGUEST1")), (Escalate, Escalate(by="UGUEST1", seen=(1,)))):
        assert event.kind in offered_moves(story.incident), move
        story.do(event)


def test_acknowledge_leaves_the_card_and_stays_on_the_copies_of_open_pages() -> None:
    """Acknowledging answers for everybody on the card, and for each person on their own page."""
    incident = incident_after(Acknowledge(by="UONCALL"))
    assert "Acknowledge" in buttons(card_of(declared(), ()))
    assert "Acknowledge" not in buttons(card_of(incident, ()))
    assert "Acknowledge" not in buttons(page_of(incident, 1))
    assert "Acknowledge" in buttons(page_of(incident, 2))


def test_escalate_names_whom_it_pages_and_goes_when_nobody_is_left() -> None:
    """The dialog names the next tier; when every tier was paged there is nothing to press."""
    story = Story()
    row = next(b for b in card_of(story.incident, ()).blocks if b["type"] == "actions")
    escalate = next(e for e in row["elements"] if e["action_id"] == "escalate")
    assert escalate["confirm"]["text"]["text"] == "Page tier 2 (On call and backup) now?"
    for _ in range(3):
        story.do(Escalate(by="UONCALL"))
    assert "escalate" not in [p.move for p in (*pressed(card_of(story.incident, ())), *under_more(story.incident))]
    assert "Page someone" in buttons(card_of(story.incident, ()))
    with pytest.raises(Refused):
        story.do(Escalate(by="UONCALL"))


def test_a_final_copy_has_no_buttons() -> None:
    """Dead buttons are taken away."""
    assert pressed(card_of(declared(), (), buttons=False)) == []


def labels_under(incident: Incident, kind: EntryKind) -> list[str]:
    """The buttons under the latest entry of a kind, in the thread and in direct messages alike."""
    entry = incident.latest(kind)
    assert entry is not None
    assert buttons(messages.for_person(incident, entry)) == buttons(valid(messages.for_thread(incident, entry)))
    return buttons(messages.for_thread(incident, entry))


UNCLEAR = PostUpdate(by="UONCALL", progress="Asked them", eta="when the vendor answers")
REOPENED = (
    Story().do(Acknowledge(by="UONCALL")).do(RootCause(by="UONCALL", cause="The pool")).do(RESOLVE).do(Reopen(by="U1"))
).incident
OFFER = TakeLead(by="UONCALL", lead=Lead.SCRIBE, to="UBACKUP")


@pytest.mark.parametrize(
    ("incident", "kind", "labels"),
    [
        (with_entry(EntryKind.NOBODY_LEFT), EntryKind.NOBODY_LEFT, ["Page someone"]),
        (with_entry(EntryKind.PAGED), EntryKind.PAGED, []),
        (incident_after(severity="P1", until=59.9), EntryKind.PAGED, []),
        (incident_after(severity="P2", until=241), EntryKind.CHECKPOINT, ["Acknowledge"]),
        (declared("P2"), EntryKind.TICKET, ["Acknowledge", "Schedule"]),
        (incident_after(Acknowledge(by="UONCALL"), severity="P2"), EntryKind.TICKET, ["Schedule"]),
        (declared(), EntryKind.PHASE, ["Become Incident Commander", "Become Comms Lead", "Become Scribe"]),
        (
            incident_after(TakeLead(by="UONCALL", lead=Lead.SCRIBE)),
            EntryKind.PHASE,
            ["Become Incident Commander", "Become Comms Lead"],
        ),
        (incident_after(OFFER), EntryKind.LEADING, ["Accept", "Decline"]),
        (incident_after(OFFER, TakeLead(by="UBACKUP", lead=Lead.SCRIBE)), EntryKind.LEADING, []),
    ],
)
def test_what_asks_for_something_has_the_button_for_it(incident: Incident, kind: EntryKind, labels: list[str]) -> None:
    """What is asked for can be answered where it stands, as long as it makes sense."""
    assert labels_under(incident, kind) == labels


@pytest.mark.parametrize(
    ("incident", "about", "labels"),
    [
        (Story().until(31).incident, Reminded.UPDATE, ["Post update"]),
        (Story().do(FixApplied(by="UONCALL")).until(31).incident, Reminded.STABLE, ["Resolve", "Fix failed"]),
        (
            Story("P2").do(FixApplied(by="UONCALL")).until(31).incident,
            Reminded.STABLE,
            ["Fix verified", "Resolve", "Fix failed"],
        ),
    ],
)
def test_a_reminder_can_be_answered_or_snoozed_where_it_stands(
    incident: Incident, about: Reminded, labels: list[str]
) -> None:
    """It has the buttons that answer it, and 15 minutes, 30 minutes and 1 hour to snooze it for."""
    message = valid(for_reminder(incident, about))
    assert buttons(message) == labels
    (menu,) = [e for b in message.blocks for e in b.get("elements", []) if e["type"] == "static_select"]
    lengths = [ButtonValue.decode(option["value"]).about for option in menu["options"]]
    assert lengths == [f"{about}:15m", f"{about}:30m", f"{about}:1h"]


def test_a_reminder_that_is_over_has_no_buttons() -> None:
    """Once the update was posted, the reminder says so and asks for nothing."""
    story = Story().until(31).do(PostUpdate(by="UONCALL", progress="Restarting"))
    message = for_reminder(story.incident, Reminded.UPDATE, "UONCALL")
    assert [b["type"] for b in message.blocks] == ["context", "section"]
    assert "Progress update posted" in message.text


def test_a_reminder_that_was_answered_has_no_buttons_though_the_next_one_stands() -> None:
    """Its message was to lose them when the next update fell due already: it says that a newer one stands elsewhere."""
    story = Story().until(31).do(PostUpdate(by="UONCALL", progress="Restarting")).until(62)
    assert Reminded.UPDATE in story.incident.reminders
    place = {"channel": "DONCALL", "ts": "1.0", "face": 1, "person": "UONCALL", "about": Reminded.UPDATE}
    answered, standing = (Copy(id="x", kind=CopyKind.REMINDER, final=final, **place) for final in (True, False))
    assert buttons(of_copy(story.incident, standing)) == ["Post update"]
    assert buttons(of_copy(story.incident, answered)) == []
    assert "A newer message has taken the place" in of_copy(story.incident, answered).text


def test_a_communication_asks_for_what_it_waits_for() -> None:
    """Approval, then publication, then nothing; the announcement itself has no buttons for those outside."""
    story = Story("P2").until(2881)
    owed = story.incident.communications[-1]
    told = story.incident.entry(owed.entry)
    assert buttons(communications(story.incident, "ULEAD")) == ["Draft", "Approve", "Not needed"]
    assert buttons(messages.for_audience(story.incident, told)) == []
    for answer, labels in ((Answer.APPROVED, ["Draft", "Published", "Not needed"]), (Answer.PUBLISHED, [])):
        story.do(AnswerCommunication(by="UONCALL", n=owed.n, answer=answer))
        assert buttons(communications(story.incident, "ULEAD")) == labels


def test_what_pages_or_cannot_be_taken_back_asks_first() -> None:
    """Escalate names whom it pages; an answer to a communication says what stops."""
    story = Story()
    shown = [card_of(story.incident, ()), communications(story.incident, "ULEAD")]
    asked = {e["action_id"]: e["confirm"]["text"]["text"] for m in shown for e in elements(m) if "confirm" in e}
    assert asked["escalate"].startswith("Page tier 2")
    assert asked["communicate-published"] == "Has it been published? Its reminders stop."
    assert asked["communicate-declined"] == "Does nobody need to be told? Its reminders stop."


def test_a_press_says_what_it_is_about() -> None:
    """The number and the answer, or the role and to whom it was offered."""
    story = Story().do(OFFER)
    accept, decline = pressed(messages.for_thread(story.incident, story.incident.timeline[-1]))
    assert (accept.move, accept.about) == (Move.LEAD, "scribe:UBACKUP")
    assert (decline.move, decline.about) == (Move.LEAD, "scribe:UBACKUP:declined")
    draft, published, declined, *_ = pressed(communications(story.incident, "UONCALL"))
    assert (draft.about, published.about, declined.about) == ("1", "1:published", "1:declined")


# What a card says -------------------------------------------------------------------------------------------------


def clock(minutes: float) -> str:
    return moment(at(minutes))


OTHERS = (Other(id="INC-20241218-000", coordinated_in="INC-20241218-000"),)
PUBLISHED = AnswerCommunication(by="UONCALL", n=1, answer=Answer.PUBLISHED)


def shown(incident: Incident, names: dict[str, str] | None = None) -> str:
    """What a card says of how the incident stands: not its timeline, which names what was, too."""
    card = card_of(incident, ahead(incident), names=names or {})
    return words(replace(card, blocks=[block for block in card.blocks if block["block_id"] != TIMELINE]))


def test_a_card_says_what_is_wrong_and_who_has_it() -> None:
    """Severity, id, title, status, impact, assigned, since when, targets, flags, service, reporter, call."""
    said = shown(declared(service="checkout", outage=True, description="HTTP 500 everywhere"))
    for part in (
        "🚨 P0 Critical · Investigating",
        "*Checkout is down*",
        "*Impact:* Nobody can pay",
        "INC-20241218-001",
        f"*Nobody has acknowledged.* Target: {clock(15)}",
        "*Assigned:* nobody yet · paged, not acknowledged: <@UONCALL> <@UDEVOPS> <@UBACKEND>",
        f"*Resolve by* {clock(120)}",
        "Customer-facing outage",
        "*Service:* checkout",
        "*Description:* HTTP 500 everywhere",
        "by <@UREPORTER> (manual)",
        "<https://meet.example/abc|join the call>",
        "*War room:* opening · <https://meet",
    ):
        assert part in said


def test_a_card_says_what_fires_next_when_and_whom_it_pages() -> None:
    """The next escalation is always among what is shown, by name: a mention would notify now."""
    names = {"UONCALL": "Dana <3", "UBACKUP": "Omar", "UMANAGER": "Erik"}
    said = shown(declared(), names)
    assert f"{clock(15)} if nobody acknowledges → " in said
    assert "→ tier 2 (On call and backup): Dana &lt;3, Omar" in said
    assert "if not acknowledged → page again: Dana &lt;3, <@UDEVOPS>, <@UBACKEND>" in said
    assert "no root cause is found → tier 3 (Engineering manager): Erik" in shown(
        incident_after(Acknowledge(by="UCTO")), names
    )
    assert "<@UMANAGER>" not in said


@pytest.mark.parametrize(
    ("incident", "part"),
    [
        (incident_after(Acknowledge(by="UONCALL"), until=3), f"*Acknowledged* by <@UONCALL> at {clock(3)} (in time)"),
        (incident_after(Acknowledge(by="UONCALL"), until=20), f"(*late*, target was {clock(15)})"),
        (incident_after(UPDATE, until=3), f"*ETA:* {clock(23)}\n"),
        (Story().until(3).do(UPDATE).until(24).incident, f"*ETA:* {clock(23)} (*passed*)"),
        (incident_after(UNCLEAR, until=3), f"*ETA:* when the vendor answers (as said at {clock(3)})"),
        (Story().do(Acknowledge(by="UONCALL")).until(119).incident, f"*Resolve by* {clock(120)}\n"),
        (Story().do(Acknowledge(by="UONCALL")).until(120).incident, f"*Resolve by* {clock(120)} (*overdue*)"),
        (Story().until(15).incident, f"*Nobody has acknowledged.* Target: {clock(15)} (*overdue*)"),
        (REOPENED, "*Root cause (before it was reopened):* The pool"),
        (REOPENED, "*Before it was reopened:* acknowledged by <@UONCALL>"),
        (incident_after(RESOLVE, Reopen(by="U1"), RESOLVE), "0 seconds since reopening (0 seconds in total)"),
        (declared(), "🎖️ *Incident commander:* nobody yet"),
        (incident_after(UPDATE, until=3), "*Root cause:* ✅ Database issue identified ⏳ Deploying"),
        (in_status(Status.MONITORING), "Escalations are paused while the fix is monitored."),
        (incident_after(until=300), "*Nobody else will be paged:* every tier has been."),
        (in_status(Status.MONITORING), "monitoring ends → ask <@UONCALL> whether it is stable"),
        (in_status(Status.RESOLVED), f"*Resolved* by <@UONCALL> at {clock(5)} after 5 minutes (in time)"),
        (in_status(Status.RESOLVED), "*Summary:* The pool was exhausted."),
        (in_status(Status.CANCELLED), "*Cancelled: false alarm*, by <@UONCALL>"),
        (
            incident_after(Cancel(by="UONCALL", duplicate_of="INC-20241218-009")),
            "*Cancelled: duplicate of INC-20241218-009*",
        ),
        (with_entry(EntryKind.TROUBLE), "*Not delivered yet:* the token was revoked. Retrying."),
        (with_entry(EntryKind.NOBODY_LEFT), "*Nobody is left to page.*"),
        (with_entry(EntryKind.ROOM_OPENED), "🚪 *War room:* <#CROOM1> · "),
        (declared(speed=60.0), "Clocks run 60x faster"),
        (incident_after(severity="P1", until=300), "*Nobody else will be paged:* every tier has been."),
        (declared(drill=True), "🧪 DRILL 🚨 P0 Critical · Investigating"),
        (declared(drill=True), "*🧪 DRILL*: this is an exercise."),
        (declared("P2", team="backend"), "🎫 *Ticket* · backend · open"),
        (declared("P3"), "🎫 *Ticket* · no team · open"),
        (incident_after(Schedule(by="UONCALL", when="sprint <7>"), severity="P2"), "scheduled for sprint &lt;7&gt;"),
        (in_status(Status.MONITORING, severity="P2"), "🎫 *Ticket* · no team · fixed"),
        (incident_after(TakeLead(by="UONCALL", lead=Lead.COMMANDER)), "🎖️ *Incident commander:* <@UONCALL>"),
        (incident_after(OFFER), "🤝 *Offered, not accepted yet:* scribe: <@UBACKUP>"),
        (incident_after(Workaround(by="UONCALL", text="Use the old page")), "*Workaround:* Use the old page"),
        (
            incident_after(FixApplied(by="UONCALL"), Verify(by="UONCALL", text="Paid"), severity="P2"),
            "*Verified:* Paid",
        ),
        (declared(others=OTHERS), "🔗 *Concurrent incidents:* INC-20241218-000 (coordinated in INC-20241218-000)"),
        (declared().model_copy(update={"vendor": "Stripe · +1 555"}), "*Vendor:* Stripe · +1 555"),
        (declared(), f"• Customer update (status page): due by {clock(15)}"),
        (incident_after(until=16), f"• Customer update (status page): *overdue* since {clock(15)}"),
        (incident_after(PUBLISHED), "• Stakeholder email: published by <@UONCALL>"),
        (incident_after(severity="P2", until=2881), "• Customer update (status page): needs approval"),
        (in_status(Status.RESOLVED), f"📋 *Post-incident review due by* {moment(at(2885), DAY)}"),
        (incident_after(RESOLVE, Reviewed(by="UONCALL")), f"review done* (marked by <@UONCALL> at {clock(0)})"),
        (declared("P2"), f"{moment(at(1440), DAY)} if it is not resolved → tier 1 (Team lead)"),
    ],
)  # fmt: skip
def test_a_card_says(incident: Incident, part: str) -> None:
    """Each state has its words."""
    assert part in shown(incident)


def test_whoever_is_assigned_is_not_listed_as_paged_too() -> None:
    """Paged by name although they have it already, a person stands among the assigned and nowhere else."""
    paged = PagePeople(by="U1", people=("UONCALL",), why="Come to the room")
    said = shown(incident_after(Acknowledge(by="UONCALL"), paged))
    assert "*Assigned:* <@UONCALL> · paged, not acknowledged: <@UDEVOPS> <@UBACKEND>\n" in said


@pytest.mark.parametrize("severity", ["P2", "P3"])
def test_a_ticket_is_quiet(severity: str) -> None:
    """No red alarm, no war room, no call, no commander, no broadcast and no thanks for what woke nobody."""
    open_, closed = declared(severity), in_status(Status.RESOLVED, severity=severity)
    for loud in ("🔴", "War room", "join the call", "commander", "Thank you"):
        assert loud not in shown(open_) + shown(closed)
        assert loud not in "\n".join(words(messages.for_thread(closed, entry)) for entry in closed.timeline)
    assert not [e for e in closed.effects if isinstance(e, Say) and e.broadcast]
    assert [e for e in in_status(Status.RESOLVED).effects if isinstance(e, Say) and e.broadcast]


@pytest.mark.parametrize("severity", ["P0", "P1", "P2"])
def test_a_communication_has_one_name(severity: str) -> None:
    """The card's list, the next escalations and what somebody owes call it by the same words."""
    for minute in (0, 16, 2881):
        incident = incident_after(severity=severity, until=minute, outage=True, service="checkout")
        names = {name_of(owed) for owed in pending(incident)}
        said = [u.why for u in ahead(incident) if " is not sent" in u.why]
        assert all(any(why == f"the {name} is not sent" for name in names) for why in said)
        owes = [d.what for d in duties(incident, roster(), "UONCALL")]
        assert all(w.partition(" the ")[2] in names for w in owes if w.startswith(("send the", "approve the")))
        assert all(name[0].upper() + name[1:] in shown(incident) for name in names)
    assert names


def test_next_escalations_have_three_lines_at_most() -> None:
    """Whatever is ahead, the card stays short; the next escalation is among them."""
    for incident in (*map(in_status, Status), declared("P1"), incident_after(until=300), incident_after(UPDATE)):
        block = [b for b in card_of(incident, ahead(incident)).blocks if b["block_id"] == "card-ahead"]
        assert sum(b["text"]["text"].count("\n") for b in block) <= 3


def test_one_war_room_is_named_for_ever() -> None:
    """The shared room of several incidents, else its own, also once it is archived; never "this thread"."""
    home = Room(channel="CHOME1", name="inc-000", private=False)
    together = Story(others=(Other(id="INC-20241218-000", room=home),))
    room = Room(channel="CROOM1", name="inc-001", private=False)
    together.do(RoomOpened(effect=effect_id(together.incident, OpenRoom), room=room))
    assert re.findall(r"<#(\w+)>", shown(together.incident)) == ["CHOME1"]
    alone = Story()
    alone.do(RoomOpened(effect=effect_id(alone.incident, OpenRoom), room=room)).do(RESOLVE).do(Reviewed(by="U1"))
    alone.do(Delivered(effect=effect_id(alone.incident, ArchiveRoom)))
    assert "🚪 *War room:* <#CROOM1> (archived)\n" in shown(alone.incident)
    assert "this thread" not in shown(alone.incident) + shown(declared("P3")) + shown(with_entry(EntryKind.ROOM_LOST))


@pytest.mark.parametrize("status", Status)
def test_a_drill_says_so_everywhere(status: Status) -> None:
    """Cards, pages, notifications, lists, the thread, the topic and the room: nobody takes it for the real thing."""
    incident = in_status(status, drill=True)
    for message in every_message(incident):
        if message != redacted(incident):
            assert "DRILL" in str(valid(message).blocks)
    for seen in (
        card_of(incident, ()),
        page_of(incident, 1, ()),
        messages.for_person(incident, incident.timeline[0]),
    ):
        assert "🧪 DRILL" in seen.text
    assert "DRILL" in messages.topic(incident)
    assert room_names.room_name(incident, private=False).startswith("drill-001-")
    assert "DRILL" not in str([*every_message(in_status(status))])


def test_a_ticket_is_not_said_to_page_nobody() -> None:
    """It pages nobody by design; what rests because nobody said it is no reason to speak of a watched fix."""
    assert "Nobody else will be paged" not in shown(declared("P3"))
    waiting = Story("P0", policy="beauty").incident
    assert "Escalations are paused" not in shown(waiting)


def test_nothing_on_a_card_goes_stale_or_counts_down() -> None:
    """Instants are Slack date tokens, or durations that are over."""
    for status in Status:
        assert not re.search(r"\bago\b|\bin \d+ (second|minute|hour)|\{ago\}", shown(in_status(status)))


def test_what_fires_without_a_condition_is_said_without_one() -> None:
    """A line of the next escalations begins with its condition or with what happens, never with an arrow."""
    cards = [shown(declared(severity)) for severity in ("P0", "P1", "P2", "P3")]
    cards.append(shown(Story("P0", policy="beauty", outage=True).do(Acknowledge(by="UONCALL")).incident))
    assert not [line for card in cards for line in card.split("\n") if "then →" in line or "> →" in line]


@pytest.mark.parametrize("over", [False, True])
def test_a_lock_screen_shows_severity_title_and_impact_first_without_markup(over: bool) -> None:
    """The first words of a page's notification are what is wrong, also once somebody has it; no star is among them."""
    incident = declared(impact="Nobody can pay.")
    if over:
        incident = incident.model_copy(
            update={"pages": tuple(p.model_copy(update={"state": PageState.ANSWERED}) for p in incident.pages)}
        )
    text = page_of(incident, 1, ()).text
    assert text.startswith(
        "🚨 P0 Checkout is down" if over else "🚨 P0 Checkout is down. Impact: Nobody can pay. You're"
    )
    assert "*" not in text


def test_a_page_lists_what_else_its_person_missed() -> None:
    """After an outage: the worst first, and no more than fit on a phone."""
    also = (*(declared(severity="P2", title=f"Slow {n}") for n in range(10)), declared(title="Worse"))
    message = page_of(declared(), 1, (), also=also)
    assert message.text.endswith("You are paged for 11 more.")
    listed = message.blocks[-1]["text"]["text"].partition("You are paged for these too")[2].split("\n")[1:]
    assert "Worse" in listed[0]
    assert "Slow 8" in listed[9]
    assert listed[10:] == ["… and the others in the thread"]
    many = page_of(declared(), 1, (), also=(*also, *also, *also)[:MAX_ALSO])
    assert many.text.endswith("You are paged for 30 or more.")


def test_a_redacted_card_says_nothing_of_the_incident() -> None:
    """Only that it moved."""
    facts: dict[str, Any] = dict.fromkeys(
        ("title", "description", "impact", "service", "public_wording", "source_link"), "MARKER"
    )
    assert "MARKER" not in json.dumps(redacted(declared(**facts)).__dict__)
    assert "is now private" in redacted(declared()).text


def test_long_texts_are_cut_on_the_card_and_complete_in_the_thread() -> None:
    """The card stays readable; the thread has it all."""
    incident = declared(description="word " * 590)
    assert len(shown(incident)) < 3500
    said = valid(messages.for_thread(incident, incident.timeline[0]))
    assert words(said).count("word") >= 590


# The source document's three templates ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("incident", "kind", "fields"),
    [
        (
            declared(),
            EntryKind.DECLARED,
            ("P0 INCIDENT - CRITICAL", "Incident ID", "Time", "Severity", "Impact", "Description", "Status", "Assigned",
             "War room", "Updates will be provided every 30 minutes", "Coordinate in the war room"),
        ),
        (
            incident_after(UPDATE, until=30),
            EntryKind.UPDATE,
            ("P0 INCIDENT UPDATE - INC-20241218-001", "Time", "30 minutes elapsed", "Status", "ROOT CAUSE IDENTIFIED",
             "Progress", "Next steps", "ETA to resolution", "Impact", "Next update", "or when resolved"),
        ),
        (
            incident_after(RESOLVE, until=45),
            EntryKind.RESOLVED,
            ("P0 INCIDENT RESOLVED - INC-20241218-001", "Resolution time", "Duration", "45 minutes", "Severity",
             "Summary", "Resolution", "Verification", "Impact", "Next steps", "Post-incident review", "Resolved by"),
        ),
    ],
)  # fmt: skip
def test_the_templates_have_all_their_fields(incident: Incident, kind: EntryKind, fields: tuple[str, ...]) -> None:
    """Initial alert, progress update and resolution notice, field by field."""
    entry: Entry | None = incident.latest(kind)
    assert entry is not None
    said = words(messages.for_thread(incident, entry))
    assert [f for f in fields if f not in said] == []


def test_the_first_alert_is_folded_below_its_headline() -> None:
    """It repeats the card above it as it was; what is left out where Slack takes no containers is only the fold."""
    incident = declared()
    said = valid(messages.for_thread(incident, incident.timeline[0]))
    head, container = said.blocks[:2]
    assert "P0 INCIDENT - CRITICAL" in head["text"]["text"]
    assert "Incident ID" not in head["text"]["text"]
    assert (container["type"], container["default_collapsed"]) == ("container", True)
    assert "Incident ID" in str(container["child_blocks"])
    assert "Incident ID" in said.text


def test_several_lines_begin_under_their_label() -> None:
    """A list of what was done reads as a list."""
    incident = incident_after(UPDATE, until=30)
    entry = incident.latest(EntryKind.UPDATE)
    assert entry is not None
    assert "*Progress:* \n✅ Database issue identified\n⏳ Deploying" in words(messages.for_thread(incident, entry))


# Lists ------------------------------------------------------------------------------------------------------------


def test_home_shows_first_what_waits_for_its_reader() -> None:
    """Then the rest by severity, and who is on call; Slack's schema takes it, empty or crowded."""
    other = declared("P0").model_copy(update={"id": "INC-20241218-002"})
    mine = declared("P3").model_copy(update={"id": "INC-20241218-001"})
    view = fitted(home([other, mine], [line("Primary: ", Person("UONCALL"))], "UONCALL"))
    listed = next(b["text"]["text"] for b in view["blocks"] if b["block_id"] == "open-list").split("\n")
    assert ["you are paged" in shown for shown in listed] == [True, False]
    many = [declared().model_copy(update={"id": f"INC-20241218-{n:03}"}) for n in range(90)]
    for built in (view, fitted(home([], [], "UONCALL")), fitted(home(many, [], "UONCALL"))):
        assert not problems(built, "home_view")
    assert "and 30 more" in str(fitted(home(many, [], "UONCALL")))


URL = "https://example.slack.com/"
ROW_PARTS = {
    "open": (
        in_status(Status.IDENTIFIED, title="x" * 100),
        "🚨 *P0* <https://example.slack.com/archives/CINC/p1700000000000100|INC-20241218-001> ",
        "xxx…* · Root cause identified · 👀 <@UONCALL> · <#CROOM1>",
    ),
    "nobody has it": (declared("P1"), "🟠 *P1* ", "· *not acknowledged*, paged <@UONCALL>"),
    "resolved": (in_status(Status.RESOLVED), "✅ *P0* ", "· Resolved <!date^"),
    "a ticket": (
        incident_after(Schedule(by="UONCALL", when="sprint 7"), severity="P2"),
        "🟡 *P2* ",
        "· scheduled for sprint 7 · 👀 <@UONCALL>",
    ),
    "a drill": (declared("P0", drill=True), "🚨 *P0* ", "🧪 DRILL *Checkout is down*"),
    "private": (declared("P0", security=True), "🚨 *P0* ", "🔒 *Checkout is down*"),
}


@pytest.mark.parametrize("name", ROW_PARTS)
def test_an_incident_is_one_linked_line_in_every_list(name: str) -> None:
    """Severity, id linked to its card, the title clipped, where it stands, who has it, its room."""
    incident, begins, has = ROW_PARTS[name]
    card = Copy(id="c1", kind=CopyKind.CHANNEL, channel="CINC", ts="1700000000.000100", face=1)
    room = Room(channel="CROOM1", name="inc-001", private=False) if name == "open" else None
    shown = row(incident.model_copy(update={"copies": (card,), "room": room}), URL)
    assert shown.startswith(begins)
    assert has in shown
    assert "\n" not in shown


def test_a_list_goes_on_page_by_page() -> None:
    """Every row of a long list can be reached by the buttons, and each page is one that Slack takes."""
    many = [declared(title="&" * 200).model_copy(update={"id": f"INC-20241218-{n:03}"}) for n in range(52)]
    first, second, last = (valid(listing(Page.of(many, n))) for n in (0, PAGE, 2 * PAGE))
    assert [m.text for m in (first, second, last)] == [
        "Open incidents (1 to 20 of 52)",
        "Open incidents (21 to 40 of 52)",
        "Open incidents (41 to 52 of 52)",
    ]
    assert [buttons(m) for m in (first, second, last)] == [["Next ▶"], ["◀ Previous", "Next ▶"], ["◀ Previous"]]
    said = words(first) + words(second) + words(last)
    assert all(incident.id in said for incident in many)
    assert "No open incidents" in valid(listing(Page.of([]))).text


def test_the_overview_says_first_what_is_open() -> None:
    """Then the buttons and five commands; of many open ones the worst ten are shown, and the rest is counted."""
    few = valid(overview([declared("P2"), declared("P0")]))
    assert words(few).index("*2 open incidents*") < words(few).index("*P0*") < words(few).index("*P2*")
    assert buttons(few) == ["Declare incident", "On call", "List", "All commands"]
    assert words(few).count("`/incident ") == 5
    many = [declared().model_copy(update={"id": f"INC-20241218-{n:03}"}) for n in range(30)]
    assert "and 20 more" in words(valid(overview(many)))
    assert words(valid(overview([]))).startswith("✅ No open incidents.")


def test_tickets_are_listed_team_by_team() -> None:
    """With where each stands, who has it and by when it is due; nothing is an answer too."""
    plan = Schedule(by="UONCALL", when="sprint 7")
    mine, theirs = declared("P3", team="web"), incident_after(plan, severity="P2", team="backend")
    said = words(valid(tickets(Page.of(backlog([mine, theirs, declared("P0")])))))
    backend = r"\*backend\*\n• .*P2\* INC-\S+ \*Checkout is down\* · scheduled for sprint 7 · 👀 <@UONCALL>.*"
    assert re.search(backend + r"\n\*web\*\n• .* · open · unassigned", said)


def test_a_changed_severity_shows_on_the_card() -> None:
    """Its clocks and tiers are the new policy's."""
    lower = ChangeSeverity(by="UONCALL", policy=policy().severities[Severity.P1], why="Less bad")
    incident = incident_after(lower, until=10)
    assert "🟠 P1 High · Investigating" in shown(incident)
    assert incident.clock_from == at(0)


@pytest.mark.parametrize(
    ("incident", "said"),
    [
        (declared(), f"If not acknowledged by {clock(5)}: pages <@UONCALL>, <@UDEVOPS> and <@UBACKEND> again."),
        (incident_after(Acknowledge(by="UONCALL"), until=16), "pages <@UMANAGER>."),
        (incident_after(UPDATE, until=3), "by <!date"),
        (in_status(Status.MONITORING), " by "),
        (declared("P3"), "If not "),
    ],
)
def test_what_happens_next_is_a_reason_with_an_action(incident: Incident, said: str) -> None:
    """A condition, a time, and what is done then: never a reason alone, which reads as if it had happened."""
    (sentence,) = next_step(incident, ahead(incident))
    assert said in render(sentence)
    assert re.fullmatch(r"(If .+ by |At )<!date[^>]+>: .+[^.?!][.?!]", render(sentence))


@pytest.mark.parametrize("kind", CheckpointKind)
def test_each_kind_of_checkpoint_has_its_sentence(kind: CheckpointKind) -> None:
    """Whatever comes next."""
    (sentence,) = next_step(declared(), (Upcoming(at(9), kind, "the time box is over", (Unless.SCHEDULED,)),))
    assert re.fullmatch(r"(If .+ by |At )<!date[^>]+>: .+\.", render(sentence))
