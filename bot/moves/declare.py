"""The modal in which an incident is declared, and the reading of it. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.deps import BotDeps
from bot.errors import InvalidForm
from bot.moves.form import Submitted
from bot.render.blockkit import Block
from bot.render.form_state import FormState
from bot.render.inputs import LONGEST, Choice, View, modal, note, select, ticks, words
from bot.render.mrkdwn import cut, emphasised, escape, render
from escalation.config.policy import Policy, Severity, SeverityPolicy
from escalation.errors import Refused
from escalation.incident.model import Detection, Facts
from escalation.oncall.roster import Roster
from escalation.text import people

CALLBACK = "declare"
PICKED = "pick_severity"
DEFINITIONS = "definitions"
NO_SERVICE = "-"
TITLE_LIMIT = 200
NOTE = 2000
DRILL_SPEED = 10.0
FASTEST_DRILL = 1000
FLAGS = (
    Choice("security", "Security breach", "Opens a private room; nothing is written in public"),
    Choice("data_loss", "Data loss"),
    Choice("outage", "Outage for customers"),
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
    """What the form of a declaration is filled with, from the command or the message. `warning` stands above it."""

    title: str = ""
    severity: str = ""
    description: str = ""
    warning: str = ""


def declare_modal(deps: BotDeps, state: FormState, draft: Draft = Draft()) -> View:
    """A state with a `drill_speed` makes it a drill, and the form says so."""
    severities = [Choice(s.value, f"{s} - {p.name}") for s, p in deps.policy.severities.items()]
    above = [note("warning", escape(draft.warning))] if draft.warning else []
    return modal(
        CALLBACK,
        "Declare a drill" if state.drill_speed else "Declare an incident",
        "Declare",
        [
            *above,
            *([_exercise(state.drill_speed)] if state.drill_speed else []),
            words(
                "title", "Title", initial=draft.title, lines=False, placeholder="What is happening? Checkout is down"
            ),
            select("severity", "Severity", severities, initial=draft.severity, action_id=PICKED),
            definitions(deps.policy.severities.values()),
            words("impact", "Impact", optional=True, placeholder="Who is affected, and how? Nobody can pay"),
            words(
                "description",
                "Description",
                initial=draft.description,
                optional=True,
                placeholder="What do we know so far?",
            ),
            _service(list(deps.company.services)),
            ticks("flags", "Is it one of these?", FLAGS),
            select("detection", "How was it detected?", detections(), initial=Detection.MANUAL),
            words(
                "public_wording",
                "Wording for the public",
                optional=True,
                hint="What a status page may say. Leave it empty to decide later.",
            ),
        ],
        state.encode(),
    )


def _exercise(speed: float) -> Block:
    pace = "Clocks run as they do in earnest." if speed == 1 else f"Clocks run {speed:g}x faster."
    real = "🧪 *DRILL*: people are really paged, and every message says that it is an exercise."
    return note("drill", f"{real} Nothing goes outside. {pace}")


def detections() -> list[Choice]:
    return [Choice(d.value, label) for d, label in DETECTED.items()]


def _service(names: list[str]) -> Block:
    if not names:
        return words("service", "Affected service", lines=False, optional=True)
    choices = [Choice(name, name) for name in names]
    return select("service", "Affected service", [Choice(NO_SERVICE, "None of these"), *choices], optional=True)


# Severities ------------------------------------------------------------------------------------------------------


def definitions(policies: Iterable[SeverityPolicy]) -> Block:
    """What each severity means, with its examples."""
    return note(DEFINITIONS, *(cut(f"{_defined(p)}\n{escape('; '.join(p.examples))}", NOTE) for p in policies))


def definition(policy: SeverityPolicy, roster: Roster) -> Block:
    """What the chosen severity means, how much time it gives and whom it pages at once."""
    examples = "".join(f"\n• {escape(example)}" for example in policy.examples)
    times = f"Acknowledge within {policy.acknowledge_within.spoken()}, "
    times += f"resolve within {policy.resolve_within.spoken()}."
    paged = f"Pages at once: {_paged(policy, roster)}."
    return note(DEFINITIONS, cut(_defined(policy) + examples, NOTE), cut(f"{times} {paged}", NOTE))


def _defined(policy: SeverityPolicy) -> str:
    return f"{emphasised(f'{policy.severity} - {escape(policy.name)}')}: {escape(policy.definition)}"


def _paged(policy: SeverityPolicy, roster: Roster) -> str:
    roles = dict.fromkeys(role for tier in policy.at_once for role in policy.tiers[tier - 1].roles)
    if not roles:
        return "nobody, it becomes a ticket" if policy.ticket else "nobody"
    return ", ".join(f"{escape(policy.role_name(r))} ({render(people(roster.of(r)))})" for r in roles)


def with_definition(view: View, block: Block) -> View:
    """The open modal with another block of definitions; everything that was typed stays, as the ids stay."""
    kept = ("type", "callback_id", "title", "submit", "close", "private_metadata")
    blocks = [block if b["block_id"] == DEFINITIONS else b for b in view["blocks"]]
    return {name: view[name] for name in kept} | {"blocks": blocks}


# Reading ---------------------------------------------------------------------------------------------------------


def declaration(submitted: Submitted) -> tuple[Severity, Facts]:
    """What was declared. Raises InvalidForm, or ValidationError whose locations are the fields of the modal."""
    return _severity_of(submitted), _facts_of(submitted)


def _severity_of(submitted: Submitted) -> Severity:
    chosen = submitted.values.choice("severity")
    known = {s.value: s for s in submitted.policy.severities}
    if chosen not in known:
        raise InvalidForm({"severity": f"Choose one of {', '.join(known)}."})
    return known[chosen]


def _facts_of(submitted: Submitted) -> Facts:
    answers = submitted.values
    flags = answers.choices("flags")
    service = answers.choice("service") or answers.text("service")
    return Facts.model_validate(
        {
            "title": " ".join(answers.text("title").split()),
            "impact": answers.text("impact"),
            "description": answers.text("description"),
            "service": "" if service == NO_SERVICE else service,
            "detection": answers.choice("detection") or Detection.MANUAL,
            "public_wording": answers.text("public_wording"),
            "source_link": submitted.state.link,
            **{flag.value: flag.value in flags for flag in FLAGS},
        }
    )


def too_long_a_title(title: str) -> str:
    """What to say of a title that was typed too long; empty when it is not."""
    if len(title) <= TITLE_LIMIT:
        return ""
    return (
        f"The title you typed has {len(title):,} characters; the limit is {TITLE_LIMIT}. "
        f"{'It is' if len(title) <= LONGEST else 'Its beginning is'} in the description: give it a short title."
    )


def drill(text: str, policy: Policy) -> tuple[str, float, str]:
    """`P0 [speed] [title]` -> severity, speed, title. Refused for what is neither."""
    chosen, _, rest = text.strip().partition(" ")
    known = [s.value for s in policy.severities]
    if chosen.upper() not in known:
        raise Refused(f"Say which severity to practise, like `/incident drill {known[0]} 10`: {', '.join(known)}.")
    pace, _, title = rest.strip().partition(" ")
    number = re.fullmatch(r"(\d{1,4}(?:\.\d+)?)x?", pace)
    speed = float(number[1]) if number else DRILL_SPEED
    if not 1 <= speed <= FASTEST_DRILL:
        raise Refused(f"A drill's clocks run 1 to {FASTEST_DRILL} times faster, not {pace}.")
    return chosen.upper(), speed, (title if number else rest).strip()[:TITLE_LIMIT]
