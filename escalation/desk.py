"""The one door to the domain: it reads the clock and the roster, and has the store apply what decide() says."""

from collections.abc import Callable
from datetime import datetime

from escalation.company import Company, Roster, roster
from escalation.events import CheckpointDue, Declare, MoveEvent, OutcomeEvent, Terms
from escalation.incident import Facts, Incident
from escalation.moves import Refused
from escalation.policy import Policy, Severity, SeverityPolicy
from escalation.store import Store
from escalation.transitions import decide, declare
from escalation.values import PersonId

Clock = Callable[[], datetime]


class Desk:
    """Takes declarations, moves, alarms and outcomes. Raises Refused with words for the one who tried, or NotFound."""

    def __init__(self, store: Store, company: Company, policy: Policy, clock: Clock, speed: float = 1.0) -> None:
        self.store = store
        self.company = company
        self.policy = policy
        self.clock = clock
        self._speed = speed

    def declare(self, by: PersonId, severity: Severity, facts: Facts, key: str = "") -> Incident:
        """Bring an incident into the world; the same key gives the same incident."""
        now = self.clock()
        terms = Terms(policy=self.severity(severity), speed=self._speed, meeting_url=self.company.meeting_url or "")
        event = Declare(by=by, key=key, facts=facts, terms=terms)
        duty = self.roster(now)
        return self.store.declare(f"{now:%Y%m%d}", key, lambda new_id: declare(new_id, event, now, duty))

    def handle(self, incident_id: str, event: MoveEvent | CheckpointDue | OutcomeEvent) -> Incident:
        """What somebody did, a clock, or an outcome. Returns the incident as it stands afterwards."""
        now = self.clock()
        duty = self.roster(now)
        return self.store.update(incident_id, lambda before: decide(before, event, now, duty))

    def severity(self, severity: Severity) -> SeverityPolicy:
        """What the policy says of a severity; Refused if it does not know it."""
        if severity not in self.policy.severities:
            raise Refused(f"The policy {self.policy.name} has no {severity}.")
        return self.policy.severities[severity]

    def roster(self, at: datetime) -> Roster:
        """Who holds each role at an instant."""
        return roster(self.company, self.store.directory(), at)
