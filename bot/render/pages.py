"""The direct message of a page: what is wrong, why you, the buttons. All of it fits a phone's first screen.

Once a page is over, its message says in a line or two who has it; the rest stands on the card.
"""

from collections.abc import Callable
from datetime import datetime

from bot.render.blockkit import BUTTON, Block, Message, action_row, context, plain_text, sections
from bot.render.buttons import Button, button, offered_moves
from bot.render.card import delivery_problems, drill_banner
from bot.render.common import (
    MAX_TITLE,
    NO_NAMES,
    SHORT,
    STATUS,
    Names,
    mark,
    mentions,
    short_time,
    shown_title,
    summary,
    title,
)
from bot.render.mrkdwn import DAY, brief, cut, dialled, escape, link, moment, render
from bot.render.upcoming import next_page
from escalation.engine.paging import tier_name
from escalation.engine.upcoming import Upcoming
from escalation.incident.events.moves import Move
from escalation.incident.model import Incident
from escalation.incident.state.pages import MAX_ALSO, Page, PageState
from escalation.messages.entries.paging import page_reason
from escalation.text import agree

STOOD_IN = "Tocsin has not confirmed your page"
OPEN_ROOM = "open-room"  # the action id of the link
MAX_IN_THREAD = 10  # listed on a page; the others are in its thread
_MAX_IMPACT = 200
_MAX_CALLS = 1200
_NEXT_STEPS = 3


def page(
    incident: Incident,
    page_n: int,
    ahead: tuple[Upcoming, ...] = (),
    *,
    link: str = "",
    names: Names = NO_NAMES,
    also: tuple[Incident, ...] = (),
) -> Message:
    """Build the message of a page, as it stands now. `link` leads to the room, or to the card until there is one.

    `also` are the incidents paged in its thread.
    """
    the_page = incident.page(page_n)
    if incident.open and the_page.state is PageState.OPEN:
        return _open_page(incident, the_page, ahead, link, names, also)
    words, buttons = _OVER[the_page.state](incident, the_page) if incident.open else _closed(incident)
    lines = [*drill_banner(incident), words, _what(incident)]
    blocks = [*sections(lines, "page"), *action_row([*buttons, *_room_link(incident, link)], "page-actions")]
    blocks += sections(delivery_problems(incident), "page-problems")  # the card may be what is not delivered
    return Message(text=f"{summary(incident)}. {words.replace('*', '')}", blocks=blocks)


def stand_in(incident: Incident, tier: int, due: datetime, block_id: str, address: str = "") -> Message:
    """Build the message that Slack posts by itself if Tocsin does not. It has no buttons: nobody may hear them then."""
    name = tier_name(incident.policy, tier)
    lines = [
        f"{mark(incident)} *{incident.severity}* {title(incident, MAX_TITLE) if not incident.private else ''}".rstrip(),
        f"*You may have to act.* {STOOD_IN} of {moment(due, DAY)} ({escape(name)}), so Slack sends you this by itself.",
        "Assume that nobody has it: look at the incident, tell the others, and see whether Tocsin runs.",
        *([link(address, "Open the incident")] if address else []),
    ]
    head = f"{mark(incident)} {incident.severity}" + ("" if incident.private else f" {shown_title(incident)}")
    blocks = [*sections(lines, block_id), context(incident.id, "page-footer")]
    return Message(text=f"{head}. {STOOD_IN} ({incident.id}).", blocks=blocks)


def superseded(incident: Incident) -> Message:
    """Build the line that is left of a page which a newer one took the place of, where it cannot be deleted."""
    replaced = "Replaced by a newer page"
    text = f"{_headline(incident)}. {replaced}."
    return Message(text=text, blocks=[context(f"{replaced}: {_what(incident)}", "page")])


def _open_page(
    incident: Incident, the_page: Page, ahead: tuple[Upcoming, ...], link: str, names: Names, also: tuple[Incident, ...]
) -> Message:
    why = [render(line) for line in page_reason(incident, the_page.n)]
    impact = brief(incident.facts.impact, _MAX_IMPACT)
    lines = [*drill_banner(incident), _what(incident), *([f"*Impact:* {impact}"] if impact else []), *why]
    buttons = [
        button(Button(Move.ACKNOWLEDGE), incident),
        button(Button(Move.DECLINE, _decline_label(incident)), incident),
        *_room_link(incident, link),
    ]
    footer = " · ".join([incident.id, *next_page(incident, ahead, names)])
    blocks = [
        *sections(lines, "page"),
        *action_row(buttons, "page-actions"),
        *_calls(incident),
        context(footer, "page-footer"),
    ]
    blocks += sections([*_also_paged(the_page, also), *delivery_problems(incident)], "page-also")
    return Message(text=_notification(incident, the_page, also), blocks=blocks)


def _what(incident: Incident) -> str:
    return f"{mark(incident)} *{incident.severity}* {title(incident, MAX_TITLE)}"


def _decline_label(incident: Incident) -> str:
    return "Can't take it" if incident.acknowledgement else "Can't take it: page the next"


def _room_link(incident: Incident, link: str) -> list[Block]:
    if not link:
        return []
    label = "Open room" if incident.room and not incident.room.lost else "Open incident"
    text = plain_text(label, BUTTON)
    return [{"type": "button", "action_id": OPEN_ROOM, "text": text, "url": link, "value": incident.id}]


def _calls(incident: Incident) -> list[Block]:
    """One tap away from the page: the call of the war room, hotline and vendor, and the runbook of the service."""
    contacts = (("Hotline", incident.hotline), ("Vendor", incident.vendor))
    calls = [link(incident.call_url, "Join the call")] if incident.call_url else []
    calls += [f"*{name}:* {dialled(contact)}" for name, contact in contacts if contact]
    calls += [link(url, title) for title, url in incident.service_links]
    return [context(cut(f"📞 {'  |  '.join(calls)}", _MAX_CALLS), "page-calls")] if calls else []


def _notification(incident: Incident, the_page: Page, also: tuple[Incident, ...]) -> str:
    """Text of the notification: a lock screen shows its first hundred characters, and markup as it is written."""
    impact = f" Impact: {brief(incident.facts.impact, SHORT).rstrip('.')}." if incident.facts.impact else ""
    again = f" Page {the_page.sent}." if the_page.sent > 1 else ""
    more = f" You are paged for {_how_many(also)}." if also else ""
    why = f"You're being paged.{again} Why: {brief(the_page.why, SHORT)}."
    return f"{_headline(incident)}.{impact} {why} ({incident.id}){more}"


def _headline(incident: Incident) -> str:
    return f"{mark(incident)} {incident.severity} {shown_title(incident)}"


def _also_paged(the_page: Page, also: tuple[Incident, ...]) -> list[str]:
    """Lines about the other incidents of this page, the worst first."""
    if not also:
        return []
    worst = sorted(also, key=lambda other: (other.severity, other.id))
    listed = [f"• {summary(other)}" for other in worst[:MAX_IN_THREAD]]
    rest = ["… and the others in the thread"] if len(also) > MAX_IN_THREAD else []
    where = "the thread of your first page" if the_page.sent > 1 else "this thread"
    return [f"*You are paged for these too.* They were delayed as well; their pages are in {where}:", *listed, *rest]


def _how_many(also: tuple[Incident, ...]) -> str:
    return f"{len(also)} or more" if len(also) >= MAX_ALSO else f"{len(also)} more"


# Pages that are over ---------------------------------------------------------------------------------------------

_Over = tuple[str, list[Block]]  # what is said, and the buttons


def _closed(incident: Incident) -> _Over:
    return f"*{STATUS[incident.status]}* at {short_time(incident.closed_at or incident.declared_at, incident)}.", []


def _answered(incident: Incident, the_page: Page) -> _Over:
    if the_page.person in incident.assigned:
        others = tuple(p for p in incident.assigned if p != the_page.person)
        with_you = f" With you: {mentions(others)}." if others else ""
        return f"✅ *You have it.*{with_you}", _next_steps(incident)
    owner = mentions(incident.assigned)
    who = f"{owner} {agree(incident.assigned, 'has', 'have')} it." if owner else "Nobody has acknowledged yet."
    return f"👋 *You answered this page.* {who}", _acknowledge(incident)


def _next_steps(incident: Incident) -> list[Block]:
    """Buttons for what usually comes next: an update first, then the likeliest moves."""
    likely = [m for m in offered_moves(incident) if m not in _NO_STEP]
    first = [m for m in likely if m is Move.UPDATE]
    return [button(Button(move), incident) for move in list(dict.fromkeys([*first, *likely]))[:_NEXT_STEPS]]


def _acknowledge(incident: Incident, label: str = "") -> list[Block]:
    return [button(Button(Move.ACKNOWLEDGE, label), incident)]


def _covered(incident: Incident, the_page: Page) -> _Over:
    has = agree(the_page.to, "has", "have")
    return f"👀 *{_people(the_page)} {has} it.* No action needed.", _acknowledge(incident, "Join")


def _declined(incident: Incident, the_page: Page) -> _Over:
    if incident.acknowledgement:
        then = f"{mentions(incident.assigned)} {agree(incident.assigned, 'has', 'have')} it."
    elif the_page.to:
        then = f"Paged instead: {_people(the_page)}."
    else:
        then = "Nobody else was left to page."
    return f"🙅 *You can't take it.* {then}", _acknowledge(incident, "I can take it after all")


def _moved(incident: Incident, the_page: Page) -> _Over:
    role = f" as {brief(the_page.role, _MAX_IMPACT)}" if the_page.role else ""
    return f"🔁 *{_people(the_page)} {agree(the_page.to, 'is', 'are')} paged instead of you{role}.*", []


def _withdrawn(incident: Incident, the_page: Page) -> _Over:
    return f"🔕 *You're no longer paged:* it is a {incident.severity} now. No action needed.", []


def _refused(incident: Incident, the_page: Page) -> _Over:
    return "This page could not be delivered.", []


def _replaced(incident: Incident, the_page: Page) -> _Over:
    return "Replaced by a newer page.", []


def _people(the_page: Page) -> str:
    return mentions(the_page.to) or "Somebody else"


_NO_STEP: tuple[Move, ...] = (Move.ACKNOWLEDGE, Move.ESCALATE, Move.PAGE, Move.SEVERITY)
_OVER: dict[PageState, Callable[[Incident, Page], _Over]] = {
    PageState.ANSWERED: _answered,
    PageState.COVERED: _covered,
    PageState.DECLINED: _declined,
    PageState.MOVED: _moved,
    PageState.WITHDRAWN: _withdrawn,
    PageState.REFUSED: _refused,
    PageState.REPLACED: _replaced,
}
