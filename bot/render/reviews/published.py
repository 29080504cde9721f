"""A finished review as it stands in GitHub and Confluence: who writes there, and where to write instead, is said."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html import escape

from bot.render.reviews.html import confluence
from bot.render.reviews.markdown import END, Names, markdown
from escalation.reviews.model import Generated, Review, Section
from escalation.text import line, one_line

GITHUB_MOST = 60_000  # characters; GitHub takes 65,536 and we add a mark
CONFLUENCE_MOST = 1_000_000  # a page of more is slow to open
LONGEST_TITLE = 200  # characters
WITHDRAWN = "This review was withdrawn: the incident became private."
REOPENED = "The incident was reopened: this review is not finished any more, until it was held again."
_APART = "\u200b"  # a zero-width space: after it neither `@name` nor `#12` is one any more
_CALLS = re.compile(r"@(?=\w)|#(?=\d)|\bGH-(?=\d)")


def title(review: Review) -> str:
    """Its title there: the incident first, for a list of them."""
    return f"{review.incident}: {one_line(review.title)}"[:LONGEST_TITLE]


def for_github(review: Review, names: Names) -> str:
    """GitHub's Markdown. Nobody is called by it, no other issue linked, and no words hide the rest."""
    text = ""
    for kept in _shortened(review):
        text = _without_markers(markdown(kept, names)).replace("<!--", "&lt;!--")
        text = _CALLS.sub(rf"\g<0>{_APART}", text)
        if len(text) <= GITHUB_MOST:
            break
    rest = f" The rest: `tocsin review {review.incident}`." if len(text) > GITHUB_MOST else ""
    first = "" if review.held else f"**{REOPENED}**\n\n"
    return f"{first}{text[:GITHUB_MOST]}\n\n---\n\n*{written_by(review)}{rest}*"


def for_confluence(review: Review, names: Names, mark: str) -> str:
    """Confluence's storage format, which is XHTML; the mark is its last line."""
    text = ""
    for kept in _shortened(review):
        text = confluence(kept, names)
        if len(text) <= CONFLUENCE_MOST:
            break
    first = "" if review.held else confluence_line(REOPENED)
    return f"{first}{text}{confluence_line(written_by(review))}{confluence_line(mark)}"


def confluence_line(text: str) -> str:
    """A line of a page."""
    return f"<p><em>{escape(text)}</em></p>"


def written_by(review: Review) -> str:
    """Who writes there."""
    wanted = f"/incident review {review.incident} write"
    return f"Written by Tocsin, and written anew whenever the review changes: write in Slack ({wanted}), not here."


def _without_markers(text: str) -> str:
    return "\n".join(each for each in text.splitlines() if each != END and not each.startswith("<!-- people: "))


def _shortened(review: Review) -> Iterator[Review]:
    """Yield it whole, then with ever fewer lines of the record, from the end of the longest section; never of words."""
    yield review
    kept = {section.key: len(section.lines) for section in review.sections}
    while (longest := max(kept, key=lambda key: kept[key])) and kept[longest] > 1:
        kept[longest] //= 2
        yield replace(review, sections=tuple(_cut(s, kept[s.key], review.incident) for s in review.sections))


def _cut(section: Section, kept: int, incident: str) -> Section:
    left = len(section.lines) - kept
    if not left:
        return section
    note = Generated(line(f"… and {left} more: `tocsin review {incident}` has them all."), 0)
    return replace(section, lines=(*section.lines[:kept], note))
