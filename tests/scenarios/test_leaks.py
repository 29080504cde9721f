"""No word of a private incident reaches anybody but its members: every byte that leaves us is searched for them.

Each text that people state holds the marker. What carries it may go to the private room, to direct messages of its
members and of people paged, and in Redis into the documents of the record and of the search; and there it must be
found, or this search is worthless.
"""

import json
import logging
import re
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_string
from email.policy import default
from typing import Any

import pytest
import structlog
from click.testing import CliRunner

from escalation.config.notify import OtherWays, Via
from escalation.config.policy import Severity
from escalation.incident.events import moves
from escalation.incident.events.moves import Move
from escalation.incident.model import Incident
from escalation.incident.state.facts import Status
from escalation.incident.state.leads import Lead
from tests.support.bot import Json, everything
from tests.support.company import user
from tests.support.outside_services import MailServer, PagingService, mail_server, paging_service
from tests.support.stage import Stage, stage
from tests.support.waiting import eventually
from tests.support.worker import Works, names, through, valkey
from tocsin.cli import main
from tocsin.run import logs
from workers.channels.pagerduty import PagerDutyClient
from workers.channels.smtp import MailClient
from workers.recurring import upkeep

MARKER = "zebrafish"
EARLIER = "narwhal"  # what had been public before somebody marked it
WAYS = OtherWays(page=(Via.MAIL, Via.PAGERDUTY), stakeholders=(Via.MAIL,))
MONDAY = datetime(2024, 12, 23, tzinfo=UTC)  # 00:00, when the rotation changes hands
pytestmark = pytest.mark.slow


def said(what: str) -> str:
    return f"{MARKER} {what}"


# What left us -----------------------------------------------------------------------------------------------------


def readable(redis: Any, key: bytes) -> str:
    """All of a key's value; the data of RQ's jobs unpacked."""
    match redis.type(key):
        case b"hash":
            return str({k: _unpacked(v) for k, v in redis.hgetall(key).items()})
        case b"string":
            return str(redis.get(key))
        case b"set":
            return str(redis.smembers(key))
        case b"zset":
            return str(redis.zrange(key, 0, -1))
        case b"list":
            return str(redis.lrange(key, 0, -1))
        case b"stream":
            return str([{k: _unpacked(v) for k, v in entry.items()} for _, entry in redis.xrange(key)])
        case kind:
            raise AssertionError(kind)


def _unpacked(raw: bytes) -> bytes:
    """RQ packs a job's data, and what it raised; of the latter it makes letters, too."""
    ways: tuple[Callable[[], bytes], ...] = (lambda: raw, lambda: b64decode(raw))
    for packed in ways:
        with suppress(zlib.error, ValueError):
            return zlib.decompress(packed())
    return raw


@dataclass
class Watched(Works):
    """Works that looks at the whole of Redis before each round of work, while jobs are waiting."""

    kept: dict[str, str] = field(default_factory=dict)

    def run(self) -> int:
        self.look_at_redis()
        return super().run()

    def look_at_redis(self) -> None:
        for name in names(self.redis.keys("*")):
            self.kept[name] = self.kept.get(name, "") + readable(self.redis, name.encode())


@dataclass
class Watch:
    """A stage on which everything is remembered."""

    play: Stage
    smtp: MailServer
    paging: PagingService
    works: Watched
    answers: list[str] = field(default_factory=list)

    @property
    def private(self) -> Incident:
        return next(i for i in self.works.store.recent() if i.private)

    def do(self, event: Any) -> None:
        self.works.service.handle(self.private.id, event)
        self.works.run()

    def calls(self) -> list[Json]:
        found: list[Json] = self.works.look("control/calls")["calls"]
        return found

    def members(self) -> set[str]:
        """Who may know of it: who is in its room, and who was paged."""
        room = self.private.room
        channels = self.play.state()["channels"]
        inside: list[str] = next((c["members"] for c in channels if room and c["id"] == room.channel), [])
        return {*inside, *(p.person for p in self.private.pages)}

    def places(self) -> set[str]:
        """The channels in which it may be spoken of."""
        room, members = self.private.room, self.members()
        direct = {c["id"] for c in self.play.state()["channels"] if c.get("user") in members}
        return direct | ({room.channel} if room else set())

    def mails(self) -> str:
        """Every mail as it would be read."""
        return "\n".join(_as_read(m.raw) for m in self.smtp.mails)


def _as_read(raw: str) -> str:
    """Headers and every part of a mail, decoded."""
    mail = message_from_string(raw, policy=default)
    parts = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
    return "\n".join([*(f"{name}: {value}" for name, value in mail.items()), *parts])


@contextmanager
def watched() -> Iterator[Watch]:
    with stage() as play, mail_server() as smtp, paging_service() as paging:
        service = play.works.service
        service.company = service.company.model_copy(update={"other_ways": WAYS})
        mail = MailClient(smtp.url, "tocsin@example.com")
        pagerduty = PagerDutyClient("k" * 32, paging.url)
        play.works.context = through(play.works.context, mail=mail, pagerduty=pagerduty)
        works = Watched(**vars(play.works))
        play.works = works
        yield Watch(play, smtp, paging, works)


@pytest.fixture
def loud(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """Logs as an operator sees them who asked for everything."""
    loggers = [logging.root, *map(logging.getLogger, [*logs.QUIET, *logging.root.manager.loggerDict])]
    before = [(logger, logger.level, logger.propagate, logger.handlers[:]) for logger in loggers]
    logs.setup("all", "DEBUG")
    yield capsys
    for logger, level, propagate, handlers in before:
        logger.setLevel(level)
        logger.propagate, logger.handlers[:] = propagate, handlers
    structlog.reset_defaults()


# What happens -----------------------------------------------------------------------------------------------------

FACTS: Json = {
    "title": said("title"),
    "impact": said("impact"),
    "description": said("description"),
    "public_wording": said("wording"),
    "service": "checkout",
    "data_loss": "yes",
}
FLAGS = ["outage", "major_impact"]


def declared_private(watch: Watch, severity: str) -> None:
    paula = watch.play.person("paula")
    paula.command(f"declare {said('typed')}")
    view = paula.more_details(paula.modal("Declare"))
    assert paula.submit(view, severity=severity, flags=[*FLAGS, "security"], **FACTS) == {"ok": True}
    watch.works.run()


def marked_later(watch: Watch, severity: str) -> None:
    paula = watch.play.person("paula")
    public = {name: EARLIER if name != "service" else text for name, text in FACTS.items()}
    paula.command("declare")
    assert paula.submit(paula.more_details(paula.modal("Declare")), severity=severity, flags=FLAGS, **public) == {
        "ok": True
    }
    watch.works.run()
    watch.play.press("paula", Move.SECURITY, why=said("marked"))
    watch.do(moves.Edit(by=user("paula"), **{k: v for k, v in FACTS.items() if k not in ("service", "data_loss")}))


def over_and_marked(watch: Watch, *, reviewed: bool) -> None:
    """It is resolved in public, perhaps reviewed (then its room is archived), and turns out to have been a breach."""
    paula = watch.play.person("paula")
    public = {name: EARLIER if name != "service" else text for name, text in FACTS.items()}
    paula.command("declare")
    view = paula.more_details(paula.modal("Declare"))
    assert paula.submit(view, severity="P0", flags=FLAGS, **public) == {"ok": True}
    watch.works.run()
    incident, words = watch.works.store.recent()[0].id, dict.fromkeys(("summary", "resolution", "next_steps"), EARLIER)
    events: list[Any] = [moves.Acknowledge(by=user("dana")), moves.PostUpdate(by=user("dana"), progress=EARLIER)]
    events += [moves.Resolve(by=user("dana"), **words)]
    for event in [*events, *([moves.Reviewed(by=user("dana"), text=EARLIER)] if reviewed else [])]:
        watch.works.service.handle(incident, event)
        until(watch, 10)
    paula.command(f"security {incident} {said('marked')}")
    eventually(lambda: watch.works.store.get(incident).private)
    watch.works.run()


@pytest.mark.parametrize("reviewed", [False, True])
def test_what_was_a_breach_all_along_becomes_private_though_it_is_over(reviewed: bool) -> None:
    """It is as hidden as one that was open then, stays closed, and the security team hears of it in its new room."""
    with watched() as watch:
        over_and_marked(watch, reviewed=reviewed)
        outsiders_try(watch, "gus", "mei")
        assert watch.private.status is Status.RESOLVED
        assert not [p for p in watch.private.pages if p.why == "it was marked as a security incident"]
        assert searched(watch) > 100_000
        forgotten(watch)
        room = watch.private.room
        assert room
        assert room.private
        told = "".join(everything(m) for m in watch.play.messages(room.channel))
        assert MARKER in told
        assert ("name, topic and messages of" in told) is reviewed  # its first room is archived
        inside = watch.members()
        assert user("sofia") in inside
        direct = next(c["id"] for c in watch.play.state()["channels"] if c.get("user") == user("sofia"))
        assert "Now a security incident" in "".join(everything(m) for m in watch.play.messages(direct))
        until(watch, 60)
        assert not watch.private.effects


def outsiders_try(watch: Watch, *keys: str) -> None:
    """Whoever is no member types, presses and opens whatever there is; nothing that we do then holds a word of it."""
    before, name = len(watch.calls()), watch.private.id
    commands = ("list", "help", "tickets", "oncall", "simulate P0", "slo", "update x", f"show {name}", f"ack {name}")
    changes = (f"resolve {name}", f"update {name} x", f"severity {name} P1 x", f"page {name} on_call x")
    for key in keys:
        person = watch.play.person(key)
        had = len(person.whispers())
        for typed in (*commands, *changes):
            person.command(typed)
        eventually(lambda person=person, had=had: len(person.whispers()) >= had + len(commands) + len(changes))  # type: ignore[misc]
        eventually(lambda person=person: person.home()["view"])  # type: ignore[misc]
        assert not person.modals()
        watch.answers += [*person.whispers(), json.dumps(person.home())]
    watch.works.run()
    assert not [c for c in watch.calls()[before:] if MARKER in json.dumps(c)]


def members_look(watch: Watch) -> None:
    """Those who belong to it find it everywhere."""
    member, name = watch.play.person(key_of(watch.private)), watch.private.id
    member.command("list")
    member.command(f"show {name}")
    eventually(lambda: sum(MARKER in w for w in member.whispers()) >= 2)
    eventually(lambda: MARKER in json.dumps(member.home()))


def key_of(incident: Incident) -> str:
    """Somebody who was paged for it, by the workspace's name."""
    return next(k for k in ("sofia", "bruno", "dana") if user(k) in {p.person for p in incident.pages})


def handled(watch: Watch) -> None:
    """Everything that can be said is said, and time passes."""
    member, omar = user(key_of(watch.private)), user("omar")
    policies = watch.works.service.policy.severities
    watch.do(moves.PagePeople(by=member, people=(user("sam"),), why=said("paged")))
    watch.do(moves.RootCause(by=member, cause=said("cause")))
    watch.do(moves.Workaround(by=member, text=said("workaround")))
    texts = {name: said(name) for name in ("progress", "next_steps", "eta", "impact", "public_wording")}
    watch.do(moves.PostUpdate(by=member, **texts))
    watch.do(moves.Edit(by=member, title=said("other title"), impact=said("other impact"), description=said("more")))
    watch.do(moves.TakeLead(by=member, lead=Lead.SCRIBE, to=omar))
    watch.do(moves.StartFix(by=member, text=said("fix")))
    watch.do(moves.FixApplied(by=member, text=said("applied")))
    watch.do(moves.FixFailed(by=member, text=said("failed")))
    watch.do(moves.Escalate(by=member, why=said("escalated")))
    watch.do(moves.ChangeSeverity(by=member, policy=policies[Severity.P3], why=said("lower")))
    watch.do(moves.Schedule(by=member, when=said("sprint")))
    watch.do(moves.FixApplied(by=member, text=said("again")))
    watch.do(moves.Verify(by=member, text=said("verified")))


def ended(watch: Watch) -> None:
    member = user(key_of(watch.private))
    words = {name: said(name) for name in ("summary", "resolution", "verification", "final_impact", "next_steps")}
    watch.do(moves.Resolve(by=member, **words))
    watch.do(moves.Reopen(by=member, why=said("reopened")))
    watch.do(moves.Resolve(by=member, **words))
    watch.do(moves.StateTimes(by=member, began=watch.works.clock(), ended=watch.works.clock()))
    watch.do(moves.Reviewed(by=member, text=said("review")))


def until(watch: Watch, minutes: int) -> None:
    """Push the clock in steps, doing what falls due, the regular work included."""
    for _ in range(minutes // 5):
        watch.works.clock.push(minutes=5)
        watch.works.run()
    upkeep.enqueue(watch.works.redis, watch.works.clock())
    watch.works.run()


# What is searched -------------------------------------------------------------------------------------------------


def searched(watch: Watch) -> int:
    """Every call of Slack, every message there, every mail and event, Redis, the web app; how many bytes that were."""
    places, members, texts = watch.places(), watch.members(), list[str]()
    for call in watch.calls():
        texts.append(json.dumps(call, ensure_ascii=False))
        if MARKER in texts[-1]:
            assert may_hold(call, places, members), call
    for channel, messages in watch.play.state()["messages"].items():
        texts.append(json.dumps(messages, ensure_ascii=False))
        for message in messages:
            at_home = channel in places or message.get("ephemeral_to") in members
            assert at_home or MARKER not in json.dumps(message), message
    watch.works.look_at_redis()
    for key, value in watch.works.kept.items():
        texts.append(value)
        assert MARKER not in value or key in (f"tocsin:incident:{watch.private.id}", "tocsin:search"), key
    web = [watch.play.bot.web.get(path).text for path in ("/metrics", "/readyz", "/healthz")]
    silent = [watch.mails(), *watch.paging.bodies, *web, *watch.answers]
    assert not [text for text in silent if MARKER in text]
    return sum(len(text.encode()) for text in (*texts, *silent))


def may_hold(call: Json, places: set[str], members: set[str]) -> bool:
    """Whether a call may carry a word of it."""
    arguments = call["args"]
    match call["method"]:
        case "conversations.create":
            return arguments["is_private"] in (True, "true", "1", 1)
        case "views.publish":
            return arguments["user_id"] in members
        case "views.open" | "views.update":
            return True  # to whoever pressed; outsiders have their own test
        case _:
            return arguments.get("channel") in places


def typed_in_a_terminal(monkeypatch: pytest.MonkeyPatch, incident: str) -> str:
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{valkey().port}/0")
    commands = (["list"], ["list", "--json"], ["show", incident], ["export", incident], ["slo"], ["oncall"])
    return "\n".join(CliRunner().invoke(main, command).output for command in commands)


@pytest.mark.parametrize("severity", ["P0", "P2"])
@pytest.mark.parametrize("begin", [declared_private, marked_later])
def test_no_word_of_a_private_incident_gets_out(
    begin: Any, severity: str, loud: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its declaration to its review, with a public one beside it, in every place that we write to."""
    with watched() as watch:
        begin(watch, severity)
        outsiders_try(watch, "gus", "mei")
        members_look(watch)
        until(watch, 15)
        handled(watch)
        watch.play.works.declare("P1", by=user("mei"), title="Something else")
        outsiders_try(watch, "mei")
        watch.works.clock.now = MONDAY
        until(watch, 10)
        assert MARKER not in typed_in_a_terminal(monkeypatch, watch.private.id)
        ended(watch)
        until(watch, 10)
        assert searched(watch) > 500_000
        found_at_home(watch)
        if begin is marked_later:
            forgotten(watch)
    heard = loud.readouterr()
    assert MARKER not in heard.out + heard.err


def found_at_home(watch: Watch) -> None:
    """Where it belongs, every single text stands; and the mails and events that went out were about it."""
    room = watch.private.room
    assert room
    assert room.private
    told = "\n".join(everything(m) for m in watch.play.messages(room.channel))
    stated = set(re.findall(rf"{MARKER} ([a-z_ ]+?)\b", watch.private.model_dump_json()))
    assert len(stated) > 20
    assert {what for what in stated if said(what) not in told} <= {"public_wording", "wording"}  # nothing is public
    assert len(watch.smtp.mails) > 3
    assert any(watch.private.id in event for event in watch.paging.bodies)
    assert watch.private.id in watch.mails()
    assert sum(key.startswith("rq:job:") for key in watch.works.kept) > 20


def forgotten(watch: Watch) -> None:
    """The public card, topic and name of its first room have no word of it left."""
    (old,) = watch.private.old_rooms or (None,)
    channels = {c["id"]: c for c in watch.play.state()["channels"]}
    cards = [c for c in watch.private.copies if c.redacted]
    assert cards
    for copy in (c for c in cards if not channels[c.channel]["is_archived"]):
        (card,) = [m for m in watch.play.messages(copy.channel) if m["ts"] == copy.ts]
        assert EARLIER not in everything(card)
    if old and not channels[old.channel]["is_archived"]:  # Slack itself goes on listing its former name
        assert EARLIER not in json.dumps({**channels[old.channel], "previous_names": []})
