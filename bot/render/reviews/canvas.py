"""A review as a Slack canvas: what to write at first, how people's words are read back, what to change later. Pure.

Comments do not survive in a canvas, so that headings are the markers: below `In your words: …` stands what people
write, up to the next heading of ours. Nothing there is ever replaced: lines of the record are added and taken away one
by one, as Slack's own edits do.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.render.reviews.markdown import Names, due_on, escaped, generated_line, held_on
from escalation.reviews.model import Review, Section
from escalation.storage.reviews.canvases import NOTHING, Canvas
from escalation.text import one_line
from escalation.values import fingerprint

WORDS = "In your words: "
BEGINNING = (
    "Write below the headings “In your words”. Lines of the record are added as it goes on; what you write is left "
    "alone, and read back by `/incident review`."
)
LARGEST = 1_000_000  # characters; Slack takes 1,048,576 (https://docs.slack.dev/reference/methods/canvases.create)
_HEADING = re.compile(r"#{1,3} +(.*?)\s*#*$")
_ESCAPE = re.compile(r"\\([^\w\s])")
_EMOJI = re.compile(r":[a-z][a-z0-9_+-]*:")  # as Slack may write one that was sent as a character
_BULLET = re.compile(r"\s*[-*+] ")
SHORTENED = "The rest of the record is in the document that `tocsin review` prints."


def title(review: Review) -> str:
    """The canvas' title."""
    return one_line(f"Review of {review.incident}: {review.title}")


def document(review: Review, names: Names) -> str:
    """The whole canvas, as it is made. A record that is too long for one is cut, and says so."""
    parts = [held_on(review) or due_on(review), BEGINNING]
    for n, section in enumerate(review.sections, 1):
        parts.append(f"## {heading(n, section)}")
        room = (LARGEST - sum(map(len, parts))) // 2
        parts += ["\n".join(_fitting(lines_of(section, names), room))]
        if section.prompt:
            parts += [f"### {WORDS}{escaped(section.title)}", f"*{escaped(section.prompt)}*", section.written.text]
    return "\n\n".join(part for part in parts if part) + "\n"


def _fitting(lines: Sequence[str], room: int) -> Iterator[str]:
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            yield f"- {SHORTENED}"
            return
        yield line


def heading(n: int, section: Section) -> str:
    """Heading of a section's record."""
    return f"{n}. {escaped(section.title)}"


def lines_of(section: Section, names: Names) -> list[str]:
    """Lines of the record, as items of a list."""
    return list(dict.fromkeys(generated_line(each, names) for each in section.lines))


@dataclass(frozen=True)
class Parts:
    """What stands in a canvas: people's words by section, and the lines of the record by section."""

    words: Mapping[str, str]
    record: Mapping[str, Sequence[str]]


def read(content: str, review: Review) -> Parts:
    """Take a canvas apart. A section whose heading somebody removed is in neither."""
    keys = {_words_only(f"{WORDS}{s.title}"): (s, True) for s in review.sections if s.prompt}
    keys |= {_words_only(heading(n, s)): (s, False) for n, s in enumerate(review.sections, 1)}
    words: dict[str, str] = {}
    record: dict[str, list[str]] = {}
    for name, lines in _cut(content, keys):
        section, theirs = keys[name]
        if theirs:
            words.setdefault(section.key, _without_prompt(lines, section.prompt))
        else:
            record.setdefault(section.key, [line for line in lines if line.strip()])
    return Parts(words, record)


def _cut(content: str, known: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each heading of ours with the lines below it, up to the next one of ours."""
    name, lines, fenced = "", list[str](), False
    for line in content.splitlines():
        found = None if fenced else _HEADING.match(line)
        fenced ^= line.lstrip().startswith("```")
        if found and _words_only(found[1]) in known:
            if name:
                yield name, lines
            name, lines = _words_only(found[1]), []
        else:
            lines.append(line)
    if name:
        yield name, lines


def _without_prompt(lines: list[str], prompt: str) -> str:
    """The words themselves: without the question that stands above them, and without empty lines around."""
    text = "\n".join(lines).strip("\n")
    first, _, rest = text.partition("\n")
    return rest.strip("\n") if _words_only(first) == _words_only(prompt) else text


def same(one: str, other: str | None) -> bool:
    """True if two texts say the same, however signs of Markdown are written in them."""
    return other is not None and (one == other or _words_only(one) == _words_only(other))


def _words_only(text: str) -> str:
    """The letters and digits of a text: Slack may write signs of Markdown differently from how they were sent."""
    return re.sub(r"[\W_]+", " ", _EMOJI.sub(" ", _ESCAPE.sub(r"\1", text))).strip().lower()


# What changed since ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Insert:
    """Markdown to put in front of a heading; at the end where there is none."""

    before: str
    markdown: str


@dataclass(frozen=True)
class Remove:
    """A line to take away, by its text; it stays if somebody changed it, or if it stands there twice."""

    text: str


@dataclass(frozen=True)
class Merge:
    """What to do about people's words: those `to_store`, `to_canvas`, and sections changed on both sides."""

    to_store: Mapping[str, str]
    to_canvas: Mapping[str, str]
    both: tuple[str, ...]


def merged(canvas: Canvas, words: Mapping[str, str], review: Review) -> Merge:
    """Compare people's words in a canvas with those that are stored; the base is what both were the last time."""
    to_store, to_canvas, both = dict[str, str](), dict[str, str](), list[str]()
    for section in review.sections:
        if section.key not in words:
            continue
        here, there = words[section.key], section.written.text
        if here.strip() == there.strip():
            continue
        base = canvas.base.get(section.key, NOTHING)
        written_here, written_there = fingerprint(here) != base.canvas, fingerprint(there) != base.stored
        if written_here and written_there:
            both.append(section.key)
        elif written_here:
            to_store[section.key] = here
        elif written_there:
            to_canvas[section.key] = there
    return Merge(to_store, to_canvas, tuple(both))


def edits(canvas: Canvas, now: Parts, review: Review, merge: Merge, names: Names) -> Iterator[Insert | Remove]:
    """Yield the edits that bring a canvas up to date, in the order in which they are safe: new ones first."""
    for n, section in enumerate(review.sections, 1):
        if section.key in now.record:
            yield from _record(canvas, now.record[section.key], section, lines_of(section, names), _after(review, n))
        if section.key in merge.to_canvas and section.key in now.words:
            if merge.to_canvas[section.key].strip():
                yield Insert(_next_section(review, n), merge.to_canvas[section.key])
            yield from (Remove(shown(line)) for line in now.words[section.key].splitlines() if line.strip())


def _record(
    canvas: Canvas, there: Sequence[str], section: Section, wanted: list[str], before: str
) -> Iterator[Insert | Remove]:
    known, standing_there = set(canvas.lines), {_words_only(line) for line in there}
    wanted_words = {_words_only(line) for line in wanted}
    new = [line for line in wanted if mark(section.key, line) not in known and _words_only(line) not in standing_there]
    if new:
        yield Insert(before, "\n".join(new))
    ours = [line for line in there if mark(section.key, line) in known]
    yield from (Remove(shown(line)) for line in ours if _words_only(line) not in wanted_words)


def _after(review: Review, n: int) -> str:
    """The heading below a section's record."""
    section = review.sections[n - 1]
    return f"{WORDS}{escaped(section.title)}" if section.prompt else _next_section(review, n)


def _next_section(review: Review, n: int) -> str:
    return heading(n + 1, review.sections[n]) if n < len(review.sections) else ""


def shown(line: str) -> str:
    """The text of a line as it is searched for: without signs of Markdown, its longest part between emoji."""
    return max(_EMOJI.split(_ESCAPE.sub(r"\1", _BULLET.sub("", line, count=1))), key=len).strip()


def mark(section: str, line: str) -> str:
    """Mark of a line of the record, by which it is known as one that we wrote."""
    return hashlib.blake2s(f"{section}/{_words_only(line)}".encode(), digest_size=5).hexdigest()


def marks(review: Review, names: Names) -> tuple[str, ...]:
    """Marks of all lines of the record."""
    return tuple(mark(section.key, line) for section in review.sections for line in lines_of(section, names))
