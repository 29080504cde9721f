"""A company at work at speed: the real service, workers and bot, a local workspace and mail server, a pushed clock."""

import heapq
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import redis
import yaml

from benchmarks.month.company import Place
from benchmarks.ports import free_port
from bot.alerts.authentication import AlertSecrets
from bot.deps import AnswerDeps
from escalation.config.notify import Via
from escalation.config.policy import Severity
from escalation.incident.events.moves import MoveEvent
from escalation.incident.model import Incident
from escalation.incident.state.facts import Facts
from escalation.notify.mailboxes import Mailboxes
from escalation.oncall.overrides import record_answer
from escalation.oncall.schedule import OncallState, TestPage
from escalation.processes import QUEUES
from escalation.service import IncidentService
from escalation.storage.indexes import ALARMS
from escalation.storage.public.folder import StatusFolder
from escalation.storage.public.log import PublicLog
from escalation.storage.store import UPKEEP, Store
from sandbox.server import RunningWorkspace
from sandbox.server import running as running_workspace
from sandbox.setup import Setup
from tests.support.bot import BotAtWork, Person, running_bot
from tests.support.clock import PushedClock
from tests.support.http import web
from tests.support.pump import Pump
from tests.support.vendors.smtp import RealMailServer, real_mail_server
from tests.support.waiting import WITHIN, eventually
from tests.support.worker import bots_intake, through
from tocsin.config import loader
from tocsin.config.loader import Loaded
from tocsin.run import embedded
from workers.channels import Channels
from workers.channels.slack import SlackClient
from workers.channels.smtp import MailClient
from workers.clock.sweep import Sweep
from workers.context import Context
from workers.delivery import retry_when_back
from workers.queue import outbox
from workers.queue.rq import registry_key
from workers.recurring import upkeep

Acts = Iterator[timedelta]
TOKEN = "a-long-token"  # noqa: S105  # of a source on this machine, for as long as the run lasts
SENDER = "tocsin@example.com"
ROUND = timedelta(minutes=30)  # between rounds of upkeep: production has two a minute
REPAIRS = 5  # rounds of the sweep at one instant: what fails for longer is tried with what comes next
ANSWERS_TEST = timedelta(minutes=6)  # after a test page


@dataclass
class Stage:
    """A company at work. `folder` holds its configuration, its data and what is made of it."""

    place: Place
    folder: Path
    loaded: Loaded
    clock: PushedClock
    context: Context
    workspace: RunningWorkspace
    bot: BotAtWork
    mail: RealMailServer
    pump: Pump
    next_round: datetime
    acts: "list[tuple[datetime, int, Acts]]" = field(default_factory=list)
    begun: int = 0

    @property
    def service(self) -> IncidentService:
        return self.context.service

    @property
    def store(self) -> Store:
        return self.context.store

    def member(self, key: str) -> str:
        """Member id of a person by key."""
        found = self.loaded.company.member(key, self.store.directory())
        assert found, key
        return found

    def person(self, key: str) -> Person:
        """Somebody at the workspace's page."""
        who = Person(self.workspace, key)
        who.id = self.member(key)
        return who

    def on_call(self, role: str = "on_call", service: str = "") -> str:
        """Who holds a role now."""
        return self.service.roster(self.clock.now).of(role, service)[0]

    def local(self) -> datetime:
        return self.clock.now.astimezone(ZoneInfo(self.place.zone))

    # Stories ---------------------------------------------------------------------------------------------------------

    def begin(self, at: datetime, acts: Acts) -> None:
        """Have a story begin at an instant."""
        self.begun += 1
        heapq.heappush(self.acts, (at.astimezone(UTC), self.begun, acts))

    def later(self, length: timedelta, act: Callable[[], object]) -> None:
        """Have something done after so long."""

        def once() -> Acts:
            act()
            yield from ()

        self.begin(self.clock.now + length, once())

    def play(self, until: datetime) -> None:
        """Let all stories take their course, each act at its time."""
        while self.acts and self.acts[0][0] <= until:
            at, _, acts = heapq.heappop(self.acts)
            self.until(at)
            for wait in acts:
                self.begin(self.clock.now + wait, acts)
                break
        self.until(until)

    # Time ------------------------------------------------------------------------------------------------------------

    def until(self, at: datetime) -> None:
        """Push the clock, stopping wherever something is due, and let the workers do it."""
        while True:
            self._work()
            due = min((d for d in (self._next_due(), self.next_round) if d), default=at)
            if due > at:
                break
            self.clock.now = max(self.clock.now, due)
            if self.clock.now >= self.next_round:
                self._upkeep()
        self.clock.now = max(self.clock.now, at)
        self._work()

    def _work(self) -> None:
        """Do what is due, and what a failed try left behind: its next one is a second or two later."""
        self.pump.run()
        for _ in range(REPAIRS):
            if not self.context.redis.zcount(ALARMS, "-inf", self.clock.now.timestamp()):
                return
            self.clock.now += timedelta(seconds=1)
            Sweep(self.context.redis, self.store).repair_lost(self.clock.now)
            retry_when_back.probe(self.context.redis, self.clock.now)
            self.pump.run()

    def _next_due(self) -> datetime | None:
        pipe = self.context.redis.pipeline(transaction=False)
        for name in QUEUES:
            pipe.zrange(registry_key(name), 0, 0, withscores=True)
        scores = [found[0][1] for found in pipe.execute() if found]
        if not scores:
            return None
        at = datetime.fromtimestamp(min(scores), UTC)
        # A float may lie between two microseconds: one further, or the clock would stand before it for ever.
        return at if at.timestamp() >= min(scores) else at + timedelta(microseconds=1)

    def _upkeep(self) -> None:
        """One round of recurring work; whoever got a test page answers it."""
        now = self.clock.now
        self.next_round = now + ROUND
        self.context.redis.delete(UPKEEP)
        upkeep.enqueue(self.context.redis, now)
        self.pump.run()
        for test in self.store.oncall_state().tests:
            if test.answered_at is None and now - test.sent_at >= ANSWERS_TEST:
                self.service.update_oncall(partial(_answered, page=test, at=now))

    # People and machines ---------------------------------------------------------------------------------------------

    def declare(self, by: str, severity: str, **facts: Any) -> Incident:
        made = self.service.declare(by, Severity(severity), Facts(**facts), key=f"{self.clock.now.timestamp()}")
        self.pump.run()
        return made

    def do(self, incident: str, event: MoveEvent) -> Incident:
        self.service.handle(incident, event)
        self.pump.run()
        return self.store.get(incident)

    def alert(self, name: str, service: str, severity: str, *, firing: bool = True) -> None:
        """Have Alertmanager send an alert, or its end."""
        state = "firing" if firing else "resolved"
        one = {
            "status": state,
            "labels": {"alertname": name, "severity": severity, "service": service},
            "annotations": {"summary": name},
            "fingerprint": f"{name}-{service}",
            "startsAt": self.clock.now.isoformat(),
        }
        body = {"version": "4", "groupKey": name, "status": state, "receiver": "tocsin", "alerts": [one]}
        headers = {"authorization": f"Bearer {TOKEN}"}
        answer = self.bot.web.post("/alerts/alertmanager", json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        self.pump.run()

    def look(self, path: str) -> Any:
        return web.get(f"{self.workspace.url}/{path}").raise_for_status().json()


def _answered(before: OncallState, _: datetime, *, page: TestPage, at: datetime) -> OncallState:
    return record_answer(before, page.rotation, page.shift_start, page.person, at)


@contextmanager
def stage(place: Place, folder: Path, start: datetime) -> Iterator[Stage]:
    """Open a company's stage at an instant."""
    config, data = folder / "tocsin.yml", folder / "data"
    folder.mkdir(parents=True, exist_ok=True)
    config.write_text(yaml.safe_dump(place.config, allow_unicode=True, sort_keys=False), encoding="utf-8")
    loaded, clock, port = loader.load(config), PushedClock(start), free_port()
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        stack.enter_context(_served(data))
        client = redis.Redis.from_url(embedded.url(data))
        client.config_set("appendfsync", "no")  # what a power cut would cost is nobody's loss here
        setup = Setup(ack_seconds=WITHIN)
        workspace = stack.enter_context(running_workspace(clock=clock.seconds, setup=setup))
        post = stack.enter_context(real_mail_server())
        _people_come(workspace, place)
        store = Store(client, outbox.post)
        service = IncidentService(
            store,
            loaded.company,
            loaded.policy,
            clock,
            set_up={Via.MAIL},
            public_url=url,
            mailboxes=Mailboxes(SENDER),
        )
        slack = SlackClient(workspace.bot_token, workspace.api_url, client)
        page = loaded.company.status_page
        status = StatusFolder(folder / "status", page, PublicLog(client), store.problems, "") if page else None
        client_of_mail, channels = MailClient(post.url, SENDER), Channels(slack)
        context = Context(client, store, service, channels, clock, paced=False, patience=None, status=status)
        context = through(context, mail=client_of_mail)
        context = replace(context, channels=replace(context.channels, mail=client_of_mail))
        bot = stack.enter_context(
            running_bot(
                workspace,
                service,
                port=port,
                intake=bots_intake(client),
                alert_secrets=AlertSecrets((TOKEN,)),
                answers=AnswerDeps(public_url=url),
                status=status,
            )
        )
        eventually(lambda: len(store.directory().names) > len(place.people) - 1)
        yield Stage(place, folder, loaded, clock, context, workspace, bot, post, Pump(context), start)


@contextmanager
def _served(data: Path) -> Iterator[None]:
    """A Redis of the company's own, as `tocsin run` would have it: its commands find it by the folder."""
    data.mkdir(parents=True, exist_ok=True)
    embedded.start(data)
    client = redis.Redis.from_url(embedded.url(data))
    client.flushall()
    try:
        yield
    finally:
        client.shutdown(nosave=True)


def _people_come(workspace: RunningWorkspace, place: Place) -> None:
    """Make the people of the company members of the workspace, and the channels that it names."""
    there = {p["name"]: p["id"] for p in web.get(f"{workspace.url}/control/state").json()["users"]}
    for key, name, title, zone in place.people:
        entry = next(p for p in place.config["people"].values() if p["email"].partition("@")[0] == key)
        facts = {"real_name": name, "title": title, "tz": zone, "email": entry["email"]}
        if key in there:
            _control(workspace, f"users/{there[key]}", **facts)
        else:
            _control(workspace, "users", name=key, **facts)
    for name in ("engineering", "oncall", "team-ai", "team-platform"):
        _control(workspace, "channels", name=name)


def _control(workspace: RunningWorkspace, what: str, **body: Any) -> None:
    web.post(f"{workspace.url}/control/{what}", json=body).raise_for_status()
