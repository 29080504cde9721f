"""The declaration form: its modal, and how it is read. Pure."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from bot.deps import BotDeps
from bot.errors import InvalidForm
from bot.moves.form import Submission
from bot.moves.form_state import FormState
from bot.parsing.command import severity_named
from bot.render.blockkit import BUTTON, CONFIRM, Block, plain_text
from bot.render.inputs import (
    MAX_TEXT,
    TITLE,
    Choice,
    FormValues,
    View,
    checkboxes,
    modal,
    note,
    select,
    text_field,
    yes_no_select,
)
from bot.render.mrkdwn import cut, emphasised, escape, render
from escalation.config.policy import Policy, Severity, SeverityPolicy
from escalation.config.references import suggest
from escalation.errors import Refused
from escalation.incident.state.facts import Detection, Facts, Status
from escalation.oncall.roster import Roster
from escalation.search.document import Document
from escalation.search.likeness import incident_line
from escalation.text import people

CALLBACK = "declare"
SEVERITY_ACTION = "pick_severity"
DETAILS_ACTION = "more_details"
SAME_ACTION = "same_problem"
SAME = "same-"  # begins the block ids of open incidents that may be the same problem
MORE = "more"  # block id of the button that shows the details
DEFINITIONS = "definitions"
NO_SERVICE = "-"
TITLE_LIMIT = 200
MAX_NOTE = 2000
DRILL_SPEED = 10.0
MAX_DRILL_SPEED = 1000
FLAGS = (
    Choice("security", "Security breach", "Opens a private room; nothing is written in public"),
    Choice("outage", "Customer-facing outage"),
    Choice("major_impact", "Major business impact"),
)
DETECTED = {
    Detection.MONITORING: "Monitoring alert",
    Detection.USER_REPORT: "User report",
    Detection.HEALTH_CHECK: "Health check",
    Detection.MANUAL: "Reported by a team member",
}


@dataclass(frozen=True)
class Draft:
    """Initial values of a declaration form, from the command or the message; `warning` is shown above it."""

    title: str = ""
    severity: str = ""
    description: str = ""
    warning: str = ""
    service: str = ""
    detection: Detection = Detection.MANUAL


def declare_modal(deps: BotDeps, state: FormState, draft: Draft = Draft(), roster: Roster | None = None) -> View:
    """Build the declaration form: first what is asked at once, the rest behind *More details*.

    With a `drill_speed` in its state it declares a drill, and says so. `roster` shows whom a chosen severity pages.
    """
    policies = deps.policy.severities
    severities = [Choice(s.value, f"{s} - {p.name}") for s, p in policies.items()]
    chosen = next((p for s, p in policies.items() if s == draft.severity), None)
    above = [note("warning", escape(draft.warning))] if draft.warning else []
    more = details(draft) if draft.description or draft.detection is not Detection.MANUAL else [_more_button()]
    return modal(
        CALLBACK,
        "Declare a drill" if state.drill_speed else "Declare an incident",
        "Declare",
        [
            *above,
            *([_drill_note(state.drill_speed)] if state.drill_speed else []),
            text_field("title", "Title", initial=draft.title, multiline=False, placeholder="Checkout is down"),
            select("severity", "Severity", severities, initial=draft.severity, action_id=SEVERITY_ACTION),
            definition(chosen, roster or Roster()) if chosen else definitions(policies.values()),
            text_field("impact", "Impact", multiline=False, optional=True, placeholder="Nobody can pay"),
            service_field(tuple(deps.company.services), draft.service),
            checkboxes("flags", "Does any of this apply?", FLAGS),
            *more,
        ],
        state.encode(),
    )


def details(draft: Draft = Draft()) -> list[Block]:
    """Blocks of the fields that can wait: a form shows them when asked, or when one of them is filled already."""
    return [
        text_field(
            "description",
            "Description",
            initial=draft.description,
            optional=True,
            placeholder="What do we know so far?",
        ),
        yes_no_select("data_loss", "Was data lost?", None),
        select("detection", "How was it detected?", detections(), initial=draft.detection),
        text_field(
            "public_wording",
            "Public message",
            optional=True,
            hint="What a status page may say. Leave it empty to decide later.",
        ),
    ]


def _more_button() -> Block:
    button = {"type": "button", "action_id": DETAILS_ACTION, "text": plain_text("More details", BUTTON)}
    return {"type": "actions", "block_id": MORE, "elements": [button]}


def _drill_note(speed: float) -> Block:
    pace = "Clocks run at normal speed." if speed == 1 else f"Clocks run {speed:g}x faster."
    warning = "🧪 *DRILL*: people are really paged, and every message says that it is an exercise."
    return note("drill", f"{warning} Nobody outside the response is told. {pace}")


def detections() -> list[Choice]:
    """Choices for how an incident was detected."""
    return [Choice(d.value, label) for d, label in DETECTED.items()]


def service_field(names: Sequence[str], initial: str = "") -> Block:
    """Field for the affected service: a choice of the company's, else free words."""
    if not names:
        return text_field("service", "Affected service", initial=initial, multiline=False, optional=True)
    return select("service", "Affected service", service_choices(names), initial=initial, optional=True)


def service_choices(names: Sequence[str]) -> list[Choice]:
    """Choices of a service, or none of them."""
    return [Choice(NO_SERVICE, "None of these"), *(Choice(name, name) for name in names)]


# Severities ------------------------------------------------------------------------------------------------------


def definitions(policies: Iterable[SeverityPolicy]) -> Block:
    """Block with a line for each severity; a chosen one is explained with its examples."""
    return note(DEFINITIONS, cut("\n".join(_definition_text(p) for p in policies), MAX_NOTE))


def definition(policy: SeverityPolicy, roster: Roster) -> Block:
    """Block with one severity's definition, its targets and whom it pages at once."""
    examples = "".join(f"\n• {escape(example)}" for example in policy.examples)
    times = f"Acknowledge within {policy.acknowledge_within.spoken()}, "
    times += f"resolve within {policy.resolve_within.spoken()}."
    paged = f"Pages at once: {_paged_roles(policy, roster)}."
    return note(DEFINITIONS, cut(_definition_text(policy) + examples, MAX_NOTE), cut(f"{times} {paged}", MAX_NOTE))


def _definition_text(policy: SeverityPolicy) -> str:
    return f"{emphasised(f'{policy.severity} - {escape(policy.name)}')}: {escape(policy.definition)}"


def _paged_roles(policy: SeverityPolicy, roster: Roster) -> str:
    roles = dict.fromkeys(role for tier in policy.at_once for role in policy.tiers[tier - 1].roles)
    if not roles:
        return "nobody, it becomes a ticket" if policy.ticket else "nobody"
    return ", ".join(f"{escape(policy.role_name(r))} ({render(people(roster.of(r)))})" for r in roles)


def updated(view: View, block: Block, *, expanded: bool, same: Sequence[Document] = ()) -> View:
    """Replace the definitions in an open modal, and what may be the `same`; show the details if `expanded`.

    The ids of its fields stay, so that Slack keeps everything that was typed.
    """
    kept_fields = ("type", "callback_id", "title", "submit", "close", "private_metadata")
    others = [b for b in view["blocks"] if not b["block_id"].startswith(SAME)]
    blocks = [
        b for other in others for b in ([block, *map(_same, same)] if other["block_id"] == DEFINITIONS else [other])
    ]
    if expanded and blocks[-1]["block_id"] == MORE:
        blocks[-1:] = details()
    return {name: view[name] for name in kept_fields} | {"blocks": blocks}


def _same(other: Document) -> Block:
    """Section about an open incident that may be the same problem, with the button that joins it."""
    words = cut(render(("Maybe the same problem: ", *incident_line(other))), MAX_NOTE)
    button = {
        "type": "button",
        "action_id": SAME_ACTION,
        "text": plain_text("Same problem", BUTTON),
        "value": other.id,
        "confirm": {
            "title": plain_text("Same problem", TITLE),
            "text": plain_text(
                f"No new incident is declared. Your report is posted to {other.id}, and you are invited there.", CONFIRM
            ),
            "confirm": plain_text("Same problem", TITLE),
            "deny": plain_text("Not yet", TITLE),
        },
    }
    text = {"type": "mrkdwn", "text": words}
    return {"type": "section", "block_id": f"{SAME}{other.id}", "text": text, "accessory": button}


# Reading ---------------------------------------------------------------------------------------------------------


def declaration(submission: Submission) -> tuple[Severity, Facts]:
    """Read severity and facts. Raises InvalidForm, or ValidationError whose locations are fields of the modal."""
    return _severity_of(submission), _facts_of(submission)


def words_of(values: FormValues) -> str:
    """What somebody wrote so far about the problem, a line each: title, impact, description."""
    said = (" ".join(values.text(name).split()) for name in ("title", "impact", "description"))
    return "\n".join(filter(None, said))


def described(values: FormValues, state: FormState) -> Document:
    """What the form says so far, as the search sees an incident."""
    chosen = values.choice("service") or values.text("service")
    return Document(
        id="",
        severity=values.choice("severity"),
        declared=0.0,
        status=Status.INVESTIGATING,
        title=values.text("title"),
        service="" if chosen == NO_SERVICE else chosen,
        impact=values.text("impact"),
        drill=state.drill_speed is not None,
    )


def _severity_of(submission: Submission) -> Severity:
    chosen = submission.values.choice("severity")
    known = {s.value: s for s in submission.policy.severities}
    if chosen not in known:
        raise InvalidForm({"severity": f"Choose one of {', '.join(known)}."})
    return known[chosen]


def _facts_of(submission: Submission) -> Facts:
    values = submission.values
    flags = values.choices("flags")
    service = values.choice("service") or values.text("service")
    return Facts.model_validate(
        {
            "title": " ".join(values.text("title").split()),
            "impact": values.text("impact"),
            "description": values.text("description"),
            "service": "" if service == NO_SERVICE else service,
            "detection": values.choice("detection") or Detection.MANUAL,
            "public_wording": values.text("public_wording"),
            "source_link": submission.state.link,
            **{flag.value: True for flag in FLAGS if flag.value in flags},  # an empty box says nothing
            "data_loss": values.yes_no("data_loss"),
        }
    )


def title_warning(title: str) -> str:
    """Warn of a typed title that is too long; empty when it is not."""
    if len(title) <= TITLE_LIMIT:
        return ""
    return (
        f"The title you typed has {len(title):,} characters; the limit is {TITLE_LIMIT}. "
        f"{'It is' if len(title) <= MAX_TEXT else 'Its beginning is'} in the description: give it a short title."
    )


@dataclass(frozen=True)
class TypedDeclaration:
    """A typed declaration: severity, service and title, each empty when it was not named."""

    severity: str = ""
    service: str = ""
    title: str = ""


def parse_declaration(text: str, policy: Policy, services: Collection[str] = ()) -> TypedDeclaration:
    """Parse `[P0[:]] [--service checkout] title`. Raises Refused for a service that does not exist.

    A severity may be written as other tools do (`sev1`, `SEV-1`, `[P1]`); a word that is none begins the title.
    """
    service, rest = _take_service(text.strip(), services)
    first, _, title = rest.partition(" ")
    severity = severity_named(first, policy)
    if not severity and (match := re.match(r"([^\s:]+):(.+)", rest, re.DOTALL)):
        severity, title = severity_named(match[1], policy), match[2]
    return TypedDeclaration(severity, service, title.strip() if severity else rest)


_SERVICE = re.compile(r"(?:^|\s)(?:[-\u2013\u2014]+service[\s=]+|service:\s*)", re.IGNORECASE)


def _take_service(text: str, services: Collection[str]) -> tuple[str, str]:
    """Take the service out of the words of a command: its name, and the rest."""
    match = _SERVICE.search(text) if services else None
    if match is None:
        return "", text
    before, after = text[: match.start()], text[match.end() :].lstrip("'\"\u201c")
    for name in sorted(services, key=len, reverse=True):
        if re.match(rf"{re.escape(name)}(?!\w)", after, re.IGNORECASE):
            return name, f"{before} {after[len(name) :].lstrip(chr(39) + chr(34) + chr(0x201D))}".strip()
    word = after.split(maxsplit=1)[0] if after.strip() else ""
    raise Refused(f"There is no service called '{word}'{suggest(word, set(services))}.")


def parse_drill(text: str, policy: Policy) -> tuple[str, float, str]:
    """Parse `P0 [speed] [title]` into severity, speed and title. Raises Refused for anything else."""
    word, _, rest = text.strip().partition(" ")
    chosen, known = severity_named(word, policy), [s.value for s in policy.severities]
    if not chosen:
        raise Refused(f"Which severity? Use `/incident drill {known[0]} 10`, with one of {', '.join(known)}.")
    pace, _, title = rest.strip().partition(" ")
    number = re.fullmatch(r"(\d{1,4}(?:\.\d+)?)x?", pace)
    speed = float(number[1]) if number else DRILL_SPEED
    if not 1 <= speed <= MAX_DRILL_SPEED:
        raise Refused(f"A drill's clocks run 1 to {MAX_DRILL_SPEED} times faster, not {pace}.")
    return chosen, speed, (title if number else rest).strip()[:TITLE_LIMIT]
