"""The one door to the domain: it reads the clock and the roster, and has the store apply what decide() says."""

from collections.abc import Callable, Sequence
from datetime import datetime

from escalation.config.company import Company
from escalation.config.policy import Policy, Severity, SeverityPolicy
from escalation.engine.state_machine import decide, declare
from escalation.engine.upcoming import Upcoming, upcoming
from escalation.errors import Refused
from escalation.incident.events import Acknowledge, CheckpointDue, Declare, Edit, MoveEvent, Other, OutcomeEvent, Terms
from escalation.incident.model import Facts, Incident
from escalation.oncall.overrides import answer_test_pages
from escalation.oncall.roster import Roster, roster
from escalation.oncall.schedule import OncallState
from escalation.storage.store import Store
from escalation.values import PersonId

Clock = Callable[[], datetime]


class IncidentService:
    """Takes declarations, moves, alarms and outcomes. Raises Refused with words for the one who tried, or NotFound."""

    def __init__(self, store: Store, company: Company, policy: Policy, clock: Clock, speed: float = 1.0) -> None:
        self.store = store
        self.company = company
        self.policy = policy
        self.clock = clock
        self._speed = speed

    def declare(
        self, by: PersonId, severity: Severity, facts: Facts, key: str = "", drill_speed: float | None = None
    ) -> Incident:
        """Bring an incident into the world; the same key gives the same incident. With `drill_speed` it is a drill."""
        now = self.clock()
        event = Declare(by=by, key=key, facts=facts, terms=self.terms(severity, facts, now, drill_speed))
        duty = self.roster(now)
        return self.store.declare(f"{now:%Y%m%d}", key, lambda new_id: declare(new_id, event, now, duty))

    def terms(self, severity: Severity, facts: Facts, now: datetime, drill_speed: float | None = None) -> Terms:
        """What a declaration of that severity would freeze into its incident."""
        terms = terms_for(self.company, self.severity(severity), facts, now)
        shares = terms.policy.room_when_several and drill_speed is None and not facts.security
        others = tuple(Other(id=i.id, coordinated_in=i.coordinated_in) for i in self.store.shared()) if shares else ()
        speed = self._speed if drill_speed is None else drill_speed
        return terms.model_copy(update={"speed": speed, "drill": drill_speed is not None, "others": others})

    def handle(self, incident_id: str, event: MoveEvent | CheckpointDue | OutcomeEvent) -> Incident:
        """What somebody did, a clock, or an outcome. Returns the incident as it stands afterwards."""
        now = self.clock()
        if isinstance(event, Edit) and event.service is not None:
            service = self.company.services.get(event.service)
            owners = {"team": (service.team or "") if service else "", "vendor": self.company.vendor_of(event.service)}
            event = event.model_copy(update=owners)
        if isinstance(event, CheckpointDue):
            event = event.model_copy(update={"away": self.store.last_outage()})
        duty = self.roster(now)
        after = self.store.update(incident_id, lambda before: decide(before, event, now, duty))
        if isinstance(event, Acknowledge):
            self._answer_test_pages(event.by, now)
        return after

    def _answer_test_pages(self, member: PersonId, now: datetime) -> None:
        """Who acknowledges an incident can be reached: their test page has nothing left to ask."""
        key = self.company.key_of(member, self.store.directory())
        if key:
            self.store.update_oncall_state(lambda before: answer_test_pages(before, key, now))

    def fire_checkpoints(self, incident_ids: Sequence[str]) -> dict[str, Incident]:
        """The alarm clocks of many incidents due at once: each fires what is due, all in one commit.

        The incidents as they were before. What is missing was left alone: it is for `handle`, one at a time.
        """
        now = self.clock()
        duty, due = self.roster(now), CheckpointDue(checkpoint="", away=self.store.last_outage())
        changes = self.store.update_all(incident_ids, lambda before: decide(before, due, now, duty))
        return {name: before for name, (before, _) in changes.items()}

    def severity(self, severity: Severity) -> SeverityPolicy:
        """What the policy says of a severity; Refused if it does not know it."""
        return severity_of(self.policy, severity)

    def roster(self, at: datetime) -> Roster:
        """Who holds each role at an instant."""
        directory, duty = self.store.directory_and_oncall_state()
        return roster(self.company, directory, at, duty)

    def upcoming(self, incident: Incident) -> tuple[Upcoming, ...]:
        """What fires next, with the people who will be on duty then; what is known of them is read once."""
        directory, duty = self.store.directory_and_oncall_state()
        return upcoming(incident, lambda at: roster(self.company, directory, at, duty))

    def update_oncall(self, step: Callable[[OncallState, datetime], OncallState]) -> OncallState:
        """Change what was arranged by a step of escalation.oncall.overrides, as of now. Refused passes through."""
        now = self.clock()
        return self.store.update_oncall_state(lambda before: step(before, now))


def severity_of(policy: Policy, severity: Severity) -> SeverityPolicy:
    """What a policy says of a severity; Refused if it does not know it."""
    if severity not in policy.severities:
        raise Refused(f"The policy {policy.name} has no {severity}.")
    return policy.severities[severity]


CALENDAR_KEPT = 400  # days of public holidays that an incident keeps


def terms_for(company: Company, policy: SeverityPolicy, facts: Facts, now: datetime) -> Terms:
    """The terms of a single incident at the policy's own pace."""
    service = company.services.get(facts.service)
    return Terms(
        policy=policy,
        meeting_url=company.meeting_url or "",
        calendar=company.calendar.within(now, CALENDAR_KEPT),
        team=(service.team or "") if service else "",
        vendor=company.vendor_of(facts.service),
        public_means=company.public_channels,
        ways=company.other_ways,
    )
