"""The blocks and events of the forms that ask for more than one field of words. Pure."""

from bot.errors import InvalidForm
from bot.moves.form import FormContext, Submitted
from bot.render.blockkit import Block
from bot.render.inputs import Choice, members, select, ticks, words
from escalation.config.policy import Policy, Severity
from escalation.incident.events import (
    Cancel,
    ChangeSeverity,
    MoveEvent,
    PagePeople,
    Resolve,
)
from escalation.oncall.roster import Roster

FALSE_ALARM = "false-alarm"


# Resolve ---------------------------------------------------------------------------------------------------------


def resolve_blocks(context: FormContext) -> list[Block]:
    """Summary, resolution and what else a resolved incident keeps."""
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


def resolve_event(submitted: Submitted) -> MoveEvent:
    """The end of the incident."""
    fields = ("summary", "resolution", "verification", "final_impact", "next_steps")
    said = {name: submitted.values.text(name) for name in fields}
    lost = bool(submitted.values.choices("data_loss"))
    return Resolve.model_validate({"by": submitted.by, "key": submitted.key, **said, "data_loss": lost})


# Severity --------------------------------------------------------------------------------------------------------


def severity_blocks(context: FormContext) -> list[Block]:
    """The other severities of the policy, and the reason."""
    others = [p for s, p in context.policy.severities.items() if s is not context.incident.severity]
    choices = [Choice(p.severity.value, f"{p.severity} - {p.name}", p.definition) for p in others]
    return [
        select(
            "severity", f"It is {context.incident.severity} now. Change it to", choices, initial=context.typed.upper()
        ),
        words("why", "Why?", hint="A raised severity starts its clocks now and pages at once."),
    ]


def severity_event(submitted: Submitted) -> MoveEvent:
    """The change; InvalidForm when the policy does not know the severity."""
    chosen, why = submitted.values.choice("severity"), submitted.values.text("why")
    return changed_severity(chosen, why, submitted.policy, submitted.by, submitted.key)


def changed_severity(chosen: str, why: str, policy: Policy, by: str, key: str) -> ChangeSeverity:
    """InvalidForm when the policy does not know that severity."""
    known = {s.value: s for s in policy.severities}
    if chosen.upper() not in known:
        raise InvalidForm({"severity": f"There is no severity {chosen or 'chosen'}: choose one of {', '.join(known)}."})
    return ChangeSeverity(by=by, key=key, policy=policy.severities[Severity(chosen.upper())], why=why)


# Page ------------------------------------------------------------------------------------------------------------


def page_blocks(context: FormContext) -> list[Block]:
    """People or a role, with how many hold it now."""
    roles = [Choice(role, name, _holders(context.roster, role)) for role, name in context.roles.items()]
    return [
        members("people", "Whom?"),
        select("role", "Or a role", roles, optional=True),
        words("why", "Why?", lines=False, optional=True, hint="It goes into the page."),
    ]


def _holders(roster: Roster, role: str) -> str:
    count = len(roster.of(role))
    return "nobody holds it now" if not count else f"{count} {'person' if count == 1 else 'people'} now"


def page_event(submitted: Submitted) -> MoveEvent:
    """The page; InvalidForm when nobody was chosen."""
    people, role = submitted.values.people("people"), submitted.values.choice("role")
    if not people and not role:
        raise InvalidForm({"people": "Choose somebody, or a role below."})
    why = submitted.values.text("why")
    return PagePeople(by=submitted.by, key=submitted.key, people=people, role=role, why=why)


# The others ------------------------------------------------------------------------------------------------------


def schedule_blocks(context: FormContext) -> list[Block]:
    """A ticket of the backlog waits for a sprint, one of the team for the next deployment."""
    example = "Sprint 24" if context.incident.policy.ticket == "backlog" else "The next deployment"
    hint = "A sprint, the next deployment, a day."
    return [words("when", "When is it done?", initial=context.typed, lines=False, hint=hint, placeholder=example)]


def cancel_blocks(context: FormContext) -> list[Block]:
    """A false alarm, or the incident that it duplicates."""
    twins = [
        Choice(i.id, f"Duplicate of {i.id}: {i.facts.title}") for i in context.others if i.id != context.incident.id
    ]
    return [
        select("duplicate_of", "What is it?", [Choice(FALSE_ALARM, "A false alarm"), *twins], initial=FALSE_ALARM),
        words("why", "How do we know?", optional=True),
    ]


def cancel_event(submitted: Submitted) -> MoveEvent:
    """The cancellation."""
    chosen, why = submitted.values.choice("duplicate_of"), submitted.values.text("why")
    twin = "" if chosen == FALSE_ALARM else chosen
    return Cancel(by=submitted.by, key=submitted.key, why=why, duplicate_of=twin)
