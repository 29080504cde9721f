"""Roles in the place of names, for a review that is read outside the team. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from escalation.incident.model import Incident
from escalation.incident.state.leads import Lead
from escalation.reviews.model import Review
from escalation.text import Line, Person, Span, Strong
from escalation.values import PersonId, machine_title

_LEADS = {
    Lead.COMMANDER: "incident commander",
    Lead.COMMUNICATIONS: "communications lead",
    Lead.SCRIBE: "scribe",
}
_CALLED = {"on_call": "on-call engineer"}  # where the name of a role is no noun
_MENTION = re.compile(r"<@([A-Z0-9]+)(?:\|[^>]*)?>")


def roles_of(incident: Incident, review: Review) -> dict[PersonId, str]:
    """Name everybody in a review by their role in the incident; two of one role are numbered."""
    held = dict(_held(incident))
    members = dict.fromkeys((*held, *_named(review)))
    people = [member for member in members if member and not machine_title(member)]
    known = [held.get(member, "colleague") for member in people]
    counted: dict[str, int] = {}
    roles: dict[PersonId, str] = {}
    for member, role in zip(people, known, strict=True):
        counted[role] = counted.get(role, 0) + 1
        roles[member] = f"{role} {counted[role]}" if known.count(role) > 1 else role
    return roles


def _held(incident: Incident) -> Iterator[tuple[PersonId, str]]:
    """Yield members with a role, what weighs most last."""
    yield incident.reporter, "reporter"
    for page in incident.pages:
        yield page.person, next((_CALLED.get(role, role.replace("_", " ")) for role in page.roles), "responder")
    yield from ((member, _LEADS[lead]) for lead, member in incident.leads.items())


def _named(review: Review) -> Iterator[PersonId]:
    for section in review.sections:
        for generated in section.lines:
            yield from (span.id for span in generated.line if isinstance(span, Person))
        yield from _MENTION.findall(section.written.text)
        yield section.written.by


def without_names(review: Review, roles: Mapping[PersonId, str], names: Mapping[PersonId, str]) -> Review:
    """Put roles in the place of people: in lines of the record, and in words where a name is written out or mentioned.

    A nickname is for people to look for.
    """
    spelled = {names[member]: role for member, role in roles.items() if names.get(member)}
    longest_first = sorted(spelled, key=len, reverse=True)
    pattern = re.compile("|".join(rf"@?(?<!\w){re.escape(name)}(?!\w)" for name in longest_first)) if spelled else None

    def worded(text: str) -> str:
        text = _MENTION.sub(lambda found: f"the {roles.get(found[1], 'colleague')}", text)
        return pattern.sub(lambda found: f"the {spelled[found[0].removeprefix('@')]}", text) if pattern else text

    def line_of(line: Line) -> Line:
        return tuple(_span(span, roles, worded) for span in line)

    sections = (
        replace(
            section,
            lines=tuple(each._replace(line=line_of(each.line)) for each in section.lines),
            written=section.written._replace(text=worded(section.written.text), by=""),
        )
        for section in review.sections
    )
    return replace(review, title=worded(review.title), result=worded(review.result), sections=tuple(sections))


def _span(span: Span, roles: Mapping[PersonId, str], worded: Callable[[str], str]) -> Span:
    match span:
        case Person(id) if not machine_title(id):
            return f"the {roles.get(id, 'colleague')}"
        case Strong(text):
            return Strong(worded(text))
        case str():
            return type(span)(worded(span))
        case _:
            return span
