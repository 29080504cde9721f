"""The declaration form: its modal, and how it is read. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.deps import BotDeps
from bot.errors import InvalidForm
from bot.moves.form import Submission
from bot.render.blockkit import Block
from bot.render.form_state import FormState
from bot.render.inputs import MAX_TEXT, Choice, View, checkboxes, modal, note, select, text_field, yes_no_select
from bot.render.mrkdwn import cut, emphasised, escape, render
from escalation.config.policy import Policy, Severity, SeverityPolicy
from escalation.errors import Refused
from escalation.incident.model import Detection, Facts
from escalation.oncall.roster import Roster
from escalation.text import people

CALLBACK = "declare"
SEVERITY_ACTION = "pick_severity"
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
    Detection.MANUAL: "Manual: somebody noticed",
}


@dataclass(frozen=True)
class Draft:
    """Initial values of a declaration form, from the command or the message; `warning` is shown above it."""

    title: str = ""
    severity: str = ""
    description: str = ""
    warning: str = ""


def declare_modal(deps: BotDeps, state: FormState, draft: Draft = Draft()) -> View:
    """Build the declaration form; with a `drill_speed` in its state it declares a drill, and says so."""
    severities = [Choice(s.value, f"{s} - {p.name}") for s, p in deps.policy.severities.items()]
    above = [note("warning", escape(draft.warning))] if draft.warning else []
    return modal(
        CALLBACK,
        "Declare a drill" if state.drill_speed else "Declare an incident",
        "Declare",
        [
            *above,
            *([_drill_note(state.drill_speed)] if state.drill_speed else []),
            text_field(
                "title",
                "Title",
                initial=draft.title,
                multiline=False,
                placeholder="What is happening? Checkout is down",
            ),
            select("severity", "Severity", severities, initial=draft.severity, action_id=SEVERITY_ACTION),
            definitions(deps.policy.severities.values()),
            text_field("impact", "Impact", optional=True, placeholder="Who is affected, and how? Nobody can pay"),
            text_field(
                "description",
                "Description",
                initial=draft.description,
                optional=True,
                placeholder="What do we know so far?",
            ),
            _service(list(deps.company.services)),
            checkboxes("flags", "Does any of this apply?", FLAGS),
            yes_no_select("data_loss", "Was data lost?", None),
            select("detection", "How was it detected?", detections(), initial=Detection.MANUAL),
            text_field(
                "public_wording",
                "Wording for the public",
                optional=True,
                hint="What a status page may say. Leave it empty to decide later.",
            ),
        ],
        state.encode(),
    )


def _drill_note(speed: float) -> Block:
    pace = "Clocks run as they do in earnest." if speed == 1 else f"Clocks run {speed:g}x faster."
    warning = "🧪 *DRILL*: people are really paged, and every message says that it is an exercise."
    return note("drill", f"{warning} Nothing goes outside. {pace}")


def detections() -> list[Choice]:
    """Choices for how an incident was detected."""
    return [Choice(d.value, label) for d, label in DETECTED.items()]


def _service(names: list[str]) -> Block:
    if not names:
        return text_field("service", "Affected service", multiline=False, optional=True)
    choices = [Choice(name, name) for name in names]
    return select("service", "Affected service", [Choice(NO_SERVICE, "None of these"), *choices], optional=True)


# Severities ------------------------------------------------------------------------------------------------------


def definitions(policies: Iterable[SeverityPolicy]) -> Block:
    """Block with the definitions and examples of all severities."""
    return note(
        DEFINITIONS, *(cut(f"{_definition_text(p)}\n{escape('; '.join(p.examples))}", MAX_NOTE) for p in policies)
    )


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


def with_definition(view: View, block: Block) -> View:
    """Replace the definitions in an open modal; its ids stay, so that Slack keeps everything that was typed."""
    kept_fields = ("type", "callback_id", "title", "submit", "close", "private_metadata")
    blocks = [block if b["block_id"] == DEFINITIONS else b for b in view["blocks"]]
    return {name: view[name] for name in kept_fields} | {"blocks": blocks}


# Reading ---------------------------------------------------------------------------------------------------------


def declaration(submission: Submission) -> tuple[Severity, Facts]:
    """Read severity and facts. Raises InvalidForm, or ValidationError whose locations are fields of the modal."""
    return _severity_of(submission), _facts_of(submission)


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


def parse_declaration(text: str, policy: Policy) -> tuple[str, str]:
    """Parse `[P0[:]] title` into severity and title; the severity is empty without one that the policy knows."""
    match = re.fullmatch(r"(\w+)(?::|\s|$)\s*(.*)", text.strip(), re.DOTALL)
    if match and match[1].upper() in {s.value for s in policy.severities}:
        return match[1].upper(), match[2]
    return "", text.strip()


def parse_drill(text: str, policy: Policy) -> tuple[str, float, str]:
    """Parse `P0 [speed] [title]` into severity, speed and title. Raises Refused for anything else."""
    chosen, _, rest = text.strip().partition(" ")
    known = [s.value for s in policy.severities]
    if chosen.upper() not in known:
        raise Refused(f"Say which severity to practise, like `/incident drill {known[0]} 10`: {', '.join(known)}.")
    pace, _, title = rest.strip().partition(" ")
    number = re.fullmatch(r"(\d{1,4}(?:\.\d+)?)x?", pace)
    speed = float(number[1]) if number else DRILL_SPEED
    if not 1 <= speed <= MAX_DRILL_SPEED:
        raise Refused(f"A drill's clocks run 1 to {MAX_DRILL_SPEED} times faster, not {pace}.")
    return chosen.upper(), speed, (title if number else rest).strip()[:TITLE_LIMIT]
