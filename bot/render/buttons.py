"""Buttons: on a card the moves that are legal now, the likeliest first; under a message those that it asks for."""

from collections.abc import Container
from dataclasses import dataclass

from bot.render.blockkit import BUTTON, CONFIRM, OPTION, Block, action_row, plain_text
from bot.render.button_value import MORE, ButtonValue
from bot.render.mrkdwn import cut, escape
from bot.vocabulary import LABELS
from escalation.config.actions import BUTTON as BY_HAND
from escalation.config.actions import Action
from escalation.engine.paging import next_tier
from escalation.engine.state_machine import is_redundant, legal_moves, useful_moves
from escalation.incident.actions import actions_at, is_dry, runs_of
from escalation.incident.asks import FALSE_ALARM, SAME, Ask, asks
from escalation.incident.effects import Reminded
from escalation.incident.events.moves import Answer, Move
from escalation.incident.model import Incident
from escalation.incident.state.communications import OwedCommunication, OwedState
from escalation.incident.state.entries import Entry
from escalation.incident.state.facts import Status
from escalation.incident.state.leads import Lead
from escalation.values import machine_title

_ANSWERS = {Answer.APPROVED: "Approve", Answer.PUBLISHED: "Published", Answer.DECLINED: "Not needed"}
_TASK_ANSWERS: dict[OwedState, tuple[Answer, ...]] = {
    OwedState.WAITING: (Answer.APPROVED, Answer.DECLINED),
    OwedState.OWED: (Answer.PUBLISHED, Answer.DECLINED),
}
_SNOOZES = (("15m", "15 minutes"), ("30m", "30 minutes"), ("1h", "1 hour"))
_TAKE = {
    Lead.COMMANDER: "Become Incident Commander",
    Lead.COMMUNICATIONS: "Become Comms Lead",
    Lead.SCRIBE: "Become Scribe",
}


@dataclass(frozen=True)
class Button:
    """One button: its move and the move's argument; `name` tells apart several of one move in a row."""

    move: Move
    label: str = ""
    about: str = ""
    name: str = ""

    @property
    def action_id(self) -> str:
        """Slack's action id: unique in its row."""
        return f"{self.move}-{self.name}" if self.name else self.move.value


def entry_buttons(incident: Incident, entry: Entry) -> tuple[Button, ...]:
    """Choose the buttons under a timeline entry, as the incident stands now."""
    return tuple(map(_of_ask, asks(incident, entry)))


def _of_ask(ask: Ask) -> Button:
    first, _, second = ask.about.partition(":")
    match ask.move:
        case Move.LEAD:
            if second.endswith(":declined"):
                return Button(ask.move, "Decline", ask.about, "decline")
            return Button(ask.move, "Accept" if second else _TAKE[Lead(first)], ask.about, first)
        case Move.CANCEL if ask.about.startswith(SAME):
            return Button(ask.move, "Same problem", ask.about, "same")
        case _:
            return Button(ask.move, about=ask.about)


def task_buttons(owed: OwedCommunication) -> tuple[Button, ...]:
    """Buttons that show the draft of a communication and answer it; none once it was answered."""
    answers = _TASK_ANSWERS.get(owed.state, ())
    found = tuple(Button(Move.COMMUNICATE, _ANSWERS[answer], f"{owed.n}:{answer}", answer) for answer in answers)
    return (Button(Move.COMMUNICATE, "Draft", str(owed.n), "draft"), *found) if found else ()


def reminder_buttons(incident: Incident, about: Reminded) -> tuple[Button, ...]:
    """Buttons under a reminder: what answers it."""
    if about is Reminded.UPDATE:
        return (Button(Move.UPDATE),)
    if about is Reminded.REVIEW:
        meeting = incident.review_work and incident.review_work.meeting
        later = (Button(Move.PLAN_REVIEW, "Move the meeting", "later", "later"),) if meeting else ()
        return (Button(Move.PLAN_REVIEW), *later, Button(Move.TIMES), Button(Move.REVIEWED))
    verify = (Button(Move.VERIFY),) if incident.policy.ticket else ()
    return (*verify, Button(Move.RESOLVE), Button(Move.FIX_FAILED))


def snooze_menu(incident: Incident, about: Reminded) -> Block:
    """Select that snoozes a reminder."""
    values = {label: ButtonValue.of(Move.SNOOZE, incident, f"{about}:{length}") for length, label in _SNOOZES}
    options = [{"text": plain_text(label, OPTION), "value": value.encode()} for label, value in values.items()]
    placeholder = plain_text(LABELS[Move.SNOOZE], BUTTON)
    return {"type": "static_select", "action_id": Move.SNOOZE, "placeholder": placeholder, "options": options}


_MESSAGE_ONLY = (Move.SNOOZE, Move.DECLINE)
_TYPED_LATER = (Move.COMMUNICATE, Move.PUBLISH, Move.TIMES, Move.SECURITY)  # of a closed incident, by command
# The places of a card's row, the likeliest first. A button keeps its place while the state changes: nothing that pages
# or acts at once comes to stand where Acknowledge stood, or where the button stood that led here.
_PLACES: dict[Status, tuple[Move, ...]] = {
    Status.INVESTIGATING: (Move.UPDATE, Move.ROOT_CAUSE, Move.RESOLVE, Move.ESCALATE),
    Status.IDENTIFIED: (Move.UPDATE, Move.START_FIX, Move.RESOLVE, Move.ESCALATE),
    Status.FIXING: (Move.UPDATE, Move.FIX_APPLIED, Move.RESOLVE, Move.ESCALATE),
    Status.MONITORING: (Move.UPDATE, Move.FIX_FAILED, Move.RESOLVE, Move.ESCALATE),
    Status.RESOLVED: (Move.REVIEWED, Move.REOPEN, Move.PLAN_REVIEW),
    Status.CANCELLED: (Move.REOPEN,),
}
# A ticket has to be scheduled, and its fix verified.
_TICKET_PLACES: dict[Status, tuple[Move, ...]] = {
    Status.INVESTIGATING: (Move.UPDATE, Move.SCHEDULE, Move.RESOLVE, Move.ROOT_CAUSE),
    Status.IDENTIFIED: (Move.UPDATE, Move.SCHEDULE, Move.RESOLVE, Move.FIX_APPLIED),
    Status.FIXING: (Move.UPDATE, Move.FIX_APPLIED, Move.RESOLVE, Move.FIX_FAILED),
    Status.MONITORING: (Move.UPDATE, Move.VERIFY, Move.RESOLVE, Move.FIX_FAILED),
}
_EXPLAINED: dict[Move, str] = {
    Move.ACKNOWLEDGE: "You take this incident.",
    Move.ROOT_CAUSE: "Record the cause.",
    Move.COMMUNICATE: "What stakeholders and customers are still to be told, with drafts.",
    Move.PUBLISH: "Update or correct the status page, with a preview.",
    Move.WORKAROUND: "People can work again; the cause is still to be found.",
    Move.SCHEDULE: "Plan the work on this ticket.",
    Move.START_FIX: "Marks the fix as started and tells the war room.",
    Move.FIX_APPLIED: "Starts monitoring. Escalations are paused meanwhile.",
    Move.FIX_FAILED: "Back to investigating.",
    Move.VERIFY: "Record that the fix was checked.",
    Move.UPDATE: "Post a status update.",
    Move.ESCALATE: "Page the next tier.",
    Move.PAGE: "Page people by name, or whoever holds a role.",
    Move.RUN: "Call a system of yours: restart, failover, rollback.",
    Move.SEVERITY: "Raise or lower it.",
    Move.RESOLVE: "The incident is over.",
    Move.REOPEN: "It is not over: clocks start again, and the first tier is paged.",
    Move.TIMES: "When the impact began, was detected and ended: for the figures.",
    Move.PLAN_REVIEW: "Owner and meeting of the post-incident review, or why none is needed.",
    Move.REVIEWED: "The post-incident review was held.",
    Move.CANCEL: "It is a duplicate of another one, or you want to say why it was false.",
    Move.LEAD: "Become incident commander, communications lead or scribe, or assign the role.",
    Move.EDIT: "Correct title, impact, service and other facts.",
    Move.SECURITY: "Make it private: the security team is paged, and a private channel opens.",
}


def offered_moves(incident: Incident, person: str = "") -> tuple[Move, ...]:
    """List the legal moves that make sense now: first those on the card, then the others.

    Left out are moves that would be refused or change nothing: acknowledging twice (except for a person whose own page
    is open), marking as security twice, escalating when every tier was paged, scheduling what is no ticket or is fixed,
    verifying twice, and a review that is not required.
    """
    order = dict.fromkeys((*_places(incident, person), *LABELS))
    legal = legal_moves(incident)
    # Of a closed incident the list stands in direct messages alone: the room's card is archived with the room.
    hidden = _MESSAGE_ONLY if incident.open else (*_MESSAGE_ONLY, *_TYPED_LATER)
    return tuple(m for m in order if m in legal and m not in hidden and not is_redundant(m, incident, person))


def _places(incident: Incident, person: str = "") -> tuple[Move, ...]:
    """The moves on the card, by place. Acknowledge comes first; until somebody did, starting stands for resolving.

    Paging by name replaces escalating when no tier is left; a scheduled ticket is worked on.
    """
    default = _PLACES[incident.status]
    places = _TICKET_PLACES.get(incident.status, default) if incident.policy.ticket else default
    replaced: dict[Move, Move] = {}
    if incident.open and not is_redundant(Move.ACKNOWLEDGE, incident, person):
        replaced[Move.UPDATE] = Move.ACKNOWLEDGE
    if incident.open and incident.acknowledgement is None and incident.status is Status.INVESTIGATING:
        replaced[Move.RESOLVE] = Move.START_FIX
    if next_tier(incident) is None:
        replaced[Move.ESCALATE] = Move.PAGE
    if incident.schedule:
        replaced[Move.SCHEDULE] = Move.START_FIX
    if machine_title(incident.reporter) and incident.status is Status.INVESTIGATING:
        places = (*places, Move.CANCEL)  # alerts are false more often than people
    return tuple(dict.fromkeys(replaced.get(move, move) for move in places))


def card_buttons(incident: Incident, block_id: str) -> list[Block]:
    """Row of buttons on a card, the last of which shows the other moves."""
    visible, others = _split(incident)
    more = [_more_button(incident)] if others else []
    elements = [*(button(_on_card(move, incident), incident) for move in visible), *more]
    return action_row(elements, block_id)


def _on_card(move: Move, incident: Incident) -> Button:
    """A move's button; calling it a false alarm is one press, and its reason can be corrected afterwards."""
    if move is not Move.CANCEL:
        return Button(move)
    return Button(move, about=FALSE_ALARM) if incident.open else Button(move, "Correct the reason")


_ACTION_ROWS = 25  # https://docs.slack.dev/reference/views: 100 blocks in a modal


def more_moves(incident: Incident, person: str, shown: Container[str]) -> list[Block]:
    """The moves that make sense now beside those `shown` on the pressed card, each with what it does; for a modal.

    Each action that can be run has a row of its own, unless they are many: then they are chosen in the form.
    """
    moves = [move for move in offered_moves(incident, person) if move not in shown or move is Move.CANCEL]
    actions = actions_at(incident, BY_HAND) if Move.RUN in moves else ()
    in_form = len(actions) > _ACTION_ROWS
    listed = [move for move in moves if in_form or move is not Move.RUN]
    rows = [r for move in listed for r in _rows(move, incident, one_press=move not in shown)]
    own = () if in_form else actions
    return rows + [_row(run_button(a, incident), f"Run {a.name}", _called(a, incident), incident) for a in own]


def _rows(move: Move, incident: Incident, *, one_press: bool) -> list[Block]:
    """Rows of a move. A false alarm is one press, unless the card has that; the form is for all else."""
    if move is not Move.CANCEL or not incident.open:
        return [_row(Button(move, "Choose"), LABELS[move], _EXPLAINED[move], incident)]
    false_alarm = Button(move, "Choose", FALSE_ALARM)
    first = [_row(false_alarm, LABELS[move], "Nothing was wrong.", incident)] if one_press else []
    return [*first, _row(Button(move, "Choose", name="form"), "Cancel", _EXPLAINED[move], incident)]


def _row(spec: Button, name: str, explained: str, incident: Incident) -> Block:
    return {
        "type": "section",
        "block_id": f"more-{spec.action_id}",
        "text": {"type": "mrkdwn", "text": f"*{escape(name)}*\n{escape(explained)}"},
        "accessory": button(spec, incident),
    }


def run_button(action: Action, incident: Incident) -> Button:
    """Button that runs an action. It carries the runs so far: of two who press it, the second is told of the first."""
    return Button(Move.RUN, "Run", f"{action.name}:{len(runs_of(incident, action.name))}", action.name)


def _called(action: Action, incident: Incident) -> str:
    dry = " Not now: the timeline says what would be called." if is_dry(action, incident) else ""
    return f"Calls {action.host}.{dry}"


def _split(incident: Incident) -> tuple[tuple[Move, ...], tuple[Move, ...]]:
    """The moves on the card, and the others."""
    moves, places = offered_moves(incident), _places(incident)
    visible = tuple(m for m in moves if m in places)
    others = tuple(m for m in moves if m not in places)
    if len(others) == 1:  # one more press for a single one would only hide it
        return moves, ()
    return visible, others


def _more_button(incident: Incident) -> Block:
    return {"type": "button", "action_id": MORE, "text": plain_text("More", BUTTON), "value": incident.id}


def button_row(
    incident: Incident, buttons: tuple[Button, ...], block_id: str, only: Container[str] | None = None
) -> list[Block]:
    """Row of buttons under a message, without those that make no sense any more; `only` are keys of asks."""
    useful = useful_moves(incident)
    kept = (b for b in buttons if b.move in useful and (only is None or Ask(b.move, b.about).key in only))
    elements = [button(b, incident) for b in kept]
    return action_row(elements, block_id)


def button(spec: Button, incident: Incident) -> Block:
    """Build a button; those that page others, or that no other button takes back, ask first."""
    move = spec.move
    made: Block = {
        "type": "button",
        "action_id": spec.action_id,
        "text": plain_text(spec.label or LABELS[move], BUTTON),
        "value": ButtonValue.of(move, incident, spec.about).encode(),
    }
    if move is Move.ACKNOWLEDGE or (move is Move.RESOLVE and incident.status is Status.MONITORING):
        made["style"] = "primary"
    if move is Move.ESCALATE or (move is Move.DECLINE and not incident.acknowledgement and next_tier(incident)):
        made["confirm"] = _confirm(move, f"Page {_next_tier_name(incident)} now?", "Page them")
    if move is Move.COMMUNICATE and ":" in spec.about:
        made["confirm"] = _confirm_answer(spec)
    if move is Move.RUN and spec.name:
        hosts = {action.name: action.host for action in incident.actions}
        question = f"Call {hosts.get(spec.name, 'it')} now?"
        made["confirm"] = _confirm(move, question, "Run it", title=f"Run {spec.name}")
    if move is Move.CANCEL and spec.about == FALSE_ALARM:
        made["confirm"] = _confirm(move, "It closes, and nobody is paged any more. You can reopen it.", "False alarm")
    if move is Move.CANCEL and spec.about.startswith(SAME):
        question = f"It closes as a duplicate of {spec.about.removeprefix(SAME)}. You can reopen it."
        made["confirm"] = _confirm(move, question, "Same problem", title="Same problem")
    if move in (Move.START_FIX, Move.FIX_APPLIED):
        made["confirm"] = _confirm(move, _EXPLAINED[move], LABELS[move])
    return made


def _confirm_answer(spec: Button) -> Block:
    """Ask before a communication is answered: what was said to be published, or not needed, stays so."""
    _, _, answer = spec.about.partition(":")
    question = {
        Answer.APPROVED: "Approve the text as it stands?",
        Answer.PUBLISHED: "Has it been published? Its reminders stop.",
        Answer.DECLINED: "Does nobody need to be told? Its reminders stop.",
    }[Answer(answer)]
    return _confirm(spec.move, question, _ANSWERS[Answer(answer)], title=_ANSWERS[Answer(answer)])


def _confirm(move: Move, question: str, yes: str, title: str = "") -> Block:
    return {
        "title": plain_text(title or LABELS[move], 100),
        "text": {"type": "mrkdwn", "text": cut(escape(question), CONFIRM)},
        "confirm": plain_text(yes, 30),
        "deny": plain_text("Not yet", 30),
    }


def _next_tier_name(incident: Incident) -> str:
    tier = next_tier(incident)
    return f"tier {tier} ({incident.policy.tiers[tier - 1].name})" if tier else "the next tier"
