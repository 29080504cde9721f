"""Entry point to the domain: read the clock and the roster, and have the store commit what decide() returns."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from escalation.config.company import Company
from escalation.config.notify import Via
from escalation.config.policy import Policy, Severity, SeverityPolicy
from escalation.config.status_page import StatusPage
from escalation.engine.state_machine import Event, decide, declare
from escalation.engine.upcoming import Upcoming, upcoming
from escalation.errors import NotFound, Refused
from escalation.figures.recurrence import LONGEST, repeated
from escalation.incident.events.declaration import Declare, Other, Terms
from escalation.incident.events.moves import (
    Acknowledge,
    Edit,
    MarkSecurity,
    PlanReview,
    PostUpdate,
    PublishUpdate,
    Resolve,
    RootCause,
)
from escalation.incident.events.news import CheckpointDue, ReviewSeen, RolesChanged
from escalation.incident.model import Incident
from escalation.incident.state.alerts import AlertSummary
from escalation.incident.state.facts import Facts, Ongoing
from escalation.notify.mailboxes import Mailboxes
from escalation.oncall.overrides import answer_test_pages
from escalation.oncall.roster import Roster, roster
from escalation.oncall.schedule import OncallState
from escalation.reviews.action_items import ItemState
from escalation.status_page.maintenance import in_progress
from escalation.storage.action_items import ActionItems
from escalation.storage.keeping.posted import PostedMessages
from escalation.storage.public.maintenance import PlannedMaintenance
from escalation.storage.reviews import Reviews
from escalation.storage.store import Store
from escalation.values import PersonId

Clock = Callable[[], datetime]
NO_MAIL = Mailboxes()


class IncidentService:
    """Service for incidents: declarations, moves, due checkpoints and outcomes.

    Raises Refused with words for the requester, or NotFound. `set_up` are the channels beside Slack that there are.
    `public_url` is where people reach the web app; empty: they cannot. `own_meetings`: a meeting is made for each war
    room. `mailboxes` are our own mail addresses.
    """

    def __init__(
        self,
        store: Store,
        company: Company,
        policy: Policy,
        clock: Clock,
        speed: float = 1.0,
        set_up: Collection[Via] = (),
        public_url: str = "",
        *,
        own_meetings: bool = False,
        mailboxes: Mailboxes = NO_MAIL,
    ) -> None:
        self.store = store
        self.company = company
        self.policy = policy
        self.clock = clock
        self.set_up = set_up
        self.public_url = public_url
        self.own_meetings = own_meetings
        self.mailboxes = mailboxes
        self.speed = speed
        self._posted = PostedMessages(store.redis)

    def declare(
        self,
        by: PersonId,
        severity: Severity,
        facts: Facts,
        key: str = "",
        drill_speed: float | None = None,
        alerts: AlertSummary | None = None,
        detected: datetime | None = None,
    ) -> Incident:
        """Declare an incident; the same key gives the same incident. With `drill_speed` it is a drill.

        `alerts` are those that a machine declares it for, `detected` is when they began to fire.
        """
        now = self.clock()
        terms = self.terms(severity, facts, now, drill_speed)
        shown = alerts or AlertSummary()
        event = Declare(by=by, key=key, facts=facts, terms=terms, alerts=shown, detected=detected)
        on_call = self.roster(now)
        return self.store.declare(f"{now:%Y%m%d}", key, lambda new_id: declare(new_id, event, now, on_call))

    def terms(self, severity: Severity, facts: Facts, now: datetime, drill_speed: float | None = None) -> Terms:
        """Return the terms that a declaration of that severity would freeze into its incident."""
        terms = terms_for(self.company, self.severity(severity), facts, now, self.set_up)
        shares = terms.policy.room_when_several and drill_speed is None and not facts.security
        shared = self.store.shared() if shares else ()
        others = tuple(Other(id=i.id, coordinated_in=i.coordinated_in, room=i.room) for i in shared)
        speed = self.speed if drill_speed is None else drill_speed
        moment = {"speed": speed, "drill": drill_speed is not None, "others": others}
        invitations = self.company.invitations if Via.MAIL in self.set_up else ()
        moment |= {"own_meetings": self.own_meetings, "maintenance": self._maintenance(facts.service, now)}
        return terms.model_copy(update=moment | {"invitations": invitations})

    def _maintenance(self, service: str, now: datetime) -> tuple[Ongoing, ...]:
        """Return the planned maintenance of a service that is in progress."""
        page = self.company.status_page
        if page is None or service not in page.components:
            return ()
        windows = in_progress(PlannedMaintenance(self.store.redis).all(page.maintenance), now)
        return tuple(Ongoing(title=w.title, ends=w.ends) for w in windows if service in w.components)

    def handle(self, incident_id: str, event: Event) -> Incident:
        """Apply an event: a move, a due checkpoint, an outcome. Returns the incident as it stands afterwards."""
        now = self.clock()
        if isinstance(event, Edit) and event.service is not None:
            service = self.company.services.get(event.service)
            event = event.model_copy(
                update={
                    "team": (service.team or "") if service else "",
                    "vendor": self.company.vendor_of(event.service),
                    "runbook": (service.runbook or "") if service else "",
                    "links": service.links if service else {},
                    "maintenance": self._maintenance(event.service, now),
                }
            )
        if isinstance(event, RootCause | Resolve | PlanReview | Edit):
            event = event.model_copy(update={"repeats": self._repeated(incident_id, event)})
        if isinstance(event, MarkSecurity):
            items = ActionItems(self.store.redis).of(incident_id)
            tickets, named = any(i.ticket and not i.ticket.gone for i in items), list(self._posted.naming(incident_id))
            places = {
                "named_in": tuple(p.channel for p in named if not p.person),
                "named_to": tuple(p.person for p in named if p.person),
            }
            event = event.model_copy(update={"item_tickets": tickets, **places})
        if isinstance(event, PublishUpdate):
            known_components(self.company.status_page, event.components)
        if isinstance(event, PostUpdate):
            event = event.model_copy(update={"zone": self.company.timezone})
        if isinstance(event, CheckpointDue):
            event = event.model_copy(update={"away": self.store.last_outage()})
        on_call = self.roster(now)
        after = self.store.update(incident_id, lambda before: decide(before, event, now, on_call))
        if isinstance(event, MarkSecurity) and after.private:
            ActionItems(self.store.redis).make_private(incident_id)
            self._posted.hide(after)
            self.store.request_upkeep()
        if isinstance(event, Acknowledge):
            self._answer_test_pages(event.by, now)
        return after

    def find(self, incident_id: str) -> Incident | None:
        """Return an incident; None if there is none, or no id."""
        try:
            return self.store.get(incident_id) if incident_id else None
        except NotFound:
            return None

    def see_review(self, incident_id: str) -> None:
        """Take over what there is of a review, after words or action items of it were changed."""
        found = Reviews(self.store.redis).written(incident_id)
        written = tuple(sorted(key for key, words in found.items() if words.text.strip()))
        items = ActionItems(self.store.redis).of(incident_id)
        kept = sum(item.commitment and item.state is not ItemState.DROPPED for item in items)
        work = self.store.get(incident_id).review_work
        if work and (set(work.written), work.commitments) != (set(written), kept):
            self.handle(incident_id, ReviewSeen(written=written, commitments=kept))

    def see_reviews(self) -> None:
        """Take over what there is of every required review that was not held: it may be written anywhere."""
        for incident in self.store.to_review():
            self.see_review(incident.id)

    def _repeated(self, incident_id: str, event: RootCause | Resolve | PlanReview | Edit) -> str:
        """Return the earlier incident that this one repeats, if the event is about service or cause; else nothing."""
        wanted = event.service is not None if isinstance(event, Edit) else bool(event.category)
        if not wanted:
            return ""
        incident = self.store.get(incident_id)
        rule = incident.policy.review
        if rule is None or rule.recurrence is None:
            return ""
        service = (event.service or "") if isinstance(event, Edit) else incident.facts.service
        category = incident.cause_category if isinstance(event, Edit) else event.category
        since = incident.declared_at - rule.recurrence
        return repeated(incident, service, category, since, self.store.observations(since - LONGEST))

    def _answer_test_pages(self, member: PersonId, now: datetime) -> None:
        """Count an acknowledgement as the answer to the member's test pages: it shows that they can be reached."""
        key = self.company.key_of(member, self.store.directory())
        if key:
            self.store.update_oncall_state(lambda before: answer_test_pages(before, key, now))

    def fire_checkpoints(self, incident_ids: Sequence[str]) -> dict[str, Incident]:
        """Fire the due checkpoints of many incidents in one commit.

        Returns the incidents as they were before. Those missing were left alone: they are for `handle`, one at a time.
        """
        now = self.clock()
        on_call, due = self.roster(now), CheckpointDue(checkpoint="", away=self.store.last_outage())
        changes = self.store.update_all(incident_ids, lambda before: decide(before, due, now, on_call))
        return {name: before for name, (before, _) in changes.items()}

    def severity(self, severity: Severity) -> SeverityPolicy:
        """Return the policy's rules for a severity; Refused if it has none."""
        return severity_of(self.policy, severity)

    def roster(self, at: datetime) -> Roster:
        """Return the holders of each role at an instant."""
        known = self.store.roster_inputs()
        return roster(self.company, known.directory, at, known.state, self.set_up, known.silences)

    def upcoming(self, incident: Incident) -> tuple[Upcoming, ...]:
        """Return what fires next, with the people who will be on call then; the on-call state is read once."""
        known = self.store.roster_inputs()
        return upcoming(incident, lambda at: roster(self.company, known.directory, at, known.state))

    def update_oncall(self, step: Callable[[OncallState, datetime], OncallState], by: PersonId = "") -> OncallState:
        """Apply a step of escalation.oncall.overrides to the on-call state, as of now, by somebody or by Tocsin itself.

        Open pages move to whoever is on call then. Refused passes through.
        """
        now = self.clock()
        self.store.cover.record(self.company, now)  # a change begins now: what was before it stays as it was
        after = self.store.update_oncall_state(lambda before: step(before, now))
        self.follow_roles(by)
        return after

    def follow_roles(self, by: PersonId = "") -> None:
        """Move the open pages of roles that changed hands since they were sent."""
        for incident in self.store.open_incidents():
            if any(page.roles for page in incident.pages):
                self.handle(incident.id, RolesChanged(by=by))


def known_components(page: StatusPage | None, names: Collection[str]) -> None:
    """Refuse components that the status page does not have, by name."""
    if page and (unknown := [name for name in names if name not in page.components]):
        known = ", ".join(page.components) or "none"
        raise Refused(f"'{unknown[0]}' is no component of the status page. Its components: {known}.")


def severity_of(policy: Policy, severity: Severity) -> SeverityPolicy:
    """Return a policy's rules for a severity; Refused if it has none."""
    if severity not in policy.severities:
        raise Refused(f"The policy {policy.name} has no {severity}.")
    return policy.severities[severity]


CALENDAR_DAYS = 400  # of public holidays that an incident keeps


def terms_for(
    company: Company, policy: SeverityPolicy, facts: Facts, now: datetime, set_up: Collection[Via] = ()
) -> Terms:
    """Return the terms of a single incident at the policy's own speed."""
    service = company.services.get(facts.service)
    return Terms(
        policy=policy,
        meeting_url=company.meeting_url or "",
        calendar=company.calendar.within(now, CALENDAR_DAYS),
        team=(service.team or "") if service else "",
        vendor=company.vendor_of(facts.service),
        runbook=(service.runbook or "") if service else "",
        links=service.links if service else {},
        hotline=str(company.contacts.hotline or ""),
        public_means=company.public_channels,
        ways=company.other_ways.with_services(set_up),
        public_page=company.status_page is not None,
        mail_lists=tuple(name for name, kept in company.lists.items() if kept.mail),
        list_channels={name: kept.channel for name, kept in company.lists.items() if kept.channel},
        webhooks=tuple(company.public_webhooks),
        actions=company.actions,
        tickets=company.tickets_of(facts.service),
    )
