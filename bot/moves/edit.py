"""Edits of an incident's details: the form, and the short words of the command. Pure."""

import re

from bot.moves.declare import NO_SERVICE, detections, service_field
from bot.moves.form import FormContext, Submission
from bot.moves.update import public_wording
from bot.render.blockkit import Block
from bot.render.inputs import FormValues, select, text_field, yes_no_select
from escalation.config.rules.checkpoints import Said
from escalation.errors import Refused
from escalation.incident.events.moves import Edit, MoveEvent
from escalation.text import clean

# Security cannot be taken back: it has a move of its own.
_QUESTIONS = {
    Said.OUTAGE: "Customer-facing outage?",
    Said.MAJOR_IMPACT: "Major business impact?",
    Said.DATA_LOSS: "Was data lost?",
}
_FLAG_NAMES = {said.value: said.replace("_", "-") for said in _QUESTIONS}
MAX_CHOICE = 150  # characters of an option's value; a service may have been named in free words
_TEXTS = ("title", "impact", "description")


def edit_blocks(context: FormContext) -> list[Block]:
    """Blocks of the form, filled with the incident's details."""
    incident, facts = context.incident, context.incident.facts
    return [
        text_field("title", "Title", initial=facts.title, multiline=False),
        text_field("impact", "Impact", initial=facts.impact, optional=True),
        text_field("description", "Description", initial=facts.description, optional=True),
        _service(context),
        select("detection", "How was it detected?", detections(), initial=facts.detection),
        *(yes_no_select(said, question, getattr(facts, said)) for said, question in _QUESTIONS.items()),
        *([] if incident.private else [public_wording(incident)]),
    ]


def _service(context: FormContext) -> Block:
    now = context.incident.facts.service
    offer_current = clean(now).strip() and len(now) <= MAX_CHOICE
    names = tuple(dict.fromkeys((*context.services, *([now] if offer_current else [])))) if context.services else ()
    return service_field(names, now or (NO_SERVICE if names else ""))


def edit_event(submission: Submission) -> MoveEvent:
    """Build the event from the fields that were changed: somebody else may have edited the others meanwhile."""
    values = submission.values
    changes = {name: values.text(name) for name in (*_TEXTS, "public_wording") if values.changed(name)}
    if "title" in changes:
        changes["title"] = " ".join(changes["title"].split())
    service = {"service": _chosen_service(values)} if values.changed("service") else {}
    detection = {"detection": values.choice("detection")} if values.changed("detection") else {}
    stated = {said.value: values.yes_no(said) for said in _QUESTIONS if values.changed(said)}
    changed = {**changes, **service, **detection, **stated}
    return Edit.model_validate({"by": submission.by, "key": submission.key, **changed})


def _chosen_service(values: FormValues) -> str:
    chosen = values.choice("service") or values.text("service")
    return "" if chosen == NO_SERVICE else chosen


def typed_edit(text: str, by: str, key: str) -> Edit:
    """Parse `major-impact`, `no outage` or several of them. Raises Refused for other words."""
    rest = re.sub(r"[\s,_-]+", "-", text.strip().lower())
    changes: dict[str, bool] = {}
    while rest:
        match = re.match(rf"(no-|not-)?({'|'.join(_FLAG_NAMES.values())})(?:-|$)", rest)
        if match is None:
            known = ", ".join(f"`{name}`" for name in _FLAG_NAMES.values())
            raise Refused(f"Use {known} (`no outage` undoes it), or `/incident edit` for everything else.")
        changes[match[2].replace("-", "_")] = match[1] is None
        rest = rest[match.end() :]
    return Edit.model_validate({"by": by, "key": key, **changes})
