"""What a person answers by mail: their own words, and whether these take the page. Pure.

Whoever answers by mail may write anything. Only words that can mean nothing else take a page, so that somebody who
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
_POLITE = r"(,? ?(thanks?|thank you|thx|sorry|cheers|now))?"
_TAKES = re.compile(
    r"(1|y|yes|yep|ok|okay|ack|acked|acknowledged?|acknowledging|roger|copy|got it|on it|taking (it|this)|will do"
    r"|i( am|'m) on (it|this)|i( have|'ve) got (it|this)|i( will|'ll) take (it|this)"
    r"|(i( am|'m) )?looking( (into|at) (it|this))?|mine)" + _POLITE
)
_DECLINES = re.compile(
    r"(2|n|no|nope|decline[ds]?|unable|(sorry,? )?(no,? )?(i )?(can't|cannot|can not|am unable to)"
    r"( (take|do) (it|this)| help| right now)?)" + _POLITE
)
_CODE = re.compile(r"#?(\d{4,8})(?:\W+(\w+))?")


class Reply(NamedTuple):
    """A reply: its own words, without what it quotes; the answer that they are; the digit code that they begin with."""

    words: str
    answer: Answer | None = None
    code: str = ""


def read_reply(text: str) -> Reply:
    """Read a reply. The first line that is not quoted is the answer, if it is one; a code before it is taken off."""
    words = own_words(text)
    first = next((line.strip() for line in words.splitlines() if line.strip()), "")
    said = first.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").lower().strip(" \t.!,*_")
    code = _CODE.fullmatch(said)
    if code:
        return Reply(words, _answer(code[2] or "1"), code[1])
    return Reply(words, _answer(said))


def _answer(said: str) -> Answer | None:
    if _TAKES.fullmatch(said):
        return Answer.ACKNOWLEDGE
    return Answer.DECLINE if _DECLINES.fullmatch(said) else None


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
