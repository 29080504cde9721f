"""Buttons on cards, in channels and in direct messages: pressed by the right ones, too late, and by others."""

from dataclasses import replace
from datetime import timedelta

import pytest
from slack_sdk import WebClient

from bot.render.blockkit import Message
from bot.render.button_value import ButtonValue
from bot.render.messages import for_thread
from bot.render.notices import communications, for_reminder
from escalation.errors import Refused
from escalation.incident.communications import pending
from escalation.incident.effects import Reminded, SendPage
from escalation.incident.events.moves import Acknowledge, Cancel, FixApplied, Move, Resolve, StartFix, TakeLead
from escalation.incident.events.news import CheckpointDue
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.facts import Status
from escalation.incident.state.leads import Lead
from tests.support.bot import Json, Office, calls, control, everything
from tests.support.company import user
from tests.support.waiting import eventually


def press(office: Office, message: Json, move: Move, by: str = "dana") -> Json:
    """Press a move on a posted card, be it on the card or behind More."""
    rows = [e for b in message["message"]["blocks"] for e in b.get("elements", []) if b["type"] == "actions"]
    visible = any(e.get("action_id") == move for e in rows)
    shown = {**message["message"], "ts": message["ts"]}
    if visible:
        return office.person(by).press(shown, move.value, message["channel"])
    office.person(by).press(shown, "more", message["channel"])
    return office.person(by).choose(office.person(by).modal("More actions"), move.value)


@pytest.mark.parametrize(
    ("move", "status"),
    [
        (Move.ACKNOWLEDGE, Status.INVESTIGATING),
        (Move.START_FIX, Status.FIXING),
        (Move.FIX_APPLIED, Status.MONITORING),
        (Move.ESCALATE, Status.INVESTIGATING),
        (Move.CANCEL, Status.CANCELLED),
    ],
)
def test_what_needs_no_words_is_done_at_once(office: Office, move: Move, status: Status) -> None:
    """The click is acknowledged, and recorded under the name of the one who clicked."""
    card = office.post_card(office.declare())
    before = office.incident()
    assert press(office, card, move) == {"ok": True}
    after = eventually(lambda: office.incident() if office.incident().stamp != before.stamp else None)
    assert after.status is status
    assert after.timeline[len(before.timeline)].by == user("dana")


@pytest.mark.parametrize(
    ("move", "title"),
    [
        (Move.ROOT_CAUSE, "Root cause found"),
        (Move.FIX_FAILED, "Fix failed"),
        (Move.UPDATE, "Post update"),
        (Move.SEVERITY, "Change severity"),
        (Move.PAGE, "Page someone"),
        (Move.SECURITY, "Mark as security"),
        (Move.TIMES, "State times"),
        (Move.RESOLVE, "Resolve incident"),
        (Move.REOPEN, "Reopen incident"),
        (Move.WORKAROUND, "Workaround in place"),
        (Move.EDIT, "Edit details"),
        (Move.LEAD, "Incident roles"),
        (Move.REVIEWED, "Review done"),
    ],
)
def test_what_needs_words_opens_its_form(office: Office, move: Move, title: str) -> None:
    """Nothing changes until the form is submitted."""
    incident = office.declare()
    if move is Move.FIX_FAILED:
        incident = office.world.service.handle(incident.id, FixApplied(by=user("omar")))
    if move is Move.REVIEWED:
        incident = office.world.service.handle(incident.id, Resolve(by=user("omar"), summary="s", resolution="r"))
    if move is Move.REOPEN:
        incident = office.world.service.handle(incident.id, Cancel(by=user("omar")))
    press(office, office.post_card(incident), move)
    view = office.person("dana").modal(title)
    assert incident.id in str(view["blocks"])
    assert office.incident().stamp == incident.stamp


@pytest.mark.parametrize(("move", "title"), [(Move.SCHEDULE, "Schedule"), (Move.VERIFY, "Fix verified")])
def test_a_ticket_has_forms_of_its_own(office: Office, move: Move, title: str) -> None:
    """It is scheduled while it waits, and its fix is verified."""
    incident = office.declare(severity="P2")
    if move is Move.VERIFY:
        incident = office.world.service.handle(incident.id, FixApplied(by=user("omar")))
    press(office, office.post_card(incident), move)
    assert office.person("dana").modal(title)


def test_a_form_from_a_button_is_submitted_in_silence(office: Office) -> None:
    """The card shows what came of it; nobody needs to be told twice."""
    press(office, office.post_card(office.declare()), Move.ROOT_CAUSE)
    assert office.person("dana").submit(office.person("dana").modal(), cause="A disk") == {"ok": True}
    assert office.incident().status is Status.IDENTIFIED
    assert not office.person("dana").whispers()


# Under a message -------------------------------------------------------------------------------------------------


def post(office: Office, message: Message) -> Json:
    """Post a message where everybody reads it."""
    slack = WebClient(office.workspace.bot_token, base_url=office.workspace.api_url)
    channel = office.person("dana").channel("general")
    slack.conversations_join(channel=channel)
    return dict(slack.chat_postMessage(channel=channel, text=message.text, blocks=message.blocks).data)  # type: ignore[arg-type]


def say(office: Office, kind: EntryKind) -> Json:
    """Post the latest entry of a kind, as the workers would."""
    incident = office.incident()
    entry = incident.latest(kind)
    assert entry
    return post(office, for_thread(incident, entry))


def test_a_communication_is_answered_where_it_stands(office: Office) -> None:
    """One click says that it was published; a second person hears that it was."""
    office.declare()
    message = post(office, communications(office.incident(), user("omar")))
    office.person("omar").press(message["message"] | {"ts": message["ts"]}, "communicate-published", message["channel"])
    told = eventually(lambda: office.incident().latest(EntryKind.COMMUNICATED))
    assert (told.by, told.fields["answer"]) == (user("omar"), "published")
    office.person("mei").press(message["message"] | {"ts": message["ts"]}, "communicate-declined", message["channel"])
    office.person("mei").told("It is published already.")


def test_a_draft_is_read_and_answered_in_its_form(office: Office) -> None:
    """Draft opens the words of one communication, and what to record of it; the command opens all of them."""
    office.declare()
    message = post(office, communications(office.incident(), user("omar")))
    office.person("omar").press(message["message"] | {"ts": message["ts"]}, "communicate-draft", message["channel"])
    view = office.person("omar").modal("Communications")
    assert "Draft:" in str(view["blocks"])
    (select,) = (b["element"] for b in view["blocks"] if b["type"] == "input")
    assert [option["value"] for option in select["options"]] == ["1:published", "1:declined"]
    assert office.person("omar").submit(view, answer="1:published") == {"ok": True}
    assert eventually(lambda: office.incident().owed(1).by) == user("omar")
    office.person("dana").command("communications")
    listed = office.person("dana").modal("Communications")
    waiting = pending(office.incident())
    assert str(listed["blocks"]).count("Draft:") == len(waiting) == 1


def test_a_reminder_is_snoozed_from_its_menu_and_by_command(office: Office) -> None:
    """The menu takes 15 minutes, 30 minutes and 1 hour, the command any length from a minute to four hours."""
    incident = office.declare()
    office.world.clock.push(minutes=31)
    office.world.service.handle(incident.id, CheckpointDue(checkpoint="any"))
    message = post(office, for_reminder(office.incident(), Reminded.UPDATE))
    shown, option = message["message"] | {"ts": message["ts"]}, f"snooze|{incident.id}"
    office.person("omar").press(shown, "snooze", message["channel"], option)
    until = eventually(lambda: office.incident().reminders[Reminded.UPDATE].snoozed_until)
    assert until == office.world.clock.now + timedelta(minutes=15)
    office.person("omar").command("snooze 45")
    eventually(lambda: (office.incident().reminders[Reminded.UPDATE].snoozed_until or until) > until)
    office.person("omar").command("snooze 5h")
    office.person("omar").told("Reminders can be snoozed for 1 minute to 4 hours.")


def test_a_role_is_taken_with_one_click(office: Office) -> None:
    """As the room opens, whoever presses first has it."""
    office.declare()
    message = say(office, EntryKind.PHASE)
    office.person("omar").press(message["message"] | {"ts": message["ts"]}, "lead-scribe", message["channel"])
    eventually(lambda: office.incident().leads.get(Lead.SCRIBE) == user("omar"))


def test_an_offer_is_accepted_by_the_one_it_was_made_to(office: Office) -> None:
    """Others are told whose it is; the offer stands."""
    incident = office.declare()
    office.world.service.handle(incident.id, TakeLead(by=user("dana"), lead=Lead.COMMANDER, to=user("omar")))
    message = say(office, EntryKind.LEADING)
    shown = message["message"] | {"ts": message["ts"]}
    office.person("mei").press(shown, "lead-commander", message["channel"])
    office.person("mei").told(f"That was offered to <@{user('omar')}>")
    assert office.incident().offers == {Lead.COMMANDER: user("omar")}
    office.person("omar").press(shown, "lead-commander", message["channel"])
    eventually(lambda: office.incident().leads.get(Lead.COMMANDER) == user("omar"))


def test_an_offer_is_declined_by_the_one_it_was_made_to(office: Office) -> None:
    """One press; the role stays free, and others cannot say no in their name."""
    incident = office.declare()
    office.world.service.handle(incident.id, TakeLead(by=user("dana"), lead=Lead.SCRIBE, to=user("omar")))
    message = say(office, EntryKind.LEADING)
    shown = message["message"] | {"ts": message["ts"]}
    office.person("mei").press(shown, "lead-decline", message["channel"])
    office.person("mei").told(f"That was offered to <@{user('omar')}>")
    office.person("omar").press(shown, "lead-decline", message["channel"])
    eventually(lambda: not office.incident().offers)
    assert not office.incident().leads


# Too late --------------------------------------------------------------------------------------------------------


def test_two_people_press_escalate_on_one_card(office: Office) -> None:
    """One tier is paged; the second is told when that was, and only they are."""
    card = office.post_card(office.declare())
    press(office, card, Move.ESCALATE, by="dana")
    eventually(lambda: office.incident().tiers_paged == (1, 2))
    press(office, card, Move.ESCALATE, by="omar")
    office.person("omar").told("Already escalated")
    assert office.incident().tiers_paged == (1, 2)
    assert not office.person("dana").whispers()


@pytest.mark.parametrize(
    ("done", "move", "words"),
    [
        (Acknowledge(by=user("omar")), Move.ACKNOWLEDGE, f"<@{user('omar')}> already acknowledged it"),
        (StartFix(by=user("omar")), Move.START_FIX, "A fix is under way already"),
        (FixApplied(by=user("omar")), Move.START_FIX, "being monitored"),
        (Cancel(by=user("omar")), Move.ESCALATE, "This incident is cancelled. Reopen it first."),
        (Cancel(by=user("omar")), Move.ROOT_CAUSE, "This incident is cancelled. Reopen it first."),
    ],
)
def test_an_old_card_is_answered_kindly(office: Office, done: object, move: Move, words: str) -> None:
    """Whoever presses a button that is not legal any more is told why, and nothing changes."""
    incident = office.declare()
    card = office.post_card(incident)
    after = office.world.service.handle(incident.id, done)  # type: ignore[arg-type]
    press(office, card, move)
    office.person("dana").told(words)
    assert office.incident().stamp == after.stamp


def test_more_lists_what_an_old_card_does_not_show(office: Office) -> None:
    """The list is made when it is opened, for whoever opens it: it offers what makes sense now, and what it does."""
    incident = office.declare()
    card = office.post_card(incident)
    office.world.service.handle(incident.id, FixApplied(by=user("omar")))
    dana = office.person("dana")
    dana.press({**card["message"], "ts": card["ts"]}, "more", card["channel"])
    view = dana.modal("More actions")
    offered = [b["accessory"]["action_id"] for b in view["blocks"] if "accessory" in b]
    assert {"resolve", "fix_failed", "update"} <= set(offered)
    assert not {"fix_applied", "escalate", "acknowledge"} & set(offered)  # over, or on the card
    dana.choose(view, "fix_failed")
    assert dana.modal(title="Fix failed")


def test_what_needs_no_words_is_done_from_the_list(office: Office) -> None:
    """Its answer takes the place of the list, a refusal too."""
    incident = office.declare()
    card = office.post_card(incident)
    dana = office.person("dana")
    dana.press({**card["message"], "ts": card["ts"]}, "more", card["channel"])
    view = dana.modal("More actions")
    dana.choose(view, "fix_applied")
    assert office.incident().status is Status.MONITORING
    assert "Fix applied" in str(dana.modal("Incident")["blocks"])


def test_a_redelivered_click_counts_once(office: Office) -> None:
    """Slack may bring the same envelope again."""
    card = office.post_card(office.declare())
    press(office, card, Move.START_FIX)
    eventually(lambda: office.incident().status is Status.FIXING)
    control(office.workspace, "redeliver", n=1)
    press(office, card, Move.ACKNOWLEDGE, by="omar")
    office.person("omar").told("already acknowledged it")
    assert not office.person("dana").whispers()


def test_an_incident_that_is_gone_is_told(office: Office) -> None:
    """A card of another database, say."""
    lost = office.declare().model_copy(update={"id": "INC-20200101-001"})
    press(office, office.post_card(lost), Move.ACKNOWLEDGE)
    office.person("dana").told("There is no incident INC-20200101-001.")


def test_an_expired_trigger_is_told(office: Office) -> None:
    """The form cannot be opened any more: the presser hears what to do."""
    card = office.post_card(office.declare())
    control(office.workspace, "faults", method="views.open", kind="error", error="expired_trigger_id", times=1)
    press(office, card, Move.ROOT_CAUSE)
    office.person("dana").told("The form took too long to open")


# Direct messages -------------------------------------------------------------------------------------------------


def paged(office: Office) -> tuple[Incident, Json]:
    """Mei's page."""
    incident = office.declare()
    return incident, office.post_card(incident, person="mei")


def test_a_page_is_acknowledged_from_the_direct_message(office: Office) -> None:
    """Her page is answered, the others' pages stay open."""
    incident, message = paged(office)
    press(office, message, Move.ACKNOWLEDGE, by="mei")
    after = eventually(lambda: office.incident() if office.incident().acknowledgement else None)
    assert after.open_page_of(user("mei")) is None
    assert after.open_page_of(user("lena")) is not None
    assert [e for e in incident.effects if isinstance(e, SendPage)]


def test_a_refusal_in_a_direct_message_is_said_there(office: Office) -> None:
    """The answer stands where the button was pressed."""
    incident, message = paged(office)
    office.world.service.handle(incident.id, Cancel(by=user("dana")))
    press(office, message, Move.ACKNOWLEDGE, by="mei")
    told = eventually(lambda: [m for m in office.person("mei").messages("tocsin") if m.get("ephemeral")])
    assert "This incident is cancelled" in told[0]["text"]


# Odd payloads ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"),
    [("", "unpack"), ("nonsense", "unpack"), ("acknowledge|INC", "unpack"), ("explode|INC-1|", "not a valid Move")],
)
def test_a_value_that_is_not_ours_is_no_press(value: str, words: str) -> None:
    """A forged or older value is refused as a whole."""
    with pytest.raises(ValueError, match=words):
        ButtonValue.decode(value)


def test_presses_survive_the_way_to_slack_and_back(office: Office) -> None:
    """And stay under the 150 characters of an option's value."""
    incident = office.declare()
    for move in Move:
        for about in ("", "99:published", f"communications:{user('dana')}"):
            seen = replace(ButtonValue.of(move, incident, about), seen=tuple(range(1, 21)))
            assert ButtonValue.decode(seen.encode()) == seen
            assert len(seen.encode()) <= 150


def test_a_button_from_before_still_works() -> None:
    """Messages that stand in Slack carry values without what the press is about."""
    assert ButtonValue.decode("escalate|INC-20241218-001|1,2") == ButtonValue(Move.ESCALATE, "INC-20241218-001", (1, 2))


def test_a_link_is_acknowledged(office: Office) -> None:
    """Slack reports clicks on link buttons too, and shows a warning when nobody takes them."""
    slack = WebClient(office.workspace.bot_token, base_url=office.workspace.api_url)
    channel = office.person("dana").channel("general")
    slack.conversations_join(channel=channel)
    button = {
        "type": "button",
        "action_id": "elsewhere",
        "url": "https://x.example",
        "text": {"type": "plain_text", "text": "x"},
    }
    blocks = [{"type": "actions", "block_id": "b", "elements": [button]}]
    posted = slack.chat_postMessage(channel=channel, text="x", blocks=blocks)
    shown = {**posted["message"], "ts": posted["ts"]}
    assert office.person("dana").press(shown, "elsewhere", channel) == {"ok": True}
    assert not calls(office.workspace, "views.open")


def test_why_it_was_false_is_said_by_the_form_and_can_be_corrected(office: Office) -> None:
    """Once it is cancelled the card has a button for it; a press without words undoes nothing."""
    original, incident = office.declare(title="Real"), office.declare(title="Twin")
    dana, shown = office.person("dana"), office.post_card(incident)
    dana.press({**shown["message"], "ts": shown["ts"]}, "more", shown["channel"])
    dana.choose(dana.modal("More actions"), "cancel-form")
    dana.submit(dana.modal("Cancel incident"), why="A test of the alert")
    eventually(lambda: office.incident(incident.id).status is Status.CANCELLED)
    cancelled = office.post_card(office.incident(incident.id))
    assert "A test of the alert" in everything(cancelled["message"])
    dana.press({**cancelled["message"], "ts": cancelled["ts"]}, "cancel", cancelled["channel"])
    form = dana.modal("Cancel incident")
    assert "A test of the alert" in str(form["blocks"])
    dana.submit(form, duplicate_of=original.id, why="The same disk")
    said = eventually(lambda: _corrected(office.incident(incident.id)))
    assert (said.why, said.fields["duplicate_of"], said.by) == ("The same disk", original.id, user("dana"))
    with pytest.raises(Refused, match="cancelled already"):
        office.world.service.handle(incident.id, Cancel(by=user("omar")))


def _corrected(incident: Incident) -> Entry | None:
    said = incident.latest(EntryKind.CANCELLED)
    return said if said and said.fields.get("corrects") else None
