"""The modals of the moves that need words: what they ask, and the event that they become. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.forms import Answers, Choice, View, members, modal, note, select, ticks, words
from bot.invalid import Unfit
from bot.message import Block
from bot.mrkdwn import brief
from bot.slip import Slip
from escalation.company import Roster
from escalation.events import (
    Cancel,
    ChangeSeverity,
    FixFailed,
    MarkSecurity,
    Move,
    MoveEvent,
    PagePeople,
    PostUpdate,
    Reopen,
    Resolve,
    RootCause,
)
from escalation.incident import Incident, Status
from escalation.policy import Policy, Severity
from escalation.transitions import statuses_ahead
from escalation.values import parse_duration, spoken_duration

CALLBACK = "move_"
FALSE_ALARM = "false-alarm"
CADENCE = "cadence"
PROMISES = ("15m", "30m", "1h", "2h", "4h", "8h", "24h")
TITLE = 60


@dataclass(frozen=True)
class Scene:
    """What a modal is made from: the incident as it stands, the policy, who is on duty, what else the person sees.

    `roles` maps those that can be paged to what people call them; `typed` is what stood after the command.
    """

    incident: Incident
    policy: Policy
    roles: Mapping[str, str]
    roster: Roster
    others: tuple[Incident, ...] = ()
    typed: str = ""


@dataclass(frozen=True)
class Form:
    """A move's modal. `event` reads the answers of a person; it raises Unfit or pydantic's ValidationError."""

    title: str
    submit: str
    blocks: Callable[[Scene], list[Block]]
    event: Callable[[Answers, Scene, str, Slip], MoveEvent]


def move_modal(move: Move, scene: Scene, slip: Slip) -> View:
    form = FORMS[move]
    incident = scene.incident
    slip = replace(slip, incident=incident.id, status=incident.status)
    about = brief(f"{incident.id} · {incident.severity} · {incident.facts.title}", 1000)
    return modal(CALLBACK + move, form.title, form.submit, [note("about", about), *form.blocks(scene)], slip.encode())


def move_of(callback_id: str) -> Move:
    return Move(callback_id.removeprefix(CALLBACK))


# Update ----------------------------------------------------------------------------------------------------------


def _update(scene: Scene) -> list[Block]:
    incident = scene.incident
    statuses = [Choice(s.value, s.value.capitalize()) for s in statuses_ahead(incident.status)]
    return [
        select("status", "Status", statuses, initial=incident.status),
        words("progress", "Progress", placeholder="What happened since the last update?"),
        words("next_steps", "Next steps", optional=True),
        words(
            "eta",
            "ETA to resolution",
            initial=incident.eta,
            lines=False,
            optional=True,
            placeholder="16:30, or unknown",
        ),
        words("impact", "Impact", initial=incident.facts.impact, optional=True),
        select("next_in", "Next update in", _promises(incident), initial=CADENCE),
    ]


def _promises(incident: Incident) -> list[Choice]:
    cadence = incident.policy.updates
    usual = f"As the policy says: {spoken_duration(cadence.every)}" if cadence else "No promise: the policy asks none"
    return [Choice(CADENCE, usual), *(Choice(p, spoken_duration(parse_duration(p))) for p in PROMISES)]


def _updated(answers: Answers, scene: Scene, by: str, slip: Slip) -> MoveEvent:
    return PostUpdate(
        by=by,
        key=slip.key,
        progress=answers.text("progress"),
        next_steps=answers.text("next_steps"),
        eta=answers.text("eta"),
        impact=answers.text("impact"),
        status=_new_status(answers.choice("status"), slip),
        next_in=_promised(answers.choice("next_in")),
    )


def _new_status(chosen: str, slip: Slip) -> Status | None:
    """A status that was left as the modal showed it says nothing: the incident may have moved on meanwhile."""
    return None if chosen in ("", slip.status) else Status(chosen)


def _promised(choice: str) -> timedelta | None:
    return None if choice in ("", CADENCE) else parse_duration(choice)


# Resolve ---------------------------------------------------------------------------------------------------------


def _resolve(scene: Scene) -> list[Block]:
    incident = scene.incident
    lost = [Choice("data_loss", "Data was lost")]
    return [
        words("summary", "Summary", placeholder="What happened?"),
        words("resolution", "Resolution", initial=scene.typed, placeholder="What resolved it?"),
        words("verification", "Verification", optional=True, placeholder="How do we know that it is over?"),
        words("final_impact", "Final impact", initial=incident.facts.impact, optional=True),
        ticks("data_loss", "Data loss", lost, initial=["data_loss"] if incident.facts.data_loss else []),
        words("next_steps", "Next steps", optional=True),
    ]


def _resolved(answers: Answers, scene: Scene, by: str, slip: Slip) -> MoveEvent:
    fields = ("summary", "resolution", "verification", "final_impact", "next_steps")
    said = {name: answers.text(name) for name in fields}
    return Resolve.model_validate({"by": by, "key": slip.key, **said, "data_loss": bool(answers.choices("data_loss"))})


# Severity --------------------------------------------------------------------------------------------------------


def _severity(scene: Scene) -> list[Block]:
    others = [p for s, p in scene.policy.severities.items() if s is not scene.incident.severity]
    choices = [Choice(p.severity.value, f"{p.severity} - {p.name}", p.definition) for p in others]
    return [
        select("severity", f"It is {scene.incident.severity} now. Change it to", choices, initial=scene.typed.upper()),
        words("why", "Why?", hint="A raised severity starts its clocks now and pages at once."),
    ]


def _severed(answers: Answers, scene: Scene, by: str, slip: Slip) -> MoveEvent:
    return severity_event(answers.choice("severity"), answers.text("why"), scene.policy, by, slip.key)


def severity_event(chosen: str, why: str, policy: Policy, by: str, key: str) -> ChangeSeverity:
    """Unfit when the policy does not know that severity."""
    known = {s.value: s for s in policy.severities}
    if chosen.upper() not in known:
        raise Unfit({"severity": f"There is no severity {chosen or 'chosen'}: choose one of {', '.join(known)}."})
    return ChangeSeverity(by=by, key=key, policy=policy.severities[Severity(chosen.upper())], why=why)


# Page ------------------------------------------------------------------------------------------------------------


def _page(scene: Scene) -> list[Block]:
    roles = [Choice(role, name, _holders(scene.roster, role)) for role, name in scene.roles.items()]
    return [
        members("people", "Whom?"),
        select("role", "Or a role", roles, optional=True),
        words("why", "Why?", lines=False, optional=True, hint="It goes into the page."),
    ]


def _holders(roster: Roster, role: str) -> str:
    count = len(roster.of(role))
    return "nobody holds it now" if not count else f"{count} {'person' if count == 1 else 'people'} now"


def _paged(answers: Answers, scene: Scene, by: str, slip: Slip) -> MoveEvent:
    people, role = answers.people("people"), answers.choice("role")
    if not people and not role:
        raise Unfit({"people": "Choose somebody, or a role below."})
    return PagePeople(by=by, key=slip.key, people=people, role=role, why=answers.text("why"))


# The others ------------------------------------------------------------------------------------------------------


def _cancel(scene: Scene) -> list[Block]:
    twins = [Choice(i.id, f"Duplicate of {i.id}: {i.facts.title}") for i in scene.others if i.id != scene.incident.id]
    return [
        select("duplicate_of", "What is it?", [Choice(FALSE_ALARM, "A false alarm"), *twins], initial=FALSE_ALARM),
        words("why", "How do we know?", optional=True),
    ]


def _cancelled(answers: Answers, scene: Scene, by: str, slip: Slip) -> MoveEvent:
    chosen = answers.choice("duplicate_of")
    return Cancel(by=by, key=slip.key, why=answers.text("why"), duplicate_of="" if chosen == FALSE_ALARM else chosen)


def _words_only(name: str, label: str, *, optional: bool = False, hint: str = "") -> Callable[[Scene], list[Block]]:
    return lambda scene: [words(name, label, optional=optional, hint=hint)]


SECURITY_HINT = (
    "The security team is paged, a private room opens, public writing stops and the public cards are redacted."
)
FORMS: dict[Move, Form] = {
    Move.ROOT_CAUSE: Form(
        "Root cause found",
        "Record it",
        _words_only("cause", "What is the root cause?"),
        lambda answers, scene, by, slip: RootCause(by=by, key=slip.key, cause=answers.text("cause")),
    ),
    Move.FIX_FAILED: Form(
        "The fix did not hold",
        "Say so",
        _words_only("text", "What do you see?", optional=True),
        lambda answers, scene, by, slip: FixFailed(by=by, key=slip.key, text=answers.text("text")),
    ),
    Move.UPDATE: Form("Post an update", "Post", _update, _updated),
    Move.SEVERITY: Form("Change the severity", "Change", _severity, _severed),
    Move.PAGE: Form("Page someone", "Page now", _page, _paged),
    Move.SECURITY: Form(
        "Mark as security",
        "Make it private",
        _words_only("why", "Why?", optional=True, hint=SECURITY_HINT),
        lambda answers, scene, by, slip: MarkSecurity(by=by, key=slip.key, why=answers.text("why")),
    ),
    Move.RESOLVE: Form("Resolve the incident", "Resolve", _resolve, _resolved),
    Move.REOPEN: Form(
        "Reopen the incident",
        "Reopen",
        _words_only("why", "Why?", optional=True, hint="All clocks start again, and the first tier is paged."),
        lambda answers, scene, by, slip: Reopen(by=by, key=slip.key, why=answers.text("why")),
    ),
    Move.CANCEL: Form("Cancel the incident", "Cancel the incident", _cancel, _cancelled),
}
