"""Catalog of moves: how each is made by command, by button and by form. Pure."""

from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.deps import BotDeps
from bot.errors import form_errors
from bot.moves.communications import communications_blocks, communications_event
from bot.moves.edit import edit_blocks, edit_event, typed_edit
from bot.moves.form import Form, FormContext, text_form
from bot.moves.form_state import FormState
from bot.moves.forms import (
    cancel_blocks,
    cancel_event,
    changed_severity,
    page_blocks,
    page_event,
    resolve_blocks,
    resolve_event,
    run_blocks,
    run_event,
    run_of,
    schedule_blocks,
    severity_blocks,
    severity_event,
)
from bot.moves.impact import times_blocks, times_event, typed_times
from bot.moves.lead import lead_blocks, lead_event, typed_lead
from bot.moves.publish import PREVIEW, publish_blocks, publish_event, publish_preview
from bot.moves.review_plan import LATER, plan_blocks, plan_event, root_cause_blocks, root_cause_event, typed_plan
from bot.moves.update import update_blocks, update_event
from bot.parsing.command import Targets, group_name, parse_duplicate, parse_targets, severity_named, unescape
from bot.render.blockkit import Block
from bot.render.button_value import ButtonValue
from bot.render.buttons import more_moves
from bot.render.common import shown_title
from bot.render.inputs import View, modal, note, notice
from escalation.config.company import Directory
from escalation.config.references import suggest
from escalation.errors import Refused
from escalation.incident.asks import FALSE_ALARM, SAME
from escalation.incident.effects import Reminded
from escalation.incident.events import moves
from escalation.incident.events.moves import Answer, Move, MoveEvent
from escalation.incident.model import Incident
from escalation.incident.state.leads import Lead
from escalation.text import Person, line
from escalation.times import parse_duration
from escalation.values import PersonId

CALLBACK = "move_"
SECURITY_HINT = (
    "Pages the security team (tells it directly, where the incident is over), opens a private room, stops public posts "
    "and redacts the public cards."
)


@dataclass(frozen=True)
class TypedCommand:
    """A typed command: what followed the verb and the id, as Slack sent it, and who typed it."""

    raw: str
    by: PersonId
    key: str
    deps: BotDeps
    directory: Directory

    @property
    def text(self) -> str:
        """The text without Slack's escapes."""
        return unescape(self.raw, self.directory.names)

    @property
    def member_ids(self) -> dict[str, str]:
        """A person's key in the configuration, and their address -> their member id."""
        company = self.deps.company
        by_key = {key: company.member(key, self.directory) for key in company.people}
        return {entry.email.lower(): by_key[key] for key, entry in company.people.items() if entry.email} | by_key

    @property
    def targets(self) -> Targets:
        """The people, user groups and roles that the text begins with."""
        return parse_targets(self.raw, self.deps.roles, self.member_ids)


@dataclass(frozen=True)
class ButtonPress:
    """A click on a button: its value, and who clicked."""

    value: ButtonValue
    by: PersonId
    key: str


@dataclass(frozen=True)
class MoveSpec:
    """The ways to make one move; where neither command nor click is enough, its form opens.

    `typed` builds the event of a command with words, and with `needs_words=False` of one without; `pressed` builds the
    event of a click. Both return None when they need the form.
    """

    typed: Callable[[TypedCommand], MoveEvent | None] | None = None
    needs_words: bool = True
    pressed: Callable[[ButtonPress], MoveEvent | None] | None = None
    form: Form | None = None


def typed_event(move: Move, typed: TypedCommand) -> MoveEvent | None:
    """Build the event of a command; None when the move needs its form.

    Raises InvalidForm or Refused for invalid words.
    """
    spec = SPECS[move]
    if spec.typed is None or (spec.needs_words and not typed.text):
        return None
    with form_errors():
        return spec.typed(typed)


def pressed_event(pressed: ButtonPress) -> MoveEvent | None:
    """Build the event of a click; None when the move needs its form. Raises Refused for somebody else's offer."""
    handler = SPECS[pressed.value.move].pressed
    return handler(pressed) if handler else None


def move_modal(move: Move, context: FormContext, state: FormState) -> View:
    """Build the modal of a move, headed by its incident."""
    form = FORMS[move]
    incident = context.incident
    state = replace(state, incident=incident.id, status=incident.status)
    about = f"{incident.id} · {incident.severity} · {shown_title(incident)}"
    blocks = [note("about", about), *form.blocks(context)]
    return modal(CALLBACK + move, form.title, form.submit, blocks, state.encode())


def previewed_modal(form: Form, view: View, shown: list[Block], state: FormState) -> View:
    """Build the modal of a form as it was filled in, under what would come of it; it is submitted once more.

    Slack keeps what was typed into fields whose ids stay: https://docs.slack.dev/reference/views/modal-views
    """
    fields = [b for b in view["blocks"] if not b["block_id"].startswith(PREVIEW)]
    return modal(view["callback_id"], form.title, "Publish", [*shown, *fields], state.encode())


def more_modal(incident: Incident, person: PersonId, shown: Container[str]) -> View:
    """Build the modal that lists the moves which the pressed card does not show."""
    about = f"{incident.id} · {incident.severity} · {shown_title(incident)}"
    return notice("More actions", "", [note("about", about), *more_moves(incident, person, shown)])


def form_of(callback_id: str) -> Form:
    """Find the form of a submitted modal."""
    return FORMS[Move(callback_id.removeprefix(CALLBACK))]


# Commands -------------------------------------------------------------------------------------------------------


def _severity(typed: TypedCommand) -> MoveEvent | None:
    word, _, why = typed.text.partition(" ")
    chosen = severity_named(word, typed.deps.policy) or word
    event = changed_severity(chosen, why.strip() or "-", typed.deps.policy, typed.by, typed.key)
    return event if why.strip() else None


def _page(typed: TypedCommand) -> MoveEvent:
    targets = typed.targets
    people = (*targets.people, *(p for g in targets.groups for p in typed.directory.groups.get(g, ())))
    if not people and not targets.roles:
        raise Refused(" ".join(f"{said}." for said in unresolved(typed)))
    why = unescape(targets.why, typed.directory.names)
    people = tuple(dict.fromkeys(people))
    return moves.PagePeople(by=typed.by, key=typed.key, people=people, roles=targets.roles, why=why)


def unresolved(typed: TypedCommand, held: Callable[[str], bool] = lambda role: True) -> tuple[str, ...]:
    """Say which of the names in a page command stand for nobody, and why; `held` tells whether somebody has a role."""
    targets, groups = typed.targets, typed.directory.groups
    known = {*typed.deps.roles, *typed.deps.company.people}
    unknown = (_unknown_name(word, known) for word in targets.unknown)
    empty = (group_name(typed.raw, g) for g in targets.groups if g in groups and not groups[g])
    unread = (group_name(typed.raw, g) for g in targets.groups if g not in groups)
    return (
        *unknown,
        *(f"Nobody holds the role {typed.deps.roles[role]} now" for role in targets.roles if not held(role)),
        *(f"The user group {name} has no members" for name in empty),
        *(f"Slack did not say who is in the user group {name}: mention its people" for name in unread),
    )


def _unknown_name(word: str, known: set[str]) -> str:
    name = word.lstrip("@")
    return f"Nobody here is called '{name}': mention people with @, or name a role{suggest(name.lower(), known)}"


def _snooze(typed: TypedCommand) -> MoveEvent:
    return moves.Snooze(by=typed.by, key=typed.key, length=_length(typed.text or "30m"))


def _length(text: str) -> timedelta:
    """Parse how long to snooze. Raises Refused."""
    try:
        length = parse_duration(f"{text}m" if text.isdecimal() else text)
    except ValueError:
        raise Refused(f"'{text}' is not a duration; write 15m, 30m or 1h.") from None
    if not timedelta(minutes=1) <= length <= timedelta(hours=4):
        raise Refused("Reminders can be snoozed for 1 minute to 4 hours.")
    return length


def _cancel(typed: TypedCommand) -> MoveEvent:
    duplicate, why = parse_duplicate(typed.text)
    return moves.Cancel(by=typed.by, key=typed.key, why=why, duplicate_of=duplicate)


# Buttons ---------------------------------------------------------------------------------------------------------


def _communication_answer(pressed: ButtonPress) -> MoveEvent | None:
    """Build the event that answers a communication; None for its draft, and from the menu."""
    n, _, answer = pressed.value.about.partition(":")
    if not answer:
        return None
    return moves.AnswerCommunication(by=pressed.by, key=pressed.key, n=int(n), answer=Answer(answer))


def _pressed_snooze(pressed: ButtonPress) -> MoveEvent:
    about, _, length = pressed.value.about.partition(":")
    subject = Reminded(about) if about else None
    return moves.Snooze(by=pressed.by, key=pressed.key, length=_length(length or "30m"), about=subject)


def _accepted_role(pressed: ButtonPress) -> MoveEvent | None:
    """Build the event that takes or declines a role; None from the menu. Raises Refused for another's offer."""
    if not pressed.value.about:
        return None
    role, _, offer = pressed.value.about.partition(":")
    offered_to, _, declined = offer.partition(":")
    if offered_to and offered_to != pressed.by:
        raise Refused(line("That was offered to ", Person(offered_to), f". `/incident lead {role}` takes it yourself."))
    return moves.TakeLead(by=pressed.by, key=pressed.key, lead=Lead(role), declined=bool(declined))


def _cancelled(pressed: ButtonPress) -> MoveEvent | None:
    """Build the event of a false alarm, or of a duplicate; None from buttons that ask for a reason or an original."""
    about = pressed.value.about
    if about.startswith(SAME):
        return moves.Cancel(by=pressed.by, key=pressed.key, duplicate_of=about.removeprefix(SAME))
    return moves.Cancel(by=pressed.by, key=pressed.key) if about == FALSE_ALARM else None


# The table -------------------------------------------------------------------------------------------------------

SPECS: dict[Move, MoveSpec] = {
    Move.ACKNOWLEDGE: MoveSpec(
        typed=lambda t: moves.Acknowledge(by=t.by, key=t.key),
        needs_words=False,
        pressed=lambda p: moves.Acknowledge(by=p.by, key=p.key),
    ),
    Move.DECLINE: MoveSpec(
        typed=lambda t: moves.Decline(by=t.by, key=t.key, why=t.text),
        needs_words=False,
        pressed=lambda p: moves.Decline(by=p.by, key=p.key),
    ),
    Move.ROOT_CAUSE: MoveSpec(
        typed=lambda t: moves.RootCause(by=t.by, key=t.key, cause=t.text),
        form=Form("Root cause found", "Save", root_cause_blocks, root_cause_event),
    ),
    Move.WORKAROUND: MoveSpec(
        typed=lambda t: moves.Workaround(by=t.by, key=t.key, text=t.text),
        form=Form(
            "Workaround in place",
            "Save",
            text_form("text", "What is the workaround?", hint="People can work again; the root cause is still open."),
            lambda s: moves.Workaround(by=s.by, key=s.key, text=s.values.text("text")),
        ),
    ),
    Move.START_FIX: MoveSpec(
        typed=lambda t: moves.StartFix(by=t.by, key=t.key, text=t.text),
        needs_words=False,
        pressed=lambda p: moves.StartFix(by=p.by, key=p.key),
    ),
    Move.FIX_APPLIED: MoveSpec(
        typed=lambda t: moves.FixApplied(by=t.by, key=t.key, text=t.text),
        needs_words=False,
        pressed=lambda p: moves.FixApplied(by=p.by, key=p.key),
    ),
    Move.FIX_FAILED: MoveSpec(
        typed=lambda t: moves.FixFailed(by=t.by, key=t.key, text=t.text),
        form=Form(
            "Fix failed",
            "Report failed fix",
            text_form("text", "What are you seeing?", optional=True),
            lambda s: moves.FixFailed(by=s.by, key=s.key, text=s.values.text("text")),
        ),
    ),
    Move.UPDATE: MoveSpec(
        typed=lambda t: moves.PostUpdate(by=t.by, key=t.key, progress=t.text),
        form=Form("Post update", "Post", update_blocks, update_event),
    ),
    Move.SCHEDULE: MoveSpec(
        typed=lambda t: moves.Schedule(by=t.by, key=t.key, when=t.text),
        form=Form(
            "Schedule",
            "Schedule",
            schedule_blocks,
            lambda s: moves.Schedule(by=s.by, key=s.key, when=s.values.text("when")),
        ),
    ),
    Move.VERIFY: MoveSpec(
        typed=lambda t: moves.Verify(by=t.by, key=t.key, text=t.text),
        needs_words=False,
        form=Form(
            "Fix verified",
            "Save",
            text_form("text", "What was checked?", optional=True),
            lambda s: moves.Verify(by=s.by, key=s.key, text=s.values.text("text")),
        ),
    ),
    Move.SEVERITY: MoveSpec(
        typed=_severity,
        form=Form("Change severity", "Change", severity_blocks, severity_event),
    ),
    Move.ESCALATE: MoveSpec(
        typed=lambda t: moves.Escalate(by=t.by, key=t.key, why=t.text),
        needs_words=False,
        # A click carries the tiers its card showed: on an old card, Escalate pages no second tier.
        pressed=lambda p: moves.Escalate(by=p.by, key=p.key, seen=p.value.seen),
    ),
    Move.PAGE: MoveSpec(
        typed=_page,
        form=Form("Page someone", "Page now", page_blocks, page_event),
    ),
    Move.RUN: MoveSpec(
        typed=lambda t: moves.Run(by=t.by, key=t.key, action=t.text.lower()),
        pressed=lambda p: run_of(p.value.about, p.by, p.key) if p.value.about else None,
        form=Form("Run action", "Run", run_blocks, run_event),
    ),
    Move.EDIT: MoveSpec(
        typed=lambda t: typed_edit(t.text, t.by, t.key),
        form=Form("Edit details", "Save", edit_blocks, edit_event),
    ),
    Move.LEAD: MoveSpec(
        typed=lambda t: typed_lead(t.raw, t.by, t.key, t.member_ids),
        pressed=_accepted_role,
        form=Form("Incident roles", "Assign role", lead_blocks, lead_event),
    ),
    Move.COMMUNICATE: MoveSpec(
        pressed=_communication_answer,
        form=Form("Communications", "Save", communications_blocks, communications_event),
    ),
    Move.PUBLISH: MoveSpec(
        form=Form("Publish an update", "Preview", publish_blocks, publish_event, preview=publish_preview)
    ),
    Move.SNOOZE: MoveSpec(typed=_snooze, needs_words=False, pressed=_pressed_snooze),
    Move.SECURITY: MoveSpec(
        typed=lambda t: moves.MarkSecurity(by=t.by, key=t.key, why=t.text),
        form=Form(
            "Mark as security",
            "Make it private",
            text_form("why", "Reason", optional=True, hint=SECURITY_HINT),
            lambda s: moves.MarkSecurity(by=s.by, key=s.key, why=s.values.text("why")),
        ),
    ),
    Move.RESOLVE: MoveSpec(form=Form("Resolve incident", "Resolve", resolve_blocks, resolve_event)),
    Move.TIMES: MoveSpec(
        typed=lambda t: typed_times(t.text, t.by, t.key, t.deps.company.timezone, t.deps.service.clock()),
        form=Form("State times", "Save", times_blocks, times_event),
    ),
    Move.PLAN_REVIEW: MoveSpec(
        typed=lambda t: typed_plan(t.raw, t.by, t.key, t.member_ids, t.directory.names),
        pressed=lambda p: moves.PlanReview(by=p.by, key=p.key, later=True) if p.value.about == LATER else None,
        form=Form("Plan the review", "Save", plan_blocks, plan_event),
    ),
    Move.REVIEWED: MoveSpec(
        typed=lambda t: moves.Reviewed(by=t.by, key=t.key, text=t.text),
        needs_words=False,
        form=Form(
            "Review done",
            "Save",
            text_form("text", "Outcome", optional=True, hint="The war room will be archived."),
            lambda s: moves.Reviewed(by=s.by, key=s.key, text=s.values.text("text")),
        ),
    ),
    Move.REOPEN: MoveSpec(
        typed=lambda t: moves.Reopen(by=t.by, key=t.key, why=t.text),
        form=Form(
            "Reopen incident",
            "Reopen",
            text_form("why", "Reason", optional=True, hint="All timers restart, and the first tier is paged."),
            lambda s: moves.Reopen(by=s.by, key=s.key, why=s.values.text("why")),
        ),
    ),
    Move.CANCEL: MoveSpec(
        typed=_cancel,
        pressed=_cancelled,
        form=Form("Cancel incident", "Cancel incident", cancel_blocks, cancel_event),
    ),
}
FORMS = {move: spec.form for move, spec in SPECS.items() if spec.form}
