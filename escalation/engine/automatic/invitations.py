"""Invitations by mail to the call of the war room, and to the review: kept in step with what they are about.

Each follows from the incident as it stands after an event: who has to have one, where it leads, whether it holds.
"""

from collections.abc import Iterable
from datetime import datetime

from escalation.config.notify import MeetingKind
from escalation.engine.change import Change
from escalation.incident.closing.reviews import participants
from escalation.incident.effects import SendInvitation
from escalation.incident.model import Incident
from escalation.incident.responders import in_roles
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Status
from escalation.incident.state.rooms import Invitation
from escalation.values import PersonId


def settle(change: Change) -> None:
    """Send what has to be sent so that everybody's calendar says how things stand."""
    _settle_call(change)
    _settle_review(change)


def _settle_call(change: Change) -> None:
    incident, known = change.incident, _latest(change.incident, MeetingKind.CALL)
    if incident.status is Status.CANCELLED:
        _cancel(change, known)
    url = incident.call_url
    if MeetingKind.CALL not in incident.invitations or not (incident.open and url and change.has_room()):
        return
    people = incident.people() | set(incident.leads.values())
    if known is None or known.cancelled or known.round != incident.round:
        guests = in_roles(incident, change.roster, incident.policy.room_invites)
        _invite(change, MeetingKind.CALL, (*people, *guests), change.now, url)
        return
    changed = (known.url, known.private) != (url, incident.private)
    _renew(change, known, people, change.now, url, changed=changed)


def _settle_review(change: Change) -> None:
    incident, known = change.incident, _latest(change.incident, MeetingKind.REVIEW)
    work = incident.review_work
    if incident.review_by is None or (work and work.no_meeting):
        _cancel(change, known)
        return
    starts = work.meeting if work else known.starts if known else None
    if MeetingKind.REVIEW not in incident.invitations or incident.reviewed or starts is None:
        return
    url = "" if incident.private else incident.meeting_url
    if known is None or known.cancelled:
        _invite(change, MeetingKind.REVIEW, participants(incident, change.roster), starts, url)
    else:
        changed = (known.private, known.starts) != (incident.private, starts)
        owner = (work.owner,) if work and work.owner else ()
        _renew(change, known, (*incident.people(), *owner), starts, url, changed=changed)


def _invite(change: Change, about: MeetingKind, people: Iterable[PersonId], starts: datetime, url: str) -> None:
    to, incident = tuple(sorted(set(people) - set(change.incident.gone))), change.incident
    invitation = Invitation(
        n=len(incident.invited) + 1,
        about=about,
        people=to,
        starts=starts,
        url=url,
        round=incident.round,
        private=incident.private,
    )
    change.set(invited=(*incident.invited, invitation))
    _send(change, invitation, to, "invited")


def _renew(
    change: Change, known: Invitation, people: Iterable[PersonId], starts: datetime, url: str, *, changed: bool
) -> None:
    """Tell everybody of a change; else only those who joined since, as if it began for them now."""
    new = tuple(sorted(set(people) - set(known.people) - set(change.incident.gone)))
    if not changed and not new:
        return
    now = known.model_copy(
        update={
            "people": (*known.people, *new),
            "url": url,
            "private": change.incident.private,
            "sequence": known.sequence + changed,
            "starts": starts,
        }
    )
    _replace(change, now)
    _send(change, now, now.people if changed else new, "changed" if changed else "invited")


def _cancel(change: Change, known: Invitation | None) -> None:
    if known is not None and not known.cancelled:
        off = known.model_copy(update={"cancelled": True, "sequence": known.sequence + 1})
        _replace(change, off)
        _send(change, off, off.people, "cancelled")


def _send(change: Change, invitation: Invitation, people: tuple[PersonId, ...], what: str) -> None:
    if not people:
        return
    fields = {"about": invitation.about, "what": what, "starts": invitation.starts.isoformat()}
    change.note(EntryKind.INVITED, people=people, fields=fields)
    change.add_effect(
        SendInvitation,
        f"invitation-{invitation.n}",
        n=invitation.n,
        sequence=invitation.sequence,
        starts=invitation.starts,
        cancelled=invitation.cancelled,
        people=people,
    )


def _replace(change: Change, invitation: Invitation) -> None:
    change.set(invited=tuple(invitation if i.n == invitation.n else i for i in change.incident.invited))


def _latest(incident: Incident, about: MeetingKind) -> Invitation | None:
    return next((i for i in reversed(incident.invited) if i.about is about), None)
