"""How each move is made: from words typed after its verb, by a press of its button, or by its form. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.deps import BotDeps
from bot.errors import filled_in
from bot.moves.edit import edit_blocks, edit_event, typed_edit
from bot.moves.form import Form, FormContext, words_only
from bot.moves.forms import (
    cancel_blocks,
    cancel_event,
    changed_severity,
    page_blocks,
    page_event,
    resolve_blocks,
    resolve_event,
    schedule_blocks,
    severity_blocks,
    severity_event,
)
from bot.moves.lead import lead_blocks, lead_event, typed_lead
from bot.moves.update import update_blocks, update_event
from bot.parsing.command import Named, duplicate_of, spoken, who
from bot.render.button_value import ButtonValue
from bot.render.form_state import FormState
from bot.render.inputs import View, modal, note
from bot.render.mrkdwn import brief
from escalation.config.company import Directory
from escalation.config.references import suggest
from escalation.errors import Refused
from escalation.incident.events import (
    Acknowledge,
    Answer,
    AnswerCommunication,
    Cancel,
    Escalate,
    FixApplied,
    FixFailed,
    MarkSecurity,
    Move,
    MoveEvent,
    PagePeople,
    PostUpdate,
    Reopen,
    Reviewed,
    RootCause,
    Schedule,
    StartFix,
    TakeLead,
    Verify,
    Workaround,
)
from escalation.incident.model import Lead
from escalation.text import Person, line
from escalation.values import PersonId

CALLBACK = "move_"
SECURITY_HINT = (
    "The security team is paged, a private room opens, public writing stops and the public cards are redacted."
)


@dataclass(frozen=True)
class Typed:
    """What stood after the verb and the id, as Slack sent it, and who typed it."""

    raw: str
    by: PersonId
    key: str
    deps: BotDeps
    directory: Directory

    @property
    def said(self) -> str:
        """The words as people say them."""
        return spoken(self.raw, self.directory.names)

    @property
    def keys(self) -> dict[str, str]:
        """A person's key in the configuration -> the member id."""
        company = self.deps.company
        return {key: company.member(key, self.directory) for key in company.people}


@dataclass(frozen=True)
class Pressed:
    """A press of a button: what the button carried, and who pressed it."""

    value: ButtonValue
    by: PersonId
    key: str


@dataclass(frozen=True)
class MoveSpec:
    """The ways to make one move; where none of them says enough, its form opens.

    `typed` gives the event of a command that has words, and with `needs_words=False` of one that has none; `pressed`
    the event of a press. Both may give None for what does not say enough.
    """

    typed: Callable[[Typed], MoveEvent | None] | None = None
    needs_words: bool = True
    pressed: Callable[[Pressed], MoveEvent | None] | None = None
    form: Form | None = None


def typed_event(move: Move, typed: Typed) -> MoveEvent | None:
    """The event, or None when the move needs its modal.

    Raises InvalidForm or Refused for words that cannot be taken.
    """
    spec = SPECS[move]
    if spec.typed is None or (spec.needs_words and not typed.said):
        return None
    with filled_in():
        return spec.typed(typed)


def pressed_event(pressed: Pressed) -> MoveEvent | None:
    """The event, or None when the move needs its modal. Refused for whoever it was not offered to."""
    made = SPECS[pressed.value.move].pressed
    return made(pressed) if made else None


def move_modal(move: Move, context: FormContext, state: FormState) -> View:
    """The modal of a move, headed by the incident that it is about."""
    form = FORMS[move]
    incident = context.incident
    state = replace(state, incident=incident.id, status=incident.status)
    about = brief(f"{incident.id} · {incident.severity} · {incident.facts.title}", 1000)
    blocks = [note("about", about), *form.blocks(context)]
    return modal(CALLBACK + move, form.title, form.submit, blocks, state.encode())


def form_of(callback_id: str) -> Form:
    """The form that a submitted modal is."""
    return FORMS[Move(callback_id.removeprefix(CALLBACK))]


# Typed -----------------------------------------------------------------------------------------------------------


def _typed_severity(typed: Typed) -> MoveEvent | None:
    chosen, _, why = typed.said.partition(" ")
    event = changed_severity(chosen, why.strip() or "-", typed.deps.policy, typed.by, typed.key)
    return event if why.strip() else None


def _typed_page(typed: Typed) -> MoveEvent:
    roles, keys = typed.deps.roles, typed.keys
    named = who(typed.raw, roles, keys)
    people = (*named.people, *(p for g in named.groups for p in typed.directory.groups.get(g, ())))
    if named.unknown or not (people or named.role):
        raise Refused(_nobody(named, {*roles, *keys}))
    why = spoken(named.why, typed.directory.names)
    return PagePeople(by=typed.by, key=typed.key, people=people, role=named.role, why=why)


def _nobody(named: Named, known: set[str]) -> str:
    if named.groups:
        return "Nothing is known of that user group yet. Mention people, or name a role."
    word = spoken(named.unknown).lstrip("@")
    return f"Nobody here is called '{word}': mention people with @, or name a role{suggest(word.lower(), known)}."


def _typed_cancel(typed: Typed) -> MoveEvent:
    twin, why = duplicate_of(typed.said)
    return Cancel(by=typed.by, key=typed.key, why=why, duplicate_of=twin)


# Pressed ---------------------------------------------------------------------------------------------------------


def _pressed_answer(pressed: Pressed) -> MoveEvent:
    n, _, answer = pressed.value.about.partition(":")
    return AnswerCommunication(by=pressed.by, key=pressed.key, n=int(n), answer=Answer(answer))


def _pressed_lead(pressed: Pressed) -> MoveEvent | None:
    """None without a role, as in the menu. Refused for an offer that was made to somebody else."""
    if not pressed.value.about:
        return None
    lead, _, offered_to = pressed.value.about.partition(":")
    if offered_to and offered_to != pressed.by:
        raise Refused(line("That was offered to ", Person(offered_to), f". `/incident lead {lead}` takes it yourself."))
    return TakeLead(by=pressed.by, key=pressed.key, lead=Lead(lead))


# The table -------------------------------------------------------------------------------------------------------

SPECS: dict[Move, MoveSpec] = {
    Move.ACKNOWLEDGE: MoveSpec(
        typed=lambda t: Acknowledge(by=t.by, key=t.key),
        needs_words=False,
        pressed=lambda p: Acknowledge(by=p.by, key=p.key),
    ),
    Move.ROOT_CAUSE: MoveSpec(
        typed=lambda t: RootCause(by=t.by, key=t.key, cause=t.said),
        form=Form(
            "Root cause found",
            "Record it",
            words_only("cause", "What is the root cause?"),
            lambda s: RootCause(by=s.by, key=s.key, cause=s.values.text("cause")),
        ),
    ),
    Move.WORKAROUND: MoveSpec(
        typed=lambda t: Workaround(by=t.by, key=t.key, text=t.said),
        form=Form(
            "Workaround in place",
            "Record it",
            words_only(
                "text", "What is the workaround?", hint="People can work again; the cause is still to be found."
            ),
            lambda s: Workaround(by=s.by, key=s.key, text=s.values.text("text")),
        ),
    ),
    Move.START_FIX: MoveSpec(
        typed=lambda t: StartFix(by=t.by, key=t.key, text=t.said),
        needs_words=False,
        pressed=lambda p: StartFix(by=p.by, key=p.key),
    ),
    Move.FIX_APPLIED: MoveSpec(
        typed=lambda t: FixApplied(by=t.by, key=t.key, text=t.said),
        needs_words=False,
        pressed=lambda p: FixApplied(by=p.by, key=p.key),
    ),
    Move.FIX_FAILED: MoveSpec(
        typed=lambda t: FixFailed(by=t.by, key=t.key, text=t.said),
        form=Form(
            "The fix did not hold",
            "Say so",
            words_only("text", "What do you see?", optional=True),
            lambda s: FixFailed(by=s.by, key=s.key, text=s.values.text("text")),
        ),
    ),
    Move.UPDATE: MoveSpec(
        typed=lambda t: PostUpdate(by=t.by, key=t.key, progress=t.said),
        form=Form("Post an update", "Post", update_blocks, update_event),
    ),
    Move.SCHEDULE: MoveSpec(
        typed=lambda t: Schedule(by=t.by, key=t.key, when=t.said),
        form=Form(
            "Schedule it",
            "Schedule",
            schedule_blocks,
            lambda s: Schedule(by=s.by, key=s.key, when=s.values.text("when")),
        ),
    ),
    Move.VERIFY: MoveSpec(
        typed=lambda t: Verify(by=t.by, key=t.key, text=t.said),
        needs_words=False,
        form=Form(
            "The fix was verified",
            "Record it",
            words_only("text", "What was looked at?", optional=True),
            lambda s: Verify(by=s.by, key=s.key, text=s.values.text("text")),
        ),
    ),
    Move.SEVERITY: MoveSpec(
        typed=_typed_severity,
        form=Form("Change the severity", "Change", severity_blocks, severity_event),
    ),
    Move.ESCALATE: MoveSpec(
        typed=lambda t: Escalate(by=t.by, key=t.key, why=t.said),
        needs_words=False,
        # A click carries what it saw: on an old card, Escalate climbs no second tier.
        pressed=lambda p: Escalate(by=p.by, key=p.key, seen=p.value.seen),
    ),
    Move.PAGE: MoveSpec(
        typed=_typed_page,
        form=Form("Page someone", "Page now", page_blocks, page_event),
    ),
    Move.EDIT: MoveSpec(
        typed=lambda t: typed_edit(t.said, t.by, t.key),
        form=Form("Edit the details", "Save", edit_blocks, edit_event),
    ),
    Move.LEAD: MoveSpec(
        typed=lambda t: typed_lead(t.raw, t.by, t.key, t.keys),
        pressed=_pressed_lead,
        form=Form("Roles of the response", "Take or hand over", lead_blocks, lead_event),
    ),
    Move.COMMUNICATE: MoveSpec(pressed=_pressed_answer),
    Move.SECURITY: MoveSpec(
        typed=lambda t: MarkSecurity(by=t.by, key=t.key, why=t.said),
        form=Form(
            "Mark as security",
            "Make it private",
            words_only("why", "Why?", optional=True, hint=SECURITY_HINT),
            lambda s: MarkSecurity(by=s.by, key=s.key, why=s.values.text("why")),
        ),
    ),
    Move.RESOLVE: MoveSpec(form=Form("Resolve the incident", "Resolve", resolve_blocks, resolve_event)),
    Move.REVIEWED: MoveSpec(
        typed=lambda t: Reviewed(by=t.by, key=t.key, text=t.said),
        needs_words=False,
        form=Form(
            "The review was held",
            "Record it",
            words_only("text", "What came of it?", optional=True, hint="The war room is archived then."),
            lambda s: Reviewed(by=s.by, key=s.key, text=s.values.text("text")),
        ),
    ),
    Move.REOPEN: MoveSpec(
        typed=lambda t: Reopen(by=t.by, key=t.key, why=t.said),
        form=Form(
            "Reopen the incident",
            "Reopen",
            words_only("why", "Why?", optional=True, hint="All clocks start again, and the first tier is paged."),
            lambda s: Reopen(by=s.by, key=s.key, why=s.values.text("why")),
        ),
    ),
    Move.CANCEL: MoveSpec(
        typed=_typed_cancel,
        form=Form("Cancel the incident", "Cancel the incident", cancel_blocks, cancel_event),
    ),
}
FORMS = {move: spec.form for move, spec in SPECS.items() if spec.form}
