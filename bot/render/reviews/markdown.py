"""A review as Markdown. What people write stands between markers, and is given back byte for byte."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple, TypeGuard
from urllib.parse import quote

from bot.render.mrkdwn import plain
from escalation.config.rules.reviews import ReviewSection
from escalation.errors import Refused
from escalation.reviews.model import Generated, Review, Section
from escalation.text import Line, Link, Span, clean, local_time, one_line
from escalation.values import PersonId, fingerprint

Names = Mapping[PersonId, str]
END = "<!-- people: end -->"
_BEGIN = re.compile(r"<!-- people: (?!end )([a-z][a-z0-9_]*)(?: ([0-9a-f]+))? -->\n")
_MARKER = "<!-- people:"
_MINUTE = "%Y-%m-%d %H:%M"
SINCE = "Somebody wrote since this was printed: {sections}. Nothing was read: print it again, and merge."
_SIGNS = re.compile(r"([\\`*_\[\]<>|#])")


def markdown(review: Review, names: Names) -> str:
    """The whole document. Every generated line names the timeline entry that it came from."""
    parts = [f"# Post-incident review of {review.incident}: {escaped(review.title)}\n", f"{_standing(review)}\n"]
    for n, section in enumerate(review.sections, 1):
        parts.append(f"## {n}. {escaped(section.title)}\n")
        parts += [f"{block}\n" for block in _section(section, names)]
    return "\n".join(parts)


class Region(NamedTuple):
    """People's words in a document, and the mark of what stood there when it was printed; empty for an older one."""

    text: str
    printed: str


def regions_of(document: str, known: Collection[str] = frozenset(ReviewSection)) -> dict[str, Region]:
    """Read people's words back, by section. Raises Refused for a document whose markers are damaged or unknown."""
    found: dict[str, Region] = {}
    for begins in _BEGIN.finditer(document):
        section, ends = begins[1], document.find(f"\n{END}", begins.end() - 1)
        if section not in known or section in found:
            raise Refused(f"The marker of '{section}' is unknown, or stands there twice: nothing was read.")
        if ends < 0 or _MARKER in document[begins.end() : ends]:
            raise Refused(f"The end marker of '{section}' is missing: put `{END}` below its words. Nothing was read.")
        found[section] = Region(document[begins.end() : max(ends, begins.end())], begins[2] or "")
    if not found:
        raise Refused("There are no markers of a review in that text: begin with what `tocsin review` prints.")
    return found


def edited(regions: Mapping[str, Region], stored: Mapping[str, str]) -> dict[str, str]:
    """Return what was changed in a document since it was printed. Raises Refused where the stored words were, too."""
    words = {key: each.text for key, each in regions.items() if each.printed != mark(each.text)}
    stale = [
        key
        for key, text in words.items()
        if regions[key].printed not in ("", mark(stored.get(key, ""))) and text.strip() != stored.get(key, "").strip()
    ]
    if stale:
        raise Refused(SINCE.format(sections=", ".join(stale)))
    return words


def mark(words: str) -> str:
    """Mark of words in a marker, by which it is seen later whether they were changed."""
    return fingerprint(words)[:8]


def checked(text: str) -> str:
    """Return people's words for a section. Raises Refused if they hold a marker: they could not be read back."""
    if _MARKER in text:
        raise Refused(f"`{_MARKER}` cannot be part of a review's words.")
    return text


def due_on(review: Review) -> str:
    """When the review is due."""
    return f"Due by {local_time(review.due, _MINUTE)}." if review.due else review.demand


def held_on(review: Review) -> str:
    """When the review was held and with what result; empty until it was."""
    result = f": {escaped(review.result)}" if review.result else ""
    return f"Held on {local_time(review.held, _MINUTE)}{result}." if review.held else ""


def _standing(review: Review) -> str:
    due = due_on(review)
    if review.held is None:
        missing = ", ".join(s.title.lower() for s in review.missing) if review.due else ""
        return f"{due} To be written: {missing}." if missing else due
    return held_on(review)


def _section(section: Section, names: Names) -> Iterator[str]:
    if section.lines:
        yield "\n".join(generated_line(each, names) for each in section.lines)
    elif not section.prompt:
        yield "Nothing is on record."
    if section.prompt:
        yield f"*{escaped(section.prompt)}*"
        yield f"<!-- people: {section.key} {mark(section.written.text)} -->\n{section.written.text}\n{END}"


def generated_line(generated: Generated, names: Names) -> str:
    """One line of the record, as an item of a list, with its entry."""
    source = f" (entry {generated.entry})" if generated.entry else ""
    return f"- {_shown(generated.line, names)}{source}"


def _shown(line: Line, names: Names) -> str:
    return "".join(_link(s) if _is_link(s) else escaped(plain((s,), names)) for s in line)


def _is_link(span: Span) -> TypeGuard[Link]:
    return isinstance(span, Link) and span.url.startswith(("https://", "http://"))


def _link(span: Link) -> str:
    """A link with its label; what would end its address is written as per cent."""
    address = re.sub(r"[\s<>()\\]", lambda sign: quote(sign[0]), clean(span.url))
    return f"[{escaped(clean(span.label))}]({address})"


def escaped(text: str) -> str:
    """Escape Markdown and HTML in words that came from the record."""
    return _SIGNS.sub(r"\\\1", one_line(text))
