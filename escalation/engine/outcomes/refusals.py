"""Effects that cannot reach their person, and whose fault that is."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum, auto

from escalation.engine import cards, paging
from escalation.engine.change import Change
from escalation.engine.channels import reaching
from escalation.engine.outcomes.failures import trouble
from escalation.incident.closing.reviews import asked
from escalation.incident.effects import Effect, Invite, PageBy, PagePerson, Reminded, RemindPerson, SendPage, Tell
from escalation.incident.events.outcomes import PersonRefused, Trouble
from escalation.incident.model import Incident
from escalation.incident.responders import commander, speaker
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.pages import Page, PageState
from escalation.values import PersonId

JUDGED_AFTER = timedelta(seconds=5)  # a refused page waits no longer to see whether the others of it arrive


class Fault(Enum):
    """Whose fault a refused page is."""

    PERSON = auto()
    OURS = auto()
    UNKNOWN = auto()


def person_refused(change: Change, event: PersonRefused) -> None:
    """Record that an effect cannot reach its person. A refused page escalates, unless Slack refuses everybody alike."""
    effect = change.incident.effect(event.effect)
    if effect is None:
        return
    page = change.incident.page(effect.page) if isinstance(effect, PagePerson) else None
    if isinstance(effect, SendPage) and page and page.state is PageState.OPEN:
        change.replace_page(page.model_copy(update={"refusal": event.why}))
        judge_refusals(change)
        return
    change.drop_effects(effect.id)
    if isinstance(effect, Tell | RemindPerson):
        _redirect(change, effect, event.why)
    if isinstance(effect, PageBy) and page:  # the page itself stands in Slack
        reaching.refused(change, effect, event.why)


def _redirect(change: Change, effect: Tell | RemindPerson, why: str) -> None:
    """Send a message that cannot reach its person to whoever holds the role now, and say so once in the thread.

    A role of the response that they had taken or were offered is free again.
    """
    incident, person = change.incident, effect.person
    known = person in incident.gone
    change.set(
        gone=tuple(dict.fromkeys((*incident.gone, person))),
        leads={lead: holder for lead, holder in incident.leads.items() if holder != person},
        offers={lead: holder for lead, holder in incident.offers.items() if holder != person},
    )
    entry = incident.entry(effect.entry)
    if entry.kind is EntryKind.LEADING:  # an offer, or the answer to one
        refused = change.note(EntryKind.REFUSED, people=(person,), why=why, fields={"via": effect.kind, "offer": "yes"})
        change.say(refused)
        change.notify(refused, *(p for p in (entry.by,) if p and p not in change.incident.gone))
        return
    about = effect.about if isinstance(effect, RemindPerson) else None
    lead = {Reminded.COMMUNICATIONS: speaker, Reminded.REVIEW: asked}.get(about, commander) if about else commander
    successors = lead(change.incident, change.roster)
    if not known:
        fields = {"via": effect.kind, "to": " ".join(successors)}
        change.say(change.note(EntryKind.REFUSED, people=(person,), why=why, fields=fields))
    if isinstance(effect, RemindPerson):
        standing = change.incident.reminders.get(effect.about)
        untold = tuple(p for p in successors if standing and p not in standing.told)
        if untold:
            cards.remind_people(change, effect.about, entry, *untold)
    elif entry.fields.get("from") != person:  # who has handed over needs no successor
        reached = {e.person for e in change.incident.effects if isinstance(e, Tell) and e.entry == entry.n}
        told = {p.person for p in incident.posts if entry.n in p.entries}
        change.notify(entry, *(p for p in successors if p not in reached | told | set(entry.people)))


def forget_collective_refusals(change: Change) -> None:
    """Slack takes pages again: those that it refused like all others are tried again before they are judged."""
    for effect in change.incident.effects:
        if isinstance(effect, SendPage) and effect.id in change.incident.troubles:
            page = change.incident.page(effect.page)
            change.replace_page(page.model_copy(update={"refusal": ""}))
            left = {other: why for other, why in change.incident.troubles.items() if other != effect.id}
            change.set(troubles=left)
            change.advance_face()


def judge_refusals(change: Change) -> None:
    """Decide about refused pages: the person's escalate, ours are retried and said, the others wait for each other."""
    for effect in change.incident.effects:
        page = change.incident.page(effect.page) if isinstance(effect, SendPage) else None
        if page is None or not page.refusal or page.state is not PageState.OPEN:
            continue
        match _at_fault(change.incident, page, change.now):
            case Fault.PERSON:
                change.drop_effects(effect.id)
                paging.escalate_past(change, page, page.refusal)
            case Fault.OURS:
                why = f"Slack refuses everybody alike ({page.refusal}): see tocsin doctor, or call them"
                trouble(change, Trouble(effect=effect.id, why=why))
            case Fault.UNKNOWN:
                pass


def _at_fault(incident: Incident, page: Page, now: datetime) -> Fault:
    """Whose fault a refused page is: one reason for everybody on it is no coincidence.

    A page to one person alone is compared with the others of the incident: tiers of one must not be climbed in a
    second either, up to the CTO.
    """
    together = [p for p in incident.pages if (p.tier, p.at) == (page.tier, page.at)]
    compared = together if len(together) > 1 else [p for p in incident.pages if p.at >= incident.clock_from]
    if any(incident.in_slack(p) for p in compared if p.n != page.n):
        return Fault.PERSON
    pending = {e.page for e in incident.effects if isinstance(e, SendPage)}
    if now - page.at < JUDGED_AFTER and any(p.n in pending and not p.refusal for p in together):
        return Fault.UNKNOWN
    all_alike = all(p.refusal == page.refusal for p in together)
    people = {p.person for p in compared if p.refusal == page.refusal}
    return Fault.OURS if all_alike and len(people) > 1 else Fault.PERSON


def note_refusals(change: Change, effect: Effect, refused: Mapping[PersonId, str]) -> None:
    """Note whom a mail or an invitation could not reach, by reason. The thread hears of mails only."""
    for why in dict.fromkeys(refused.values()):
        people = tuple(person for person, reason in refused.items() if reason == why)
        entry = change.note(EntryKind.REFUSED, people=people, why=why, fields={"via": effect.kind})
        if not isinstance(effect, Invite):
            change.say(entry)
