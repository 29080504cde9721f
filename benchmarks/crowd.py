"""Create many open incidents whose next checkpoint is due at a given time, with nothing left to send.

They go through `decide` like any other, on a simulated clock, and are saved through the store: a checkpoint that is due
in ten seconds belongs to an incident that was declared an hour before that.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.rig import Rig
from escalation.config.policy import Severity
from escalation.engine.checkpoints import alarms
from escalation.engine.state_machine import decide, declare
from escalation.incident.effects import OpenRoom, SendPage
from escalation.incident.events.declaration import Declare
from escalation.incident.events.moves import Acknowledge, Resolve
from escalation.incident.events.news import CheckpointDue
from escalation.incident.events.outcomes import Delivered, OutcomeEvent, RoomOpened
from escalation.incident.model import Incident
from escalation.incident.state.facts import Facts
from escalation.incident.state.rooms import Room
from escalation.oncall.roster import Roster, roster
from escalation.service import IncidentService
from escalation.storage.store import Store
from tocsin.config import loader
from tocsin.config.settings import EXAMPLE_CONFIG
from workers.queue import outbox

FAR = timedelta(days=1)
TEMPLATE = "INC-00000000-000"


class Crowd:
    """Open incidents of the shipped example company, with real cards in the workspace."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.store = Store(rig.redis, outbox.post)
        loaded = loader.load(EXAMPLE_CONFIG)
        self.service = IncidentService(self.store, loaded.company, loaded.policy, self.store.now)
        self._roster: Roster = roster(loaded.company, self.store.directory(), datetime.now(UTC))
        self._posted: dict[str, tuple[str, str]] = {}

    def due_at(self, due: datetime, number: int = 1) -> list[str]:
        """Create incidents whose next checkpoint is due then: one is built, the others are copies; their ids."""
        return self._store(due, number) if number else []

    def paging_at(self, due: datetime) -> str:
        """Create an unacknowledged P0 whose backup is paged then. Returns its id."""
        return self._store(due, 1, "P0", pages=True)[0]

    def idle(self, number: int) -> list[str]:
        """Create open incidents whose next checkpoint is due tomorrow. Returns their ids."""
        return self.due_at(datetime.now(UTC) + FAR, number)

    def closed(self, at: datetime) -> Incident:
        """Create a closed incident that was declared then, acknowledged after four minutes and resolved in an hour."""
        built = self._declare(TEMPLATE, "P2", at)
        for minutes, event in (
            (4, Acknowledge(by="UPAULA")),
            (60, Resolve(by="UPAULA", summary="A full pool", resolution="A larger one")),
        ):
            then = at + timedelta(minutes=minutes)
            built = self._deliver_all(decide(built, event, then, self._roster), then)
        return self.store.declare(f"{at:%Y%m%d}", "", lambda name: built.model_copy(update={"id": name}))

    def _store(self, due: datetime, number: int, severity: str = "P2", *, pages: bool = False) -> list[str]:
        built = self._build(TEMPLATE, severity, due, pages).model_dump_json()
        day = f"{due:%Y%m%d}"

        def make(name: str) -> Incident:
            return Incident.model_validate_json(built.replace(TEMPLATE, name))

        return [self.store.declare(day, "", make).id for _ in range(number)]

    def _build(self, name: str, severity: str, due: datetime, pages: bool) -> Incident:
        """Build an incident declared so long ago that its first checkpoint, or first that pages, is due at `due`."""
        trial = self._until(self._declare(name, severity, due), pages)
        built = self._until(self._declare(name, severity, due - (min(alarms(trial).values()) - due)), pages)
        assert min(alarms(built).values()) == due, "this severity counts in business hours: take another"
        return built

    def _declare(self, name: str, severity: str, at: datetime) -> Incident:
        facts = Facts(title="Checkout is slow", impact="Some customers wait")
        event = Declare(by="UPAULA", facts=facts, terms=self.service.terms(Severity(severity), facts, at))
        return self._deliver_all(declare(name, event, at, self._roster), at)

    def _until(self, incident: Incident, pages: bool) -> Incident:
        while pages:
            due = min(alarms(incident).values())
            fired = decide(incident, CheckpointDue(checkpoint=""), due, self._roster)
            if any(isinstance(e, SendPage) and fired.page(e.page).tier > 1 for e in fired.effects):
                break
            incident = self._deliver_all(fired, due)
        return incident

    def _deliver_all(self, incident: Incident, at: datetime) -> Incident:
        """Deliver all pending effects."""
        while incident.effects:
            incident = decide(incident, self._outcome(incident, incident.effects[0]), at, self._roster)
        return incident

    def _outcome(self, incident: Incident, effect: Any) -> OutcomeEvent:
        if isinstance(effect, OpenRoom):
            channel, _ = self._message("war-room-of-many")
            return RoomOpened(effect=effect.id, room=Room(channel=channel, name=effect.name, private=effect.private))
        person = incident.page(effect.page).person if isinstance(effect, SendPage) else ""
        channel, ts = self._message(person or "incidents")
        return Delivered(effect=effect.id, channel=channel, ts=ts, face=incident.face, person=person)

    def _message(self, where: str) -> tuple[str, str]:
        """Post one message that serves as the card of all incidents in a place: a channel's name, or a person."""
        if where not in self._posted:
            channel = self._channel(where)
            self._posted[where] = (channel, self._rig.slack_call("chat.postMessage", channel=channel, text="A")["ts"])
        return self._posted[where]

    def _channel(self, where: str) -> str:
        if where[:1].isupper():
            return str(self._rig.slack_call("conversations.open", users=where)["channel"]["id"])
        known = self._rig.slack_call("conversations.list", limit=1000)["channels"]
        found = next((c["id"] for c in known if c["name"] == where), None)
        if found is None:
            return str(self._rig.slack_call("conversations.create", name=where)["channel"]["id"])
        self._rig.slack_call("conversations.join", channel=found)
        return str(found)


def spread(first: datetime, number: int, seconds: float) -> Iterator[datetime]:
    """Yield instants at even distances, none of them at a whole second."""
    for n in range(number):
        yield first + timedelta(seconds=seconds * n / number, microseconds=137_000)
