"""What a post-incident review that the policy requires still lacks, and whose it is. Pure."""

from enum import StrEnum

from escalation.incident.model import Incident
from escalation.incident.responders import People, commander, in_roles
from escalation.incident.state.review_work import ReviewWork
from escalation.oncall.roster import Roster
from escalation.values import PersonId

NO_WORK = ReviewWork()


class ReviewTask(StrEnum):
    """What has to exist before a review can be marked as done, in the order in which it comes to be."""

    OWNER = "owner"
    MEETING = "meeting"
    TEXT = "text"
    FOLLOW_UPS = "follow_ups"


def outstanding(incident: Incident) -> bool:
    """True while a review that the policy requires was not held."""
    return incident.review_work is not None and incident.review_by is not None and incident.reviewed is None


def owner_of(incident: Incident) -> PersonId:
    """Return whose review it is; empty for nobody's, and once a message could not reach them any more."""
    owner = (incident.review_work or NO_WORK).owner
    return "" if owner in incident.gone else owner


def missing(incident: Incident) -> tuple[ReviewTask, ...]:
    """Return what a required review still lacks; nothing for one that is held, or not required."""
    work, rule = incident.review_work, incident.policy.review
    if work is None or rule is None or not outstanding(incident):
        return ()
    lacks = {
        ReviewTask.OWNER: not owner_of(incident),
        ReviewTask.MEETING: rule.meeting != "none" and not (work.meeting or work.no_meeting),
        ReviewTask.TEXT: bool(unwritten(incident)),
        ReviewTask.FOLLOW_UPS: not (work.commitments or work.no_follow_ups),
    }
    return tuple(task for task, is_missing in lacks.items() if is_missing)


def unwritten(incident: Incident) -> tuple[str, ...]:
    """Return the sections of which there is only the question."""
    rule, written = incident.policy.review, (incident.review_work or NO_WORK).written
    return tuple(key for key in (rule.asking() if rule else ()) if key not in written)


def asked(incident: Incident, roster: Roster) -> People:
    """Return who is asked about a review: its owner, else the commander, else the first role to escalate it to."""
    owner = owner_of(incident)
    if owner:
        return (owner,)
    rule = incident.policy.review
    leads = (in_roles(incident, roster, (role,)) for role in (rule.escalate_to if rule else ()))
    found = commander(incident, roster) or next((people for people in leads if people), ())
    return tuple(person for person in found if person not in incident.gone)


def participants(incident: Incident, roster: Roster) -> People:
    """Return who takes part in a review: whoever was involved, its owner, and the roles that the policy invites."""
    rule = incident.policy.review
    invited = in_roles(incident, roster, rule.invite if rule else ())
    people = (owner_of(incident), *sorted(incident.people()), *incident.leads.values(), *invited)
    return tuple(dict.fromkeys(person for person in people if person and person not in incident.gone))
