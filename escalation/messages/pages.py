"""Words of pages by SMS, call and push. Of a private incident they say its id and severity only."""

import re
import unicodedata
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from escalation.incident.model import Incident
from escalation.incident.state.pages import Page
from escalation.messages.entries.paging import page_reason
from escalation.messages.mail import title
from escalation.text import clean, text

# https://www.twilio.com/docs/glossary/what-is-gsm-7-character-encoding, without the signs that count as two.
GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
ONE_SEGMENT = 160  # letters of GSM-7
TWO_SEGMENTS = 134  # letters of UCS-2: 67 in each of several
DECLINES = "2"  # the second word of an SMS, and the key on the phone, of who cannot take it
ACKNOWLEDGES = "1"
KEY_SECONDS = 8  # to press a key after the question


@dataclass(frozen=True)
class PushWords:
    """Title and text of a notification."""

    title: str
    message: str


def sms(incident: Incident, code: str, answerable: bool) -> str:
    """Write the SMS of a page, of one segment where its letters allow it, and without a link: operators filter those.

    `answerable`: a reply comes back to us. Never "yes", "end", "cancel" or "quit": operators take those as their own.
    """
    how = f"Reply {code} to acknowledge, {code} {DECLINES} if you can't take it." if answerable else "Answer in Slack."
    head, tail = f"{incident.severity} ", f" ({incident.id}). {how}"
    words = _folded(title(incident))
    most = ONE_SEGMENT if GSM_7.issuperset(words) else TWO_SEGMENTS
    return head + _cut(words, most - len(head) - len(tail)) + tail


def _folded(words: str) -> str:
    """Replace letters beyond GSM-7 by their plain ones, where all of them have one; else leave the words alone."""
    plain = "".join(c if c in GSM_7 else _plain(c) for c in words)
    return " ".join(plain.split()) if GSM_7.issuperset(plain) else words


def _plain(letter: str) -> str:
    if ord(letter) in _SIGNS:
        return letter.translate(_SIGNS)
    base = "".join(c for c in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(c))
    return "" if unicodedata.category(letter) in ("So", "Cf", "Mn") else base


_SIGNS = str.maketrans("‘‚’`“”„«»–—•[]{}\\|~^", '\'\'\'\'"""""---()()//- ') | {ord("…"): "...", ord("€"): "EUR"}


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: max(most - 3, 0)].rstrip() + "..."


def call(incident: Incident, key_url: str) -> str:
    """Write the TwiML of a call: it asks twice for a key, or only speaks where `key_url` is empty."""
    return question(incident, key_url) if key_url else _response(_say(_spoken(incident)), _say(_ELSEWHERE), _HANG_UP)


def question(incident: Incident, key_url: str, first: str = "") -> str:
    """Write the TwiML that asks twice for a key; `first` is said before."""
    asked = f"{_spoken(incident)} Press {ACKNOWLEDGES} to acknowledge. Press {DECLINES} if you can't take it."
    head = f'<Gather numDigits="1" timeout="{KEY_SECONDS}" method="POST" action={quoteattr(key_url)}>'
    gather = f"{head}{_say(asked)}</Gather>"
    return _response(_say(first) if first else "", gather, gather, _say(_NO_KEY), _HANG_UP)


TEST = "This is a test of Tocsin: a page would reach you like this. Nothing has happened, and no answer is needed."


def test_call() -> str:
    """Write the TwiML of a call that tests the number."""
    return _response(_say(TEST), _say("Good bye."), _HANG_UP)


def spoken(words: str) -> str:
    """Write the TwiML that says something and hangs up."""
    return _response(_say(words), _HANG_UP)


def replied(words: str) -> str:
    """Write the TwiML that answers an SMS; empty words answer nothing."""
    return _response(f"<Message>{escape(clean(words))}</Message>" if words else "")


_ELSEWHERE = "Acknowledge it in Slack. Good bye."
_NO_KEY = "No key was pressed, so nobody has acknowledged it. Answer in Slack, or by the code in your text message."
_HANG_UP = "<Hangup/>"


def _response(*parts: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{"".join(parts)}</Response>'


def _say(words: str) -> str:
    return f"<Say>{escape(words)}</Say>"


def _spoken(incident: Incident) -> str:
    """Say what is paged for; severity and id are spelled, sign by sign."""
    words = re.sub(r"[<>&\"*_~`|#{}\[\]\\^]", " ", title(incident))[:200]
    words = " ".join("".join(c if c.isprintable() else " " for c in words).split())  # XML has no place for the others
    return f"This is Tocsin. Incident of severity {spelled(incident.severity)}: {words}. {spelled(incident.id)}."


def spelled(name: str) -> str:
    """Spell an id for speech: `P 0`; `I N C, 2 0 2 4, 1 2, 1 8, 0 0 1`."""
    return ", ".join(" ".join(part) for part in _parts(name))


def _parts(name: str) -> list[str]:
    """Split an id where one draws breath: a day into year, month and day."""
    parts: list[str] = []
    for part in name.split("-"):
        parts += [part[:4], part[4:6], part[6:]] if len(part) == 8 and part.isdigit() else [part]
    return parts


def push(incident: Incident, page: Page) -> PushWords:
    """Write the notification of a page."""
    heading = f"{incident.severity} {title(incident)}"
    if incident.private:
        return PushWords(heading, f"You're being paged for {incident.id}.")
    why = text(page_reason(incident, page.n)[:2])
    impact = f"\nImpact: {clean(incident.facts.impact)}" if incident.facts.impact else ""
    return PushWords(heading, f"{why}{impact}\n{incident.id}")
