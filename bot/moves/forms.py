"""Forms with more than one text field: resolve, severity, page, run, schedule, cancel. Pure."""

from collections.abc import Iterable

from bot.errors import InvalidForm
from bot.moves.form import FormContext, Submission
from bot.moves.review_plan import category_field, owner_field
from bot.render.blockkit import Block
from bot.render.buttons import run_button
from bot.render.inputs import Choice, people_select, select, text_field, yes_no_select
from escalation.config.actions import BUTTON as BY_HAND
from escalation.config.policy import Policy, Severity
from escalation.errors import Refused
from escalation.incident.actions import actions_at
from escalation.incident.asks import FALSE_ALARM
from escalation.incident.events import moves
from escalation.incident.events.moves import MoveEvent
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.oncall.roster import Roster

# Resolve ---------------------------------------------------------------------------------------------------------


def resolve_blocks(context: FormContext) -> list[Block]:
    """Blocks of the resolve form."""
    incident = context.incident
    cause, fixed_by = incident.known("root_cause"), incident.fix or incident.known("workaround")
    summary = f"{incident.facts.title}. Root cause: {cause.text}" if cause and cause.text else ""
    known_fix = fixed_by.text if fixed_by else ""
    verified = incident.verified.text if incident.verified else ""
    return [
        text_field("summary", "Summary", initial=summary, placeholder="What happened?"),
        text_field("resolution", "Resolution", initial=context.typed or known_fix, placeholder="What resolved it?"),
        text_field(
            "verification", "Verification", initial=verified, optional=True, placeholder="How was the fix verified?"
        ),
        text_field("final_impact", "Final impact", initial=incident.facts.impact, optional=True),
        yes_no_select("data_loss", "Was data lost?", incident.facts.data_loss),
        category_field(incident, "The same service and category again is a recurrence."),
        text_field("next_steps", "Next steps", optional=True),
        *owner_field(incident),
    ]


def resolve_event(submission: Submission) -> MoveEvent:
    """Build the event that resolves the incident."""
    fields = ("summary", "resolution", "verification", "final_impact", "next_steps")
    texts = {name: submission.values.text(name) for name in fields}
    known = {
        "data_loss": submission.values.yes_no("data_loss"),
        "category": submission.values.choice("category"),
        "review_owner": "".join(submission.values.people("review_owner")[:1]),
    }
    return moves.Resolve.model_validate({"by": submission.by, "key": submission.key, **texts, **known})


# Severity --------------------------------------------------------------------------------------------------------


def severity_blocks(context: FormContext) -> list[Block]:
    """Blocks of the severity form: the policy's other severities, and the reason."""
    others = [p for s, p in context.policy.severities.items() if s is not context.incident.severity]
    choices = [Choice(p.severity.value, f"{p.severity} - {p.name}", p.definition) for p in others]
    if not choices:
        raise Refused("The policy has no other severity.")
    return [
        select(
            "severity", f"New severity (currently {context.incident.severity})", choices, initial=context.typed.upper()
        ),
        text_field("why", "Reason", hint="Raising the severity restarts its timers now and pages at once."),
    ]


def severity_event(submission: Submission) -> MoveEvent:
    """Build the event that changes the severity. Raises InvalidForm for an unknown one."""
    chosen, why = submission.values.choice("severity"), submission.values.text("why")
    return changed_severity(chosen, why, submission.policy, submission.by, submission.key)


def changed_severity(chosen: str, why: str, policy: Policy, by: str, key: str) -> moves.ChangeSeverity:
    """Build the event that changes the severity, with its policy. Raises InvalidForm for an unknown one."""
    known = {s.value: s for s in policy.severities}
    if chosen.upper() not in known:
        raise InvalidForm({"severity": f"There is no severity {chosen or 'chosen'}: choose one of {', '.join(known)}."})
    return moves.ChangeSeverity(by=by, key=key, policy=policy.severities[Severity(chosen.upper())], why=why)


# Page ------------------------------------------------------------------------------------------------------------


def page_blocks(context: FormContext) -> list[Block]:
    """Blocks of the page form: people, or a role with how many are on call for it."""
    roles = [Choice(role, name, _on_call_count(context.roster, role)) for role, name in context.roles.items()]
    return [
        people_select("people", "Who?"),
        select("role", "Or a role", roles, optional=True),
        text_field("why", "Reason", multiline=False, optional=True, hint="Shown in the page."),
    ]


def _on_call_count(roster: Roster, role: str) -> str:
    count = len(roster.of(role))
    return "nobody on call" if not count else f"{count} {'person' if count == 1 else 'people'} now"


def page_event(submission: Submission) -> MoveEvent:
    """Build the event that pages. Raises InvalidForm when nobody was chosen."""
    people, role = submission.values.people("people"), submission.values.choice("role")
    if not people and not role:
        raise InvalidForm({"people": "Choose a person, or a role below."})
    why = submission.values.text("why")
    roles = (role,) if role else ()
    return moves.PagePeople(by=submission.by, key=submission.key, people=people, roles=roles, why=why)


# Run -------------------------------------------------------------------------------------------------------------


def run_blocks(context: FormContext) -> list[Block]:
    """Blocks of the form that runs an action."""
    return [select("action", "Action", run_choices(context.incident))]


def run_choices(incident: Incident) -> list[Choice]:
    """Choices of an action; each carries how often it ran so far."""
    offered = ((run_button(action, incident), action) for action in actions_at(incident, BY_HAND))
    return [Choice(button.about, action.name, f"Calls {action.host}") for button, action in offered]


def run_event(submission: Submission) -> MoveEvent:
    """Build the event that runs an action."""
    return run_of(submission.values.choice("action"), submission.by, submission.key)


def run_of(about: str, by: str, key: str) -> moves.Run:
    """Build the event of an action's button or choice: its name, and how often it had run when that was shown."""
    name, _, seen = about.partition(":")
    return moves.Run(by=by, key=key, action=name, seen=int(seen) if seen.isdecimal() else None)


# The others ------------------------------------------------------------------------------------------------------


def schedule_blocks(context: FormContext) -> list[Block]:
    """Blocks of the schedule form; the example is a sprint for the backlog, else the next deployment."""
    example = "Sprint 24" if context.incident.policy.ticket == "backlog" else "The next deployment"
    hint = "A sprint, the next deployment or a date."
    return [
        text_field(
            "when", "When will it be done?", initial=context.typed, multiline=False, hint=hint, placeholder=example
        )
    ]


def cancel_blocks(context: FormContext) -> list[Block]:
    """Blocks of the cancel form: a false alarm, or the incident that this one duplicates; as it was said, if it was."""
    choices = cancel_choices(context.others, context.incident.id)
    said = None if context.incident.open else context.incident.latest(EntryKind.CANCELLED)
    chosen = said.fields.get("duplicate_of", "") if said else ""
    initial = chosen if chosen in {choice.value for choice in choices} else FALSE_ALARM
    return [
        select("duplicate_of", "Why cancel it?", choices, initial=initial),
        text_field("why", "Reason", optional=True, initial=said.why if said else ""),
    ]


def cancel_choices(others: Iterable[Incident], cancelled: str) -> list[Choice]:
    """Choices of the reason to cancel an incident, each other one being a possible original."""
    duplicates = (Choice(i.id, f"Duplicate of {i.id}: {i.facts.title}") for i in others if i.id != cancelled)
    return [Choice(FALSE_ALARM, "False alarm"), *duplicates]


def cancel_event(submission: Submission) -> MoveEvent:
    """Build the event that cancels the incident."""
    chosen, why = submission.values.choice("duplicate_of"), submission.values.text("why")
    duplicate = "" if chosen == FALSE_ALARM else chosen
    return moves.Cancel(by=submission.by, key=submission.key, why=why, duplicate_of=duplicate)
