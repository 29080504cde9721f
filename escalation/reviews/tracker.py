"""The finished review as a comment on the incident's ticket, by roles: others than the team read a tracker. Pure."""

from collections.abc import Iterator

from escalation.incident.model import Incident
from escalation.reviews.model import Review, Section
from escalation.reviews.roles import roles_of, without_names
from escalation.text import Line, Lines, Strong, Time, Verbatim, line

LONGEST = 28_000  # characters: Jira takes 32,767 in a comment, GitHub 65,536
_SHORTENED = "The rest is in the review: `tocsin review {id}`."


def ticket_comment(incident: Incident, review: Review, names: dict[str, str]) -> Lines:
    """Lines of the comment; what is too long for one is cut, and says so."""
    known = without_names(review, roles_of(incident, review), names)
    lines = list[Line]()
    room = LONGEST
    for each in _lines(known):
        room -= sum(len(getattr(span, "text", None) or str(span)) for span in each) + 2
        if room < 0:
            return (*lines, line(_SHORTENED.format(id=review.incident)))
        lines.append(each)
    return tuple(lines)


def _lines(review: Review) -> Iterator[Line]:
    held = (" (held ", Time(review.held), ")") if review.held else ()
    yield line(Strong(f"Post-incident review of {review.incident}"), *held)
    if review.result:
        yield line(Verbatim(review.result))
    for n, section in enumerate(review.sections, 1):
        yield line(Strong(f"{n}. {section.title}"))
        yield from _section(section)


def _section(section: Section) -> Iterator[Line]:
    for generated in section.lines:
        yield line("- ", *(Verbatim(span) if isinstance(span, str) else span for span in generated.line))
    for paragraph in filter(str.strip, section.written.text.split("\n\n")):
        yield line(Verbatim(paragraph.strip()))
