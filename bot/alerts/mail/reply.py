"""What a person answers by mail or SMS: their own words, and whether these take the page. Pure.

Whoever answers so may write anything. Only words that can mean nothing else take a page, so that somebody who
writes "ok, but not before nine" is not taken for one who is on it; the rest is for people to read.
"""

import re
from typing import NamedTuple

from escalation.answers import Answer

_ATTRIBUTION = re.compile(  # "On Mon, 1 Dec 2025 at 03:00, Tocsin <tocsin@example.com> wrote:", perhaps over two lines
    r"^(On|Am|Le|El|Il|Op|Em|På)\b[^\n]{4,200}(?:\n[^\n]{0,200})?"
    r"\b(wrote|schrieb[^\n:]{0,80}|a écrit|escribió|ha scritto|schreef|escreveu|skrev)\s?:[ \t]*$",
    re.MULTILINE,
)
_BELOW = re.compile(  # everything from here on is another mail, or a signature
    r"^(-{2,} ?(Original|Forwarded|Ursprüngliche|Weitergeleitete|Message|Mensaje)[^\n]*|_{10,}[ \t]*|--[ ]?"
    r"|(From|Von|De|Da|Van): [^\n]+\n(?:[^\n]+\n)?(Sent|Date|Gesendet|Datum|Envoyé|Enviado|Inviato|To|An): [^\n]+"
    r"|(Sent from|Gesendet von|Get Outlook for|Envoyé de) [^\n]+)$",
    re.MULTILINE,
)
_CLAUSES = re.compile(r"\s*[,.!;:–—]+\s*|\s+-+\s+|\s+and\s+")
_POLITE = re.compile(r"|thanks?|thank you|thx|sorry|cheers|now|please|(hi|hello|hey)( [^\W\d]+)?")
_TAKES = re.compile(
    r"1|y|yes|yep|ok|okay|roger|copy|mine|will do|to acknowledge|ack|acked|acknowledged?|acknowledging"
    r"|(ack|acknowledge) (it|this)"
    r"|(i( have|'ve) )?got (it|this)|(i( am|'m) )?on (it|this|my way)|(i( am|'m) )?working on (it|this)"
    r"|(i( am|'m) )?taking (it|this)|(i( will|'ll) )?take (it|this)"
    r"|(i( am|'m) )?(looking|checking|investigating)( (into|at) (it|this))?( now)?"
    r"|i( will|'ll) look( (into|at) (it|this))?"
)
_DECLINES = re.compile(
    r"2|n|no|nope|decline[ds]?|unable|not me"
    r"|(i )?(can't|cannot|can not|am unable to)( (take|do) (it|this)| help)?( now| right now)?"
)
_CODE = re.compile(r"(?:(?P<before>.*?)[^\w?])??#?(?P<code>\d{4,8})(?:[^\w?]+(?P<after>.*))?")
_LABEL = re.compile(r"((reply|send|answer|the|my|code|with)\b\W*)+(is\b\W*)?")  # before a code: from our own words
_QUOTES = "\"'`\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"


class Reply(NamedTuple):
    """A reply: its own words, without what it quotes; the answer that its first line is, and a digit code in it.

    `more` is what follows that line.
    """

    words: str
    answer: Answer | None = None
    code: str = ""
    more: str = ""


def read_reply(text: str) -> Reply:
    """Read a reply. The first line that is neither quoted nor a greeting is the answer, if it is one."""
    words = own_words(text)
    lines = words.splitlines()
    first = next((n for n, line in enumerate(lines) if _clauses(line)), len(lines))
    said, more = _said(lines[first]) if lines[first:] else "", "\n".join(lines[first + 1 :]).strip()
    if found := _CODE.fullmatch(said):
        beside = (_LABEL.sub("", found["before"] or "", count=1), found["after"] or "")
        meant = ", ".join(part for part in beside if part)
        answer = _answer(meant if _clauses(meant) else "1")
        if answer or (not found["before"] and len(beside[1].split()) == 1):
            return Reply(words, answer, found["code"], more)
    return Reply(words, _answer(said), more=more)


def _said(line: str) -> str:
    return line.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").lower().strip(f" \t.!,*_{_QUOTES}")


def _clauses(line: str) -> list[str]:
    """What a line says, without greetings and thanks."""
    return [clause for clause in _CLAUSES.split(_said(line)) if not _POLITE.fullmatch(clause)]


def _answer(said: str) -> Answer | None:
    """Read an answer, of one clause or several that mean the same; None for any other word in it."""
    clauses = _clauses(said)
    if clauses and all(map(_TAKES.fullmatch, clauses)):
        return Answer.ACKNOWLEDGE
    return Answer.DECLINE if clauses and all(map(_DECLINES.fullmatch, clauses)) else None


def own_words(text: str) -> str:
    """Return what the writer of a reply wrote: above the mail that it quotes, or below its quoted lines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _BELOW.split(text, maxsplit=1)[0]
    quoted = _ATTRIBUTION.search(text)
    if quoted:
        rest = [line for line in text[quoted.end() :].splitlines() if line.strip()]
        below = text[quoted.end() :] if rest and rest[0].lstrip().startswith(">") else ""
        text = f"{text[: quoted.start()]}\n{below}"
    lines = (line.rstrip() for line in text.splitlines() if not line.lstrip().startswith(">"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
