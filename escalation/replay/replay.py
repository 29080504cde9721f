"""Replay of a past incident: what people did, at the same times, through the engine under other rules.

It has no rules of its own. Every page counts as sent at once; only what pages people is played.
"""

from collections import deque
from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import datetime

from escalation.config.policy import Policy, Severity, SeverityPolicy
from escalation.engine.checkpoints import alarms
from escalation.engine.state_machine import decide, declare
from escalation.errors import Refused
from escalation.incident.effects import SendPage
from escalation.incident.events import declaration, moves, news, outcomes
from escalation.incident.model import Incident
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.pages import PageState
from escalation.replay.recorded import Event, Recorded, RosterAt, Unreachable, outages, recorded, recorded_roster
from escalation.values import PersonId

_PAGING = (CheckpointKind.POLICY, CheckpointKind.REPEAT)  # all others page nobody
Rules = Callable[[SeverityPolicy], SeverityPolicy]


@dataclass(frozen=True)
class Sent:
    """A page that was sent to a person; `again`: a repeat of it."""

    person: PersonId
    at: datetime
    again: bool


@dataclass(frozen=True)
class Replayed:
    """The pages of a replayed incident, and how often somebody did what its policy would have refused."""

    pages: tuple[Sent, ...]
    refused: int = 0


def as_it_was(rules: SeverityPolicy) -> SeverityPolicy:
    """The rules that the incident had."""
    return rules


def by(policy: Policy) -> Rules:
    """The rules of that policy, by severity."""
    return lambda rules: policy.severities[rules.severity]


def severities(incident: Incident) -> frozenset[Severity]:
    """Return every severity that an incident ever had."""
    changed = (e.fields for e in incident.timeline if e.kind is EntryKind.SEVERITY)
    return frozenset({incident.severity, *(Severity(f[side]) for f in changed for side in ("from", "to"))})


def replay(incident: Incident, rules: Rules, roster_at: RosterAt, now: datetime) -> Replayed:
    """Replay an incident until it was closed, or until `now`, by these rules; `roster_at` where its record is silent.

    KeyError when the rules have none for one of its severities.
    """
    run = _Run(incident, rules, recorded_roster(incident, roster_at))
    run.play(deque(recorded(incident)), incident.closed_at or now)
    return Replayed(tuple(run.pages), run.refused)


class _Run:
    """A running replay."""

    def __init__(self, record: Incident, rules: Rules, roster_at: RosterAt) -> None:
        self.pages: list[Sent] = []
        self.refused = 0
        self._rules, self._roster_at, self._outages = rules, roster_at, outages(record)
        self._unreachable: dict[PersonId, list[str]] = {}
        self._may_be_refused = {e.event.person for e in recorded(record) if isinstance(e.event, Unreachable)}
        self.now = record.declared_at
        born = record.as_of(record.timeline[0])
        terms = declaration.Terms(
            policy=rules(born.policy),
            speed=record.speed,
            calendar=record.calendar,
            drill=record.drill,
            team=born.team,
            public_means=record.public_means,
        )
        declared = declaration.Declare(by=record.reporter, facts=born.facts, terms=terms)
        self.incident = declare(record.id, declared, self.now, roster_at(self.now))
        self._stands(self.incident, known=frozenset())

    def play(self, steps: deque[Recorded], until: datetime) -> None:
        """Play all steps, and what is due before and between them."""
        while True:
            alarm = min(map(self._fires_at, alarms(self.incident).values()), default=None)
            if steps and (alarm is None or steps[0].at < alarm):
                step = steps.popleft()
                self._act(step.event, step.at)
            elif alarm is None or alarm > until:
                return
            else:
                self._decide(news.CheckpointDue(checkpoint=""), max(alarm, self.now))

    def _fires_at(self, due: datetime) -> datetime:
        return next((end for start, end in self._outages if start <= due < end), due)

    def _act(self, event: Event, at: datetime) -> None:
        if isinstance(event, Unreachable):
            self._unreachable.setdefault(event.person, []).append(event.why)
            self.now = at
            self._refuse_pages()
            return
        if isinstance(event, moves.ChangeSeverity):
            event = event.model_copy(update={"policy": self._rules(event.policy)})
        try:
            self._decide(event, at)
        except Refused:  # the people are there all the same
            self.refused += 1
            self._decide(news.SignOfLife(by=event.by), at)

    def _decide(self, event: "moves.MoveEvent | outcomes.OutcomeEvent | _Other", at: datetime) -> None:
        self.now = at
        after = decide(self.incident, event, at, self._roster_at(at))
        self._stands(after, known={e.id for e in self.incident.effects})

    def _stands(self, incident: Incident, known: Set[str]) -> None:
        """Send all pages but the `known` ones at once, and keep only what may still page somebody."""
        sent = [e for e in incident.effects if isinstance(e, SendPage)]
        self.pages += [Sent(incident.page(e.page).person, e.at, e.nth > 1) for e in sent if e.id not in known]
        kept = tuple(e for e in sent if incident.page(e.page).person in self._may_be_refused)
        waiting = tuple(c for c in incident.checkpoints if c.kind in _PAGING)
        self.incident = incident.model_copy(update={"effects": kept, "checkpoints": waiting})
        self._refuse_pages()

    def _refuse_pages(self) -> None:
        """Refuse a page to whoever could not be reached then: as often as it was, and the next one if none waits."""
        for person, reasons in self._unreachable.items():
            waiting = (e for e in self.incident.effects if isinstance(e, SendPage))
            page = next((e for e in waiting if self._is_open(e, person)), None)
            if page and reasons:
                why = f"{reasons.pop()} ({page.page})"  # one reason for several would look like a fault of ours
                self._decide(outcomes.PersonRefused(effect=page.id, why=why), self.now)
                return

    def _is_open(self, effect: SendPage, person: PersonId) -> bool:
        page = self.incident.page(effect.page)
        return page.person == person and page.state is PageState.OPEN


_Other = news.CheckpointDue | news.SignOfLife | news.RolesChanged
