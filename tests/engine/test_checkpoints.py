"""How often one decision asks what is planned and what is moot: once of each checkpoint, its commit included."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from escalation.config.policy import Severity
from escalation.engine import checkpoints, firing
from escalation.incident.events.moves import Acknowledge
from escalation.incident.events.news import CheckpointDue
from escalation.incident.model import Incident
from escalation.incident.state.checkpoints import Checkpoint
from escalation.incident.state.facts import Facts
from escalation.service import IncidentService
from escalation.storage.store import Store
from tests.support.clock import PushedClock
from tests.support.company import example
from tests.support.story import kars
from tests.support.worker import redis_of
from workers.queue import outbox


class Asked:
    """Counts the calls of plan_of and moot, by checkpoint."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.plan_of, self.moot = Counter[str](), Counter[str]()
        for name, count in (("plan_of", self.plan_of), ("moot", self.moot)):
            counting = _counting(getattr(checkpoints, name), count)
            for module in (checkpoints, firing):
                patch.setattr(module, name, counting)

    def begin(self) -> None:
        self.plan_of.clear()
        self.moot.clear()

    def most(self, about: Iterable[Checkpoint]) -> int:
        """How often one of these was asked about, at the most."""
        return max(count[c.id] for count in (self.plan_of, self.moot) for c in about)


def _counting(ask: Callable[[Checkpoint, Incident], Any], count: Counter[str]) -> Callable[[Checkpoint, Incident], Any]:
    def counting(checkpoint: Checkpoint, incident: Incident) -> Any:
        count[checkpoint.id] += 1
        return ask(checkpoint, incident)

    return counting


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


@pytest.fixture
def clock() -> PushedClock:
    return PushedClock()


@pytest.fixture
def service(clock: PushedClock) -> Iterator[IncidentService]:
    with redis_of("fakeredis") as redis:
        yield IncidentService(Store(redis, outbox.post), example(), kars(), clock)


def declared(service: IncidentService) -> Incident:
    return service.declare("UPAULA", Severity.P0, Facts(title="Checkout is down"))


def test_a_move_asks_once_about_each(service: IncidentService, asked: Asked) -> None:
    """An acknowledgement, from the press until its alarms are set."""
    before = declared(service)
    asked.begin()
    after = service.handle(before.id, Acknowledge(by="UBRUNO"))
    assert len(after.checkpoints) >= 10
    assert asked.moot.keys() >= {c.id for c in after.checkpoints}
    assert asked.most((*before.checkpoints, *after.checkpoints)) == 1


def test_a_declaration_asks_twice_about_each(service: IncidentService, asked: Asked) -> None:
    """Its first communications fall due at once: whatever waits is asked about before they fire and after."""
    incident = declared(service)
    assert asked.moot.keys() > {c.id for c in incident.checkpoints}
    assert max(asked.moot.values()) == max(asked.plan_of.values()) == 2


def test_an_alarm_asks_about_what_still_waits_before_and_after(
    service: IncidentService, clock: PushedClock, asked: Asked
) -> None:
    """What fired is asked about again by the ledger, of the incident as it was before."""
    incident = declared(service)
    for _ in range(3):
        before, clock.now = incident, min(c.due for c in incident.checkpoints)
        asked.begin()
        incident = service.handle(incident.id, CheckpointDue(checkpoint="any"))
        fired = [c for c in before.checkpoints if c not in incident.checkpoints]
        assert (asked.most(incident.checkpoints), asked.most(fired)) == (2, 3)
