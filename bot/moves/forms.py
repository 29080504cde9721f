"""The modals of the moves that need words: what they ask, and the event that they become. Pure."""

from dataclasses import replace

from bot.errors import InvalidForm
from bot.moves.edit import edit_blocks, edit_event
from bot.moves.form import Form, FormContext, Submitted, words_only
from bot.moves.lead import lead_blocks, lead_event
from bot.moves.update import update_blocks, update_event
from bot.render.blockkit import Block
from bot.render.form_state import FormState
from bot.render.inputs import Choice, View, members, modal, note, select, ticks, words
from bot.render.mrkdwn import brief
from escalation.config.policy import Policy, Severity
from escalation.incident.events import (
    Cancel,
    ChangeSeverity,
    FixFailed,
    MarkSecurity,
    Move,
    MoveEvent,
    PagePeople,
    Reopen,
    Resolve,
    Reviewed,
    RootCause,
    Schedule,
    Verify,
    Workaround,
)
from escalation.oncall.roster import Roster

CALLBACK = "move_"
FALSE_ALARM = "false-alarm"


def move_modal(move: Move, context: FormContext, state: FormState) -> View:
    form = FORMS[move]
    incident = context.incident
    state = replace(state, incident=incident.id, status=incident.status)
    about = brief(f"{incident.id} · {incident.severity} · {incident.facts.title}", 1000)
    return modal(
        CALLBACK + move, form.title, form.submit, [note("about", about), *form.blocks(context)], state.encode()
    )


def move_of(callback_id: str) -> Move:
    return Move(callback_id.removeprefix(CALLBACK))


# Resolve ---------------------------------------------------------------------------------------------------------


def _resolve(context: FormContext) -> list[Block]:
    incident = context.incident
    lost = [Choice("data_loss", "Data was lost")]
    return [
        words("summary", "Summary", placeholder="What happened?"),
        words("resolution", "Resolution", initial=context.typed, placeholder="What resolved it?"),
        words("verification", "Verification", optional=True, placeholder="How do we know that it is over?"),
        words("final_impact", "Final impact", initial=incident.facts.impact, optional=True),
        ticks("data_loss", "Data loss", lost, initial=["data_loss"] if incident.facts.data_loss else []),
        words("next_steps", "Next steps", optional=True),
    ]


def _resolved(submitted: Submitted) -> MoveEvent:
    fields = ("summary", "resolution", "verification", "final_impact", "next_steps")
    said = {name: submitted.values.text(name) for name in fields}
    lost = bool(submitted.values.choices("data_loss"))
    return Resolve.model_validate({"by": submitted.by, "key": submitted.key, **said, "data_loss": lost})


# Severity --------------------------------------------------------------------------------------------------------


def _severity(context: FormContext) -> list[Block]:
    others = [p for s, p in context.policy.severities.items() if s is not context.incident.severity]
    choices = [Choice(p.severity.value, f"{p.severity} - {p.name}", p.definition) for p in others]
    return [
        select(
            "severity", f"It is {context.incident.severity} now. Change it to", choices, initial=context.typed.upper()
        ),
        words("why", "Why?", hint="A raised severity starts its clocks now and pages at once."),
    ]


def _severed(submitted: Submitted) -> MoveEvent:
    chosen, why = submitted.values.choice("severity"), submitted.values.text("why")
    return severity_event(chosen, why, submitted.policy, submitted.by, submitted.key)


def severity_event(chosen: str, why: str, policy: Policy, by: str, key: str) -> ChangeSeverity:
    """InvalidForm when the policy does not know that severity."""
    known = {s.value: s for s in policy.severities}
    if chosen.upper() not in known:
        raise InvalidForm({"severity": f"There is no severity {chosen or 'chosen'}: choose one of {', '.join(known)}."})
    return ChangeSeverity(by=by, key=key, policy=policy.severities[Severity(chosen.upper())], why=why)


# Page ------------------------------------------------------------------------------------------------------------


def _page(context: FormContext) -> list[Block]:
    roles = [Choice(role, name, _holders(context.roster, role)) for role, name in context.roles.items()]
    return [
        members("people", "Whom?"),
        select("role", "Or a role", roles, optional=True),
        words("why", "Why?", lines=False, optional=True, hint="It goes into the page."),
    ]


def _holders(roster: Roster, role: str) -> str:
    count = len(roster.of(role))
    return "nobody holds it now" if not count else f"{count} {'person' if count == 1 else 'people'} now"


def _paged(submitted: Submitted) -> MoveEvent:
    people, role = submitted.values.people("people"), submitted.values.choice("role")
    if not people and not role:
        raise InvalidForm({"people": "Choose somebody, or a role below."})
    why = submitted.values.text("why")
    return PagePeople(by=submitted.by, key=submitted.key, people=people, role=role, why=why)


# The others ------------------------------------------------------------------------------------------------------


def _schedule(context: FormContext) -> list[Block]:
    """A ticket of the backlog waits for a sprint, one of the team for the next deployment."""
    example = "Sprint 24" if context.incident.policy.ticket == "backlog" else "The next deployment"
    hint = "A sprint, the next deployment, a day."
    return [words("when", "When is it done?", initial=context.typed, lines=False, hint=hint, placeholder=example)]


def _cancel(context: FormContext) -> list[Block]:
    twins = [
        Choice(i.id, f"Duplicate of {i.id}: {i.facts.title}") for i in context.others if i.id != context.incident.id
    ]
    return [
        select("duplicate_of", "What is it?", [Choice(FALSE_ALARM, "A false alarm"), *twins], initial=FALSE_ALARM),
        words("why", "How do we know?", optional=True),
    ]


def _cancelled(submitted: Submitted) -> MoveEvent:
    chosen, why = submitted.values.choice("duplicate_of"), submitted.values.text("why")
    twin = "" if chosen == FALSE_ALARM else chosen
    return Cancel(by=submitted.by, key=submitted.key, why=why, duplicate_of=twin)


SECURITY_HINT = (
    "The security team is paged, a private room opens, public writing stops and the public cards are redacted."
)
FORMS: dict[Move, Form] = {
    Move.ROOT_CAUSE: Form(
        "Root cause found",
        "Record it",
        words_only("cause", "What is the root cause?"),
        lambda submitted: RootCause(by=submitted.by, key=submitted.key, cause=submitted.values.text("cause")),
    ),
    Move.FIX_FAILED: Form(
        "The fix did not hold",
        "Say so",
        words_only("text", "What do you see?", optional=True),
        lambda submitted: FixFailed(by=submitted.by, key=submitted.key, text=submitted.values.text("text")),
    ),
    Move.WORKAROUND: Form(
        "Workaround in place",
        "Record it",
        words_only("text", "What is the workaround?", hint="People can work again; the cause is still to be found."),
        lambda submitted: Workaround(by=submitted.by, key=submitted.key, text=submitted.values.text("text")),
    ),
    Move.SCHEDULE: Form(
        "Schedule it",
        "Schedule",
        _schedule,
        lambda submitted: Schedule(by=submitted.by, key=submitted.key, when=submitted.values.text("when")),
    ),
    Move.VERIFY: Form(
        "The fix was verified",
        "Record it",
        words_only("text", "What was looked at?", optional=True),
        lambda submitted: Verify(by=submitted.by, key=submitted.key, text=submitted.values.text("text")),
    ),
    Move.UPDATE: Form("Post an update", "Post", update_blocks, update_event),
    Move.EDIT: Form("Edit the details", "Save", edit_blocks, edit_event),
    Move.LEAD: Form("Roles of the response", "Take or hand over", lead_blocks, lead_event),
    Move.SEVERITY: Form("Change the severity", "Change", _severity, _severed),
    Move.PAGE: Form("Page someone", "Page now", _page, _paged),
    Move.SECURITY: Form(
        "Mark as security",
        "Make it private",
        words_only("why", "Why?", optional=True, hint=SECURITY_HINT),
        lambda submitted: MarkSecurity(by=submitted.by, key=submitted.key, why=submitted.values.text("why")),
    ),
    Move.RESOLVE: Form("Resolve the incident", "Resolve", _resolve, _resolved),
    Move.REOPEN: Form(
        "Reopen the incident",
        "Reopen",
        words_only("why", "Why?", optional=True, hint="All clocks start again, and the first tier is paged."),
        lambda submitted: Reopen(by=submitted.by, key=submitted.key, why=submitted.values.text("why")),
    ),
    Move.REVIEWED: Form(
        "The review was held",
        "Record it",
        words_only("text", "What came of it?", optional=True, hint="The war room is archived then."),
        lambda submitted: Reviewed(by=submitted.by, key=submitted.key, text=submitted.values.text("text")),
    ),
    Move.CANCEL: Form("Cancel the incident", "Cancel the incident", _cancel, _cancelled),
}
