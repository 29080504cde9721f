"""Checks of our own: against real listeners on loopback, with a pushed clock, from the try to the incident."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.alerts.uptime import heartbeat
from escalation.config.checks import Check
from escalation.incident.events.moves import Resolve
from escalation.incident.model import Incident
from escalation.storage.intake import Body, Intake
from tests.support.company import example_company, example_data
from tests.support.waiting import WITHIN, eventually
from tests.support.worker import Works, redis_of, works
from tocsin.cli import main
from tocsin.doctor.redis_checks import last_checks
from workers.queue.outbox import post_alerts
from workers.recurring.checks import BEATS, OURS, RESULTS, Checks, Result, results, slot_of
from workers.recurring.probes import Seen, is_public, probe


class Shop:
    """A web server that answers as it is told."""

    status, body, asked = 200, b"all is well", 0
    location = ""

    def __init__(self, port: int) -> None:
        self.port, self.url = port, f"http://127.0.0.1:{port}/healthz"


@pytest.fixture
def shop() -> Iterator[Shop]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked += 1
            self.send_response(made.status)
            if made.location:
                self.send_header("location", made.location)
            self.end_headers()
            self.wfile.write(made.body)

        def log_message(self, format: str, *args: Any) -> None:
            """None."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Shop(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@contextmanager
def checking(*checks: dict[str, Any]) -> Iterator[Works]:
    with redis_of("fakeredis") as redis:
        yield works(redis, company=example_company(checks=list(checks)))


def one_slot(parts: Works, checks: Checks, seconds: float = 30) -> None:
    """Push the clock by a slot, and wait until each check of it was tried and taken in."""
    parts.clock.push(seconds=seconds)
    before = {name: r.slot for name, r in results(parts.redis).items()}
    checks.start_due(parts.clock())
    names = [check.name for check in parts.service.company.checks]
    eventually(
        lambda: all(results(parts.redis)[n].slot > before.get(n, -1) for n in names if n in results(parts.redis))
    )
    eventually(lambda: set(names) <= set(results(parts.redis)))
    parts.run()


def incidents(parts: Works) -> list[Incident]:
    return sorted(parts.store.recent(), key=lambda i: i.id)


@pytest.mark.parametrize("severity", ["P0", "P1", "P2", "P3"])
def test_a_failing_check_becomes_an_incident_and_its_end_is_told(shop: Shop, severity: str) -> None:
    """After three failures in a row, with its service and exactly its severity; a success ends the alert."""
    about = {"name": "shop", "http": shop.url, "every": "30s", "private": True, "service": "checkout"}
    with checking(about | {"severity": severity}) as parts:
        checks = Checks(parts.context)
        shop.status = 500
        one_slot(parts, checks)
        one_slot(parts, checks)
        assert incidents(parts) == []
        one_slot(parts, checks)
        one_slot(parts, checks)
        [incident] = incidents(parts)
        assert (incident.severity, incident.facts.service) == (severity, "checkout")
        assert (incident.alerts.firing, "HTTP 500" in incident.model_dump_json()) == (1, True)
        shop.status = 200
        one_slot(parts, checks)
        assert parts.now(incident).alerts.firing == 0


def test_a_check_runs_once_in_its_slot_whatever_the_number_of_workers(shop: Shop) -> None:
    """Three workers look at it many times in ten slots, and the target is asked ten times."""
    with checking({"name": "shop", "http": shop.url, "every": "30s", "private": True}) as parts:
        workers = [Checks(parts.context) for _ in range(3)]
        for n in range(1, 11):
            parts.clock.push(seconds=30)
            for worker in workers * 3:
                worker.start_due(parts.clock())
            eventually(lambda n=n: shop.asked == n)  # type: ignore[misc]  # the loop's own number
            slot = slot_of(parts.service.company.checks[0], parts.clock().timestamp())
            eventually(lambda slot=slot: results(parts.redis).get("shop", Result()).slot == slot)  # type: ignore[misc]  # as above
        assert shop.asked == 10


def test_a_slow_target_delays_no_other_check_and_counts_as_failed(shop: Shop) -> None:
    """While one try hangs, the other check goes on, and each slot that finds the first still hanging is a failure."""
    released = threading.Event()

    def tried(check: Check) -> Seen:
        if check.name == "slow":
            released.wait(2 * WITHIN)
        return Seen(True, "fine")

    both = [{"name": name, "tcp": "db.example.com:5432", "every": "30s", "fails": 2} for name in ("slow", "quick")]
    with checking(*both) as parts:
        checks = Checks(parts.context, tried)
        for _ in range(3):
            parts.clock.push(seconds=30)
            checks.start_due(parts.clock())
            slot = slot_of(parts.service.company.checks[1], parts.clock().timestamp())
            eventually(lambda slot=slot: results(parts.redis).get("quick", Result()).slot == slot)  # type: ignore[misc]  # as above
        parts.run()
        released.set()
        assert results(parts.redis)["slow"].failed == 2
        assert [i.facts.title for i in incidents(parts)] == ["slow fails its check"]


def test_our_own_network_is_named_when_nothing_can_be_reached() -> None:
    """Alerts go out all the same, their text says what may be the cause, and the fault ends by itself."""
    seen = Seen(False, "no connection", unreachable=True)
    two = [{"name": name, "tcp": f"{name}.example.com:443", "every": "30s", "fails": 2} for name in ("a", "b")]
    with checking(*two) as parts:
        checks = Checks(parts.context, lambda _: seen)
        one_slot(parts, checks)
        one_slot(parts, checks)
        assert parts.store.problems.known(OURS)
        assert len(incidents(parts)) == 2
        assert any("Tocsin's own network" in i.model_dump_json() for i in incidents(parts))
        seen = Seen(True, "fine")
        one_slot(parts, checks)
        assert not parts.store.problems.known(OURS)


def test_the_alert_of_a_removed_check_ends() -> None:
    """Once a worker starts without it; its last result is forgotten."""
    one = {"name": "a", "tcp": "a.example.com:443", "every": "30s", "fails": 1}
    with checking(one) as parts:
        one_slot(parts, Checks(parts.context, lambda _: Seen(False, "HTTP 500")))
        [incident] = incidents(parts)
        assert incident.alerts.firing == 1
        after = works(parts.redis, clock=parts.clock, company=example_company())
        Checks(after.context).start_due(after.clock())
        after.run()
        assert after.now(incident).alerts.firing == 0
        assert results(after.redis) == {}


def check(**fields: Any) -> Check:
    return Check.model_validate({"name": "x", "private": True, **fields})


def test_what_a_try_says(shop: Shop) -> None:
    """Status, words and latency of a web address, and a port that is open or closed."""
    assert probe(check(http=shop.url)).text.startswith("HTTP 200 in ")
    assert probe(check(http=shop.url, contains="is well")).ok
    assert probe(check(http=shop.url, contains="is ill")).text == "the answer does not contain 'is ill'"
    assert not probe(check(http=shop.url, status=204)).ok
    assert probe(check(tcp=f"127.0.0.1:{shop.port}")).ok
    assert probe(check(tcp="127.0.0.1:1")).text == "port 1 refuses connections"
    assert not probe(check(tls=f"127.0.0.1:{shop.port}")).ok
    assert probe(check(dns="localhost")).ok
    assert not probe(check(dns="nowhere.invalid")).ok


def test_a_redirect_is_not_followed(shop: Shop) -> None:
    """It could lead into our own network; it is a failure that says so."""
    shop.status, shop.location = 302, "http://169.254.169.254/latest/meta-data"
    assert "redirects are not followed" in probe(check(http=shop.url)).text
    assert shop.asked == 1


@pytest.mark.parametrize("kind", ["http", "tcp", "tls"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433"])
def test_private_addresses_are_refused_unless_allowed(shop: Shop, kind: str, host: str) -> None:
    """However the address is written, nothing is connected to, and the text names the key that allows it."""
    target = f"{host}:{shop.port}"
    seen = probe(check(private=False, **{kind: f"http://{target}/" if kind == "http" else target}))
    assert not seen.ok
    assert "`private: true`" in seen.text or "cannot be resolved" in seen.text
    assert shop.asked == 0


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        *((a, False) for a in ("10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "fe80::1%eth0")),
        *((a, False) for a in ("fc00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "ff02::1", "::")),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    """Also those that carry an IPv4 address within an IPv6 one."""
    assert is_public(address) is public


@given(st.text("abcdef", min_size=1, max_size=9), st.integers(10, 86_400), st.integers(0, 2 * 10**9))
def test_slots_neither_drift_nor_skip(name: str, every: int, now: int) -> None:
    """One interval later is one slot later, always."""
    one = check(name=name, dns="a", every=f"{every}s", timeout="1s")
    assert slot_of(one, now + every + 0.001) - slot_of(one, now + 0.001) == 1
    assert one.every == timedelta(seconds=every)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "exactly one of"),
        ({"dns": "a", "tcp": "a:1"}, "exactly one of"),
        ({"dns": "a", "every": "5s"}, "at least 10s"),
        ({"dns": "a", "every": "10s", "timeout": "10s"}, "shorter than `every`"),
        ({"dns": "a", "contains": "x"}, "for `http` only"),
        ({"tcp": "a"}, "no host with a port"),
        ({"tcp": "a:99999"}, "no host with a port"),
        ({"http": "ftp://a"}, "no web address"),
        ({"http": "http://[::"}, "no web address"),
    ],
)
def test_a_check_that_cannot_work_is_refused(fields: dict[str, Any], said: str) -> None:
    """With a sentence that says what to write."""
    with pytest.raises(ValidationError, match=said):
        check(**fields)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"name": "a", "dns": "b"}, "two checks called 'a'"),
        ({"name": "b", "dns": "b", "service": "chekout"}, "chekout"),
    ],
)
def test_names_are_unique_and_services_exist(second: dict[str, Any], said: str) -> None:
    """Two of one name could not be told apart; a service that is not ours would reach nobody."""
    with pytest.raises(ValidationError, match=said):
        example_company(checks=[{"name": "a", "dns": "a"}, second])


def test_tocsin_check_tries_each_once_and_says_what_it_saw(shop: Shop, tmp_path: Path) -> None:
    """One line for each; a target that fails now is no error of the configuration."""
    file = tmp_path / "tocsin.yml"
    up = {"name": "up", "http": shop.url, "private": True}
    file.write_text(yaml.safe_dump(example_data() | {"checks": [up, {"name": "down", "tcp": "127.0.0.1:1"}]}))
    result = CliRunner().invoke(main, ["check", str(file)])
    assert result.exit_code == 0, result.output
    assert "check up works: HTTP 200 in " in result.output
    assert "check down fails: 127.0.0.1 is a private address" in result.output
    assert shop.asked == 1


def test_doctor_shows_what_each_check_saw_last(shop: Shop) -> None:
    """As a warning while it fails, with how often in a row."""
    with redis_of("fakeredis") as redis:
        now = time.time()
        redis.hset(RESULTS, "up", json.dumps({"at": now, "text": "HTTP 200 in 3 ms"}))
        redis.hset(RESULTS, "down", json.dumps({"at": now, "text": "HTTP 500", "ok": False, "failed": 4}))
        redis.hset(RESULTS, "removed", json.dumps({"at": now - 90_000, "text": "HTTP 500", "ok": False}))
        said = [(f.state, f.about, f.what) for f in last_checks(redis)]
    assert said == [("warning", "check down", "HTTP 500 (4 in a row)"), ("ok", "check up", "HTTP 200 in 3 ms")]


BACKUP = {"name": "backup", "heartbeat": {"every": "1h", "grace": "10m"}, "service": "checkout", "severity": "P1"}


def beat(parts: Works, ago: float = 0.0) -> None:
    """A heartbeat that was received some seconds ago."""
    at = parts.clock().timestamp() - ago
    Intake(parts.redis, post_alerts).keep(Body(f"beat-{at}", heartbeat.NAME, at, b"", path="backup"))
    parts.run()


def test_a_heartbeat_that_does_not_come_is_an_alert_and_the_next_one_ends_it() -> None:
    """Not before its grace is over; one that was only late in arriving does not count as the newest."""
    with checking(BACKUP) as parts:
        checks = Checks(parts.context)
        one_slot(parts, checks, 10)
        beat(parts)
        beat(parts, ago=1800)
        one_slot(parts, checks, 4200)
        assert incidents(parts) == []
        one_slot(parts, checks, 10)
        [incident] = incidents(parts)
        assert (incident.severity, incident.facts.service) == ("P1", "checkout")
        assert incident.facts.title == "backup sends no heartbeat"
        assert "expected every 1h" in incident.facts.description
        beat(parts)
        one_slot(parts, checks, 10)
        assert parts.now(incident).alerts.firing == 0


def test_what_goes_on_failing_after_its_incident_was_resolved_is_heard_again() -> None:
    """Once, in the minutes after it: nobody learns of it from a check that is only looked at when it changes."""
    one = {"name": "a", "tcp": "a.example.com:443", "every": "30s", "fails": 1}
    with checking(one) as parts:
        checks = Checks(parts.context, lambda _: Seen(False, "HTTP 500"))
        one_slot(parts, checks)
        [incident] = incidents(parts)
        parts.service.handle(incident.id, Resolve(by="UDANA", summary="Over", resolution="Restarted"))
        for _ in range(24):
            one_slot(parts, checks)
        _, again = incidents(parts)
        assert again.open
        assert again.facts.title == incident.facts.title


def test_a_heartbeat_that_came_while_no_worker_ran_is_not_missed() -> None:
    """It is read at the next start, before anybody is paged; one that did not come is missed ten seconds later."""
    with checking(BACKUP) as parts:
        one_slot(parts, Checks(parts.context), 10)
        beat(parts)
        parts.clock.push(hours=2)
        at = parts.clock().timestamp() - 1200
        Intake(parts.redis, post_alerts).keep(Body("waits", heartbeat.NAME, at, b"", path="backup"))
        checks = Checks(parts.context)
        one_slot(parts, checks, 10)
        one_slot(parts, checks, 10)
        assert incidents(parts) == []
        parts.clock.push(hours=2)
        checks = Checks(parts.context)
        one_slot(parts, checks, 10)
        assert incidents(parts) == []
        one_slot(parts, checks, 10)
        assert len(incidents(parts)) == 1


def test_a_heartbeat_that_never_came_is_missed_from_when_it_was_first_waited_for() -> None:
    """And one of a check that was removed meanwhile is waited for anew; it says nothing of our own network."""
    unreachable = Seen(False, "no connection", unreachable=True)
    tries = [{"name": name, "dns": f"{name}.example.com", "fails": 100} for name in ("a", "b")]
    with checking(BACKUP, *tries) as parts:
        checks = Checks(parts.context, lambda check: unreachable)
        one_slot(parts, checks, 60)
        one_slot(parts, checks, 4210)
        one_slot(parts, checks, 60)
        [incident] = incidents(parts)
        assert "none at all since" in incident.facts.description
        assert [p.key for p in parts.store.problems.current()] == [OURS]
        parts.service.company = example_company(checks=tries)
        Checks(parts.context).start_due(parts.clock())
        assert parts.redis.hgetall(BEATS) == {}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"every": "2h"}, "`every` is for checks that try something"),
        ({"fails": 2}, "`fails` is for checks"),
        ({"dns": "example.com"}, "exactly one"),
        ({"heartbeat": {"every": "1s"}}, "at least 10s"),
        ({"heartbeat": {}}, "every"),
    ],
)
def test_what_a_heartbeat_cannot_have_is_refused(more: dict[str, Any], words: str) -> None:
    """In words that say how to write it."""
    with pytest.raises(ValidationError, match=words):
        Check.model_validate(BACKUP | more)
