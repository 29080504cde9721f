"""Security incidents: make an incident private, and page the security team."""

from escalation.config.rules.communications import Means
from escalation.config.rules.rooms import PhaseStart
from escalation.config.tickets import ITEM_TICKETS
from escalation.engine import cards, communications, paging, warroom
from escalation.engine.change import Change
from escalation.incident.effects import HideCanvas, RemindPerson, SetTopic, Tell, Withdraw, Withdrawable
from escalation.incident.events.moves import MarkSecurity
from escalation.incident.model import Incident
from escalation.incident.responders import effective_tier, holders, in_roles
from escalation.incident.state.communications import OwedState
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.posted import DIRECT
from escalation.values import PersonId

WHY = "it was marked as a security incident"


def make_private(change: Change, event: MarkSecurity) -> None:
    """Make the incident private: stop public messages, redact public cards, list in a private room what was visible."""
    before, by = change.incident, event.by
    change.set(facts=before.facts.model_copy(update={"security": True}))
    entry = change.note(EntryKind.SECURITY, by=by, why=event.why)
    communications.stop(change)
    _stop_public_writing(change)
    change.add_effect(HideCanvas)
    warroom.delete_meeting(change)
    warroom.open_for(change, sorted(before.people() | {by}))
    for effect in change.incident.effects:
        if isinstance(effect, Tell | RemindPerson):  # on their way: whoever gets them is to do something about it
            change.let_in(effect.person)
    change.say(entry)
    change.say(_note_exposure(change, before, event))
    if not before.open:
        _tell_team(change, entry)
        return
    if change.incident.phase < 0:
        warroom.begin_phase(change, PhaseStart.OPENED)
    page_team(change, by, WHY)


def _stop_public_writing(change: Change) -> None:
    waiting = [e for e in change.incident.effects if e.public]
    change.drop_effects(*(e.id for e in waiting))
    for effect in waiting:  # a process may have died between the send and its record
        if isinstance(effect, Withdrawable):
            change.replace_effect(effect.model_copy(update={"withdrawn": True, "after": ""}))
    if change.incident.public_page and not change.incident.drill:
        change.add_effect(Withdraw)
    cards.redact_public(change)
    room = change.incident.room
    if room:
        change.set(old_rooms=(*change.incident.old_rooms, room), room=None)
        if not room.lost:
            change.add_effect(SetTopic, channel=room.channel, neutral=True)
    change.set(lanes={})


def _note_exposure(change: Change, before: Incident, event: MarkSecurity) -> Entry:
    """Note where its words stood in public, from the record: what is redacted there now, and what cannot be undone."""
    cards_in = [copy.channel for copy in before.copies if not copy.person]
    public = [post for post in before.posts if cards.is_public(post, before)]
    rooms = [before.room.channel] if before.room and not before.room.lost else []
    archived = {r.channel for r in (*before.old_rooms, before.room) if r and not r.private and r.channel not in rooms}
    channels = [*cards_in, *(p.channel for p in public if p.place != DIRECT), *rooms, *event.named_in]
    reminded = (copy.person for copy in before.copies if copy.person and cards.is_card_public(copy, before))
    named = (person for person in event.named_to if person not in before.people())
    told = tuple(dict.fromkeys((*(post.person for post in public if post.place == DIRECT), *reminded, *named)))
    sent = [post.place for post in before.posts if not post.channel and not post.person]
    more = [ITEM_TICKETS] if event.item_tickets else []
    by_hand = [m for owed in before.communications if owed.by and owed.state is OwedState.DONE for m in owed.through]
    fields = {
        "room": "".join(rooms),
        "channels": " ".join(dict.fromkeys(c for c in channels if c not in archived)),
        "archived": " ".join(sorted(archived)),
        "elsewhere": " ".join(dict.fromkeys([*sent, *more, *(m for m in by_hand if m is not Means.SLACK)])),
    }
    return change.note(EntryKind.EXPOSED, people=told, fields=fields)


def _breach_roles(change: Change) -> tuple[str, ...]:
    return tuple(dict.fromkeys(r for tier in change.incident.policy.tiers for r in tier.on_breach))


def _tell_team(change: Change, entry: Entry) -> None:
    """Tell the security team of one that is over, which pages nobody; where there is nobody on it, the first tier."""
    team = in_roles(change.incident, change.roster, _breach_roles(change))
    team = team or holders(change.incident, change.roster, effective_tier(change.incident, change.roster, 1) or 1)
    change.notify(entry, *(person for person in team if person != entry.by))


def page_team(change: Change, by: PersonId, why: str) -> None:
    """Page the security team now; where there is nobody on it, the next tier."""
    policy, roles = change.incident.policy, _breach_roles(change)
    team = in_roles(change.incident, change.roster, roles)
    names = ", ".join(policy.role_name(r) for r in roles) or "The security team"
    if not team:
        fields = {"tier": "0", "name": names}
        change.say(change.note(EntryKind.SKIPPED, why=why, fields=fields))
        tier = paging.next_tier(change.incident) or len(policy.tiers) + 1
        paging.page_tier(change, tier, f"{why}, and nobody is on the security team", by)
    elif others := tuple(p for p in team if p != by):
        paging.page_people(change, others, why, by, roles)
