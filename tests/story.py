"""A pushed clock over the pure domain: tell what happens when, then ask who was paged, and when."""

import functools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from escalation.checkpoints import alarms
from escalation.company import Roster
from escalation.effects import SendPage, Tell
from escalation.events import CheckpointDue, Declare, MoveEvent, OutcomeEvent, Terms
from escalation.incident import Entry, EntryKind, Facts, Incident
from escalation.policy import Policy, Severity
from escalation.transitions import decide, declare

START = datetime(2024, 12, 18, 15, 30, tzinfo=UTC)
SHIPPED = Path(__file__).parent.parent / "escalation" / "policies"

# One person for each role of the policy, and two in security.
DUTY = {
    "on_call": ("UONCALL",),
    "backup": ("UBACKUP",),
    "devops_lead": ("UDEVOPS",),
    "backend_lead": ("UBACKEND",),
    "security_team": ("USEC1", "USEC2"),
    "engineering_manager": ("UMANAGER",),
    "executives": ("UCTO", "UEXEC"),
}


@functools.cache
def kars() -> Policy:
    return Policy.model_validate(yaml.safe_load((SHIPPED / "kars.yml").read_text()))


def duty(**changed: tuple[str, ...]) -> Roster:
    return Roster(holders=DUTY | changed)


class Story:
    """One incident, from its declaration at minute 0. `speed` as in production."""

    def __init__(
        self,
        severity: str = "P0",
        roster: Roster | None = None,
        speed: float = 1.0,
        by: str = "UREPORTER",
        **facts: Any,
    ) -> None:
        self.roster = roster or duty()
        self.now = START
        terms = Terms(policy=kars().severities[Severity(severity)], speed=speed, meeting_url="https://meet.example/abc")
        said = Facts(**({"title": "Checkout is down", "impact": "Nobody can pay"} | facts))
        event = Declare(by=by, key="modal-1", facts=said, terms=terms)
        self.incident: Incident = declare("INC-20241218-001", event, START, self.roster)

    @property
    def minute(self) -> float:
        return (self.now - START) / timedelta(minutes=1)

    def until(self, minute: float) -> "Story":
        """Push the clock, stopping at each alarm on the way, as the ticker would."""
        target = START + timedelta(minutes=minute)
        while (due := min(alarms(self.incident).values(), default=None)) is not None and due <= target:
            self.now = max(due, self.now)
            self._decide(CheckpointDue(checkpoint="any"))
        self.now = target
        return self

    def jump(self, minute: float) -> "Story":
        """Push the clock past everything, as an outage would, then let one alarm ring."""
        self.now = START + timedelta(minutes=minute)
        return self._decide(CheckpointDue(checkpoint="any"))

    def do(self, event: MoveEvent | OutcomeEvent) -> "Story":
        return self._decide(event)

    def _decide(self, event: Any) -> "Story":
        self.incident = decide(self.incident, event, self.now, self.roster)
        return self

    def entries(self, kind: EntryKind) -> Iterator[tuple[float, Entry]]:
        for entry in self.incident.timeline:
            if entry.kind is kind:
                yield (entry.at - START) / timedelta(minutes=1), entry

    def tiers(self) -> list[tuple[float, int]]:
        """(minute, tier) of every tier page so far."""
        return [(m, int(e.fields["tier"])) for m, e in self.entries(EntryKind.PAGED)]

    def minutes(self, kind: EntryKind) -> list[float]:
        return [m for m, _ in self.entries(kind)]

    def sends(self, person: str) -> int:
        """How many page messages were caused for a person, repeats included."""
        return sum(
            isinstance(e, SendPage) and self.incident.page(e.page).person == person for e in self.incident.effects
        )

    def told(self) -> list[str]:
        return [e.person for e in self.incident.effects if isinstance(e, Tell)]
