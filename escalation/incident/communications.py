"""Communications of an incident as they stand: which wait for a person, which are overdue."""

from escalation.config.rules.communications import Audience, Communication, ListName, Means
from escalation.config.status_page import STATUS_PAGE
from escalation.incident.model import Incident
from escalation.incident.state.communications import OwedCommunication, OwedState, Stage
from escalation.incident.state.entries import Entry, EntryKind

PENDING = (OwedState.WAITING, OwedState.OWED)
_STAGES = {Stage.UPDATE: ("update",), Stage.RESTORED: ("resolved",), Stage.FOLLOW_UP: ("follow-up",)}


def name_of(owed: OwedCommunication) -> str:
    """Name a communication, the same wherever it is spoken of: `stakeholder email`, `customer update (status page)`."""
    means = tuple(m for m in owed.through if m is not Means.SLACK)
    details: tuple[str, ...] = ("correction",) if owed.corrects else _STAGES.get(owed.stage, ())
    match owed.plan.audience:
        case Audience.STAKEHOLDERS:
            name = "stakeholder email" if means else "stakeholder message"
        case Audience.SOCIAL:
            name = "social media post"
        case Audience.CUSTOMERS:
            name = "customer update"
            details = (*("email" if m is Means.CUSTOMER_MAIL else m.replace("_", " ") for m in means), *details)
    return f"{name} ({', '.join(details)})" if details else name


def pending(incident: Incident) -> tuple[OwedCommunication, ...]:
    """Return the communications that wait for a person: for their approval, or to be published."""
    return tuple(o for o in incident.communications if o.state in PENDING)


def is_overdue(owed: OwedCommunication, incident: Incident) -> bool:
    """True once its deadline has passed and somebody was reminded of it."""
    reminded = any(e.kind is EntryKind.OVERDUE and e.fields["n"] == str(owed.n) for e in incident.timeline)
    return reminded and owed.state in PENDING


def tasks(incident: Incident) -> tuple[OwedCommunication, ...]:
    """Return the latest communication of each plan, and each correction; one whose place a newer took is left out."""
    latest = {(o.plan.id, o.corrects): o for o in incident.communications if o.state is not OwedState.REPLACED}
    return tuple(latest.values())


def updates_on_page(incident: Incident) -> tuple[Entry, ...]:
    """Return the entries that stand on our status page as updates, oldest first; corrections are none."""
    published = {n for post in incident.posts if post.place == STATUS_PAGE for n in post.entries}
    return tuple(e for e in map(incident.entry, sorted(published)) if not e.fields.get("corrects"))


def available_means(incident: Incident, plan: Communication) -> tuple[Means, ...]:
    """Return a plan's means that this company has; none for a drill: nobody outside the response hears of it."""
    if incident.drill:
        return ()
    if plan.audience.outside:
        known, published = incident.public_means, incident.webhooks
        return tuple(m for m in plan.through if known is None or m in known or m in published)
    if ListName.STAKEHOLDERS in plan.lists:  # their channel, and whoever holds that role
        return plan.through
    kept = {Means.MAIL: incident.mail_lists, Means.SLACK: tuple(incident.list_channels)}
    return tuple(m for m in plan.through if set(kept.get(m, ())) & set(plan.lists))


def automatic(incident: Incident, plan: Communication) -> tuple[Means, ...]:
    """Return the means of a plan that need nobody: Slack, mail, the status page and webhooks where they are set up."""
    by_mail = any(name in incident.mail_lists for name in plan.lists)
    to_role = ListName.STAKEHOLDERS in plan.lists and incident.ways.stakeholders
    customers = any(name in incident.mail_lists or name in incident.list_channels for name in plan.lists)
    ready = {
        Means.SLACK: True,
        Means.MAIL: by_mail or to_role,
        Means.CUSTOMER_MAIL: customers,
        Means.STATUS_PAGE: incident.public_page,
        **dict.fromkeys(incident.webhooks, True),
    }
    return tuple(m for m in plan.through if ready.get(m))
