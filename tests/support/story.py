"""A pushed clock over the pure domain: tell what happens when, then ask who was paged, and when."""

import functools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from escalation.config.actions import Action
from escalation.config.business_time import Calendar
from escalation.config.notify import MeetingKind, OtherWays
from escalation.config.policy import Policy, Severity
from escalation.config.rules.communications import ListName, Means
from escalation.config.tickets import Tickets
from escalation.engine.checkpoints import alarms
from escalation.engine.state_machine import Event, decide, declare
from escalation.incident.effects import Effect, OpenRoom, Place, RemindPerson, Say, SendPage, Tell
from escalation.incident.events.declaration import Declare, Other, Terms
from escalation.incident.events.moves import ChangeSeverity
from escalation.incident.events.news import CheckpointDue
from escalation.incident.model import Incident
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.facts import Facts
from escalation.oncall.roster import Roster

START = datetime(2024, 12, 18, 15, 30, tzinfo=UTC)
SHIPPED = Path(__file__).parents[2] / "escalation" / "policies"

# One person for each role of both policies, and two in security; the service `checkout` has a lead of its own.
DUTY = {
    "on_call": ("UONCALL",),
    "backup": ("UBACKUP",),
    "devops_lead": ("UDEVOPS",),
    "backend_lead": ("UBACKEND",),
    "security_team": ("USEC1", "USEC2"),
    "engineering_manager": ("UMANAGER",),
    "executives": ("UCTO", "UEXEC"),
    "engineering_team": ("UTEAM1", "UTEAM2"),
    "cto": ("UCTO",),
    "ceo": ("UCEO",),
    "service_lead": ("ULEAD",),
    "service_lead@checkout": ("UCHECKOUT",),
    "stakeholders": ("USTAKE",),
}


@functools.cache
def shipped(name: str) -> Policy:
    return Policy.model_validate(yaml.safe_load((SHIPPED / f"{name}.yml").read_text()))


def kars() -> Policy:
    return shipped("kars")


def beauty() -> Policy:
    return shipped("beauty")


def roster_with(**changed: tuple[str, ...]) -> Roster:
    return Roster(holders=DUTY | changed)


class Story:
    """One incident, from its declaration at minute 0 (`start`). `speed` as in production."""

    def __init__(
        self,
        severity: str = "P0",
        roster: Roster | None = None,
        speed: float = 1.0,
        by: str = "UREPORTER",
        *,
        policy: str = "kars",
        start: datetime = START,
        calendar: Calendar | None = None,
        drill: bool = False,
        team: str = "",
        public_means: tuple[Means, ...] | None = None,
        others: tuple[Other, ...] = (),
        ways: OtherWays | None = None,
        public_page: bool = False,
        actions: tuple[Action, ...] = (),
        tickets: Tickets | None = None,
        invitations: tuple[MeetingKind, ...] = (),
        mail_lists: tuple[ListName, ...] = (),
        **facts: Any,
    ) -> None:
        self.roster = roster or roster_with()
        self.start = self.now = start
        self.policy = shipped(policy)
        self.caused: dict[str, Effect] = {}
        terms = Terms(
            policy=self.policy.severities[Severity(severity)],
            speed=speed,
            meeting_url="https://meet.example/abc",
            calendar=calendar or Calendar(),
            drill=drill,
            team=team,
            public_means=public_means,
            others=others,
            ways=ways or OtherWays(),
            public_page=public_page,
            invitations=invitations,
            mail_lists=mail_lists,
            actions=actions,
            tickets=tickets,
        )
        said = Facts(**({"title": "Checkout is down", "impact": "Nobody can pay"} | facts))
        event = Declare(by=by, key="modal-1", facts=said, terms=terms)
        self._stands(declare("INC-20241218-001", event, self.now, self.roster))

    @property
    def minute(self) -> float:
        return self._minute(self.now)

    def _minute(self, at: datetime) -> float:
        return (at - self.start) / timedelta(minutes=1)

    def until(self, minute: float) -> "Story":
        """Push the clock, stopping at each alarm on the way, as the ticker would."""
        target = self.start + timedelta(minutes=minute)
        while (due := min(alarms(self.incident).values(), default=None)) is not None and due <= target:
            self.now = max(due, self.now)
            self._decide(CheckpointDue(checkpoint="any"))
        self.now = target
        return self

    def jump(self, minute: float) -> "Story":
        """Push the clock past everything, as an outage would, then let one alarm ring."""
        self.now = self.start + timedelta(minutes=minute)
        return self._decide(CheckpointDue(checkpoint="any"))

    def do(self, event: Event) -> "Story":
        return self._decide(event)

    def change_to(self, severity: str, by: str = "UONCALL", why: str = "it looks different now") -> "Story":
        return self.do(ChangeSeverity(by=by, policy=self.policy.severities[Severity(severity)], why=why))

    def _decide(self, event: Any) -> "Story":
        return self._stands(decide(self.incident, event, self.now, self.roster))

    def _stands(self, incident: Incident) -> "Story":
        """Remember what was ever caused: what went out or was called off is no longer on the incident."""
        self.incident: Incident = incident
        self.caused = self.caused | {e.id: e for e in incident.effects}
        return self

    def entries(self, kind: EntryKind) -> Iterator[tuple[float, Entry]]:
        for entry in self.incident.timeline:
            if entry.kind is kind:
                yield self._minute(entry.at), entry

    def minutes(self, kind: EntryKind) -> list[float]:
        return [m for m, _ in self.entries(kind)]

    def tiers(self) -> list[tuple[float, int]]:
        """(minute, tier) of every tier page so far."""
        return [(m, int(e.fields["tier"])) for m, e in self.entries(EntryKind.PAGED)]

    def paged(self) -> list[tuple[float, tuple[str, ...]]]:
        """(minute, people) of every page so far, repeats left away."""
        return [(m, e.people) for m, e in self.entries(EntryKind.PAGED)]

    def fired(self) -> list[tuple[float, str]]:
        """(minute, id) of every checkpoint of the policy so far."""
        return [(m, e.fields["checkpoint"]) for m, e in self.entries(EntryKind.CHECKPOINT)]

    def fired_set(self) -> set[str]:
        return {plan for _, plan in self.fired()}

    def owed(self) -> list[tuple[float, str, str]]:
        """(minute, communication, stage) of every word for those outside so far."""
        return [(m, e.fields["plan"], e.fields["stage"]) for m, e in self.entries(EntryKind.COMMUNICATION)]

    def owed_states(self, plan: str) -> list[str]:
        return [str(o.state) for o in self.incident.communications if o.plan.id == plan]

    def sends(self, person: str) -> int:
        """How many page messages were caused for a person, repeats included."""
        return sum(
            isinstance(e, SendPage) and self.incident.page(e.page).person == person for e in self.incident.effects
        )

    def log(self) -> list[tuple[float, str]]:
        """(minute, what) of all that Tocsin did by itself, reminders and repeats left away."""
        teams = {n for e in self.caused.values() if isinstance(e, Say) and e.place is Place.TEAM for n in e.entries}
        told = [(self._minute(e.at), said) for e in self.incident.timeline if (said := _logged(e, e.n in teams))]
        rooms = [(self._minute(e.at), "room") for e in self.caused.values() if isinstance(e, OpenRoom)]
        return sorted(told + rooms)

    def told(self, kind: EntryKind | None = None) -> list[str]:
        """Who was told directly, of entries of one kind or of all."""
        tells = (e for e in self.incident.effects if isinstance(e, Tell | RemindPerson))
        return [e.person for e in tells if kind in (None, self.incident.entry(e.entry).kind)]

    def said(self, place: Place) -> list[tuple[float, EntryKind]]:
        """(minute, kind) of everything that was ever said in a place."""
        says = [e for e in self.caused.values() if isinstance(e, Say) and e.place is place]
        entries = [self.incident.entry(n) for e in says for n in e.entries]
        return [(self._minute(e.at), e.kind) for e in entries]

    def due(self, kind: CheckpointKind) -> list[float]:
        """The minutes at which checkpoints of a kind are due."""
        return sorted(self._minute(c.due) for c in self.incident.checkpoints if c.kind is kind)


def _logged(entry: Entry, team: bool) -> str:
    match entry.kind:
        case EntryKind.PAGED:
            return "page " + " ".join(entry.people)
        case EntryKind.NOTIFIED:
            return "notify " + " ".join(entry.people)
        case EntryKind.CHECKPOINT if entry.fields["say"]:
            return f"{'team' if team else 'ask'} {entry.fields['checkpoint']}"
        case EntryKind.COMMUNICATION:
            return f"{entry.fields['plan']} {entry.fields['stage']}"
        case EntryKind.TICKET | EntryKind.MONITORED | EntryKind.SKIPPED | EntryKind.NOBODY_LEFT:
            return entry.kind.value
        case _:
            return ""
