"""Correcting what was said at the declaration: the modal, and the short words of the command. Pure."""

import re

from bot.moves.declare import FLAGS, NO_SERVICE, detections
from bot.moves.form import FormContext, Submitted
from bot.moves.update import public_wording
from bot.render.blockkit import Block
from bot.render.inputs import Choice, FormValues, select, ticks, words
from escalation.config.policy import Said
from escalation.errors import Refused
from escalation.incident.events import Edit, MoveEvent
from escalation.text import clean

# Security is no tick to be taken back: it has a move of its own.
_TICKS = tuple(flag for flag in FLAGS if flag.value != Said.SECURITY)
_NAMES = {flag.value: flag.value.replace("_", "-") for flag in _TICKS}
LONGEST_CHOICE = 150  # characters of an option's value; a service may have been named in free words
_TEXTS = ("title", "impact", "description")


def edit_blocks(context: FormContext) -> list[Block]:
    """Filled with what is known."""
    incident, facts = context.incident, context.incident.facts
    raised = [flag.value for flag in _TICKS if getattr(facts, flag.value)]
    return [
        words("title", "Title", initial=facts.title, lines=False),
        words("impact", "Impact", initial=facts.impact, optional=True),
        words("description", "Description", initial=facts.description, optional=True),
        _service(context),
        select("detection", "How was it detected?", detections(), initial=facts.detection),
        ticks("flags", "Is it one of these?", _TICKS, initial=raised),
        *([] if incident.private else [public_wording(incident)]),
    ]


def _service(context: FormContext) -> Block:
    now = context.incident.facts.service
    if not context.services:
        return words("service", "Affected service", initial=now, lines=False, optional=True)
    shown = clean(now).strip() and len(now) <= LONGEST_CHOICE
    names = dict.fromkeys((*context.services, *([now] if shown else [])))
    choices = [Choice(NO_SERVICE, "None of these"), *(Choice(name, name) for name in names)]
    return select("service", "Affected service", choices, initial=now or NO_SERVICE, optional=True)


def edit_event(submitted: Submitted) -> MoveEvent:
    """Only what differs from what the modal showed: somebody else may have corrected the rest meanwhile."""
    answers = submitted.values
    said = {name: answers.text(name) for name in (*_TEXTS, "public_wording") if answers.changed(name)}
    if "title" in said:
        said["title"] = " ".join(said["title"].split())
    service = {"service": _chosen_service(answers)} if answers.changed("service") else {}
    noticed = {"detection": answers.choice("detection")} if answers.changed("detection") else {}
    ticked = answers.choices("flags")
    flags = {f.value: f.value in ticked for f in _TICKS if (f.value in ticked) != (f.value in answers.shown("flags"))}
    changed = {**said, **service, **noticed, **flags}
    return Edit.model_validate({"by": submitted.by, "key": submitted.key, **changed})


def _chosen_service(answers: FormValues) -> str:
    chosen = answers.choice("service") or answers.text("service")
    return "" if chosen == NO_SERVICE else chosen


def typed_edit(text: str, by: str, key: str) -> Edit:
    """`major-impact`, `no outage`, several of them. Refused, with those that are known, for other words."""
    left = re.sub(r"[\s,_-]+", "-", text.strip().lower())
    said: dict[str, bool] = {}
    while left:
        match = re.match(rf"(no-|not-)?({'|'.join(_NAMES.values())})(?:-|$)", left)
        if match is None:
            known = ", ".join(f"`{name}`" for name in _NAMES.values())
            raise Refused(f"Say {known} (`no outage` takes it back), or `/incident edit` alone for the rest.")
        said[match[2].replace("-", "_")] = match[1] is None
        left = left[match.end() :]
    return Edit.model_validate({"by": by, "key": key, **said})
