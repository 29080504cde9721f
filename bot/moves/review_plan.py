"""Form and words of the review's plan (owner, meeting, what is not needed), and the cause's category. Pure."""

import re
from collections.abc import Mapping

from bot.moves.form import FormContext, Submission
from bot.parsing.command import parse_targets, unescape
from bot.render.blockkit import Block
from bot.render.inputs import Choice, instant_field, people_select, select, text_field
from escalation.errors import Refused
from escalation.incident.closing.reviews import NO_WORK, owner_of
from escalation.incident.events.moves import MoveEvent, PlanReview, RootCause
from escalation.incident.model import Incident

LATER = "later"  # the argument of the button that moves the meeting
_NOT_NEEDED = re.compile(r"no[ -](meeting|follow[ -]?ups?|action[ -]items?)\b[\s:,]*(.*)", re.IGNORECASE | re.DOTALL)
USAGE = "Use `@somebody`, `later`, `no meeting` and why, or `no follow-ups` and why."


def category_field(incident: Incident, hint: str = "") -> Block:
    """Select of the category of the cause."""
    choices = [Choice(name, name) for name in incident.policy.cause_categories]
    return select("category", "Cause category", choices, initial=incident.cause_category, optional=True, hint=hint)


def root_cause_blocks(context: FormContext) -> list[Block]:
    """Blocks of the form for the root cause."""
    return [text_field("cause", "What is the root cause?"), category_field(context.incident)]


def root_cause_event(submission: Submission) -> MoveEvent:
    """Build the event that states the root cause."""
    values = submission.values
    return RootCause(
        by=submission.by, key=submission.key, cause=values.text("cause"), category=values.choice("category")
    )


def owner_field(incident: Incident) -> list[Block]:
    """Select of the review's owner; nothing where the policy never asks for a review."""
    if incident.policy.review is None or incident.drill:
        return []
    hint = "Only if the policy requires a review. Leave it empty for the policy's choice."
    return [people_select("review_owner", "Owner of the post-incident review", most=1, hint=hint)]


def plan_blocks(context: FormContext) -> list[Block]:
    """Blocks of the form: who owns the review, when it is held, and what is not needed."""
    incident, rule = context.incident, context.incident.policy.review
    work = incident.review_work or NO_WORK
    meeting = int(work.meeting.timestamp()) if work.meeting else 0
    no_meeting, no_follow_ups = (each.text if each else "" for each in (work.no_meeting, work.no_follow_ups))
    return [
        people_select("owner", "Owner", most=1, initial=tuple(filter(None, (owner_of(incident),)))),
        instant_field("starts", "Meeting, 60 minutes", initial=meeting, optional=True),
        *(
            [text_field("no_meeting", "No meeting needed, because", initial=no_meeting, multiline=False, optional=True)]
            if rule and rule.meeting == "optional"
            else []
        ),
        text_field(
            "no_follow_ups", "No action items needed, because", initial=no_follow_ups, multiline=False, optional=True
        ),
        category_field(incident),
    ]


def plan_event(submission: Submission) -> MoveEvent:
    """Build the event from the fields that were changed."""
    values = submission.values
    texts = {name: values.text(name) for name in ("no_meeting", "no_follow_ups") if values.changed(name)}
    category = {"category": values.choice("category")} if values.changed("category") else {}
    owner = "".join(values.people("owner")[:1])
    starts = {"starts": values.instant("starts")} if values.changed("starts") else {}
    return PlanReview.model_validate(
        {"by": submission.by, "key": submission.key, "owner": owner, **starts, **texts, **category}
    )


def typed_plan(text: str, by: str, key: str, member_ids: Mapping[str, str], names: Mapping[str, str]) -> PlanReview:
    """Parse `@dana`, `later`, `no meeting` with a reason, or `no follow-ups` with one. Raises Refused."""
    if text.strip().lower() in (LATER, "move"):
        return PlanReview(by=by, key=key, later=True)
    if found := _NOT_NEEDED.fullmatch(text.strip()):
        what = "no_meeting" if found[1].lower() == "meeting" else "no_follow_ups"
        if not found[2].strip():
            raise Refused(f"Say why: `no {found[1].lower()} the reason`.")
        return PlanReview.model_validate({"by": by, "key": key, what: unescape(found[2], names)})
    targets = parse_targets(text, {}, member_ids)
    if len(targets.people) != 1 or targets.groups or targets.unknown:
        raise Refused(f"{USAGE} Without words the form opens.")
    return PlanReview(by=by, key=key, owner=targets.people[0])
