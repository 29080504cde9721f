"""Nothing that is not meant for the public gets out: a marker in every field, looked for in every byte."""

import contextlib
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from escalation.config.status_page import STATUS_PAGE, ComponentState, StatusPage
from escalation.errors import Refused
from escalation.incident.events.moves import (
    Acknowledge,
    MarkSecurity,
    MoveEvent,
    PostUpdate,
    PublishUpdate,
    Resolve,
    RootCause,
)
from escalation.incident.events.outcomes import Delivered, Dropped
from escalation.incident.model import Incident
from escalation.storage.alarms import ready
from escalation.storage.public.folder import StatusFolder
from escalation.storage.public.log import PublicLog
from escalation.storage.public.subscribers import Subscribers
from tests.status_page.test_publishing import PUBLIC, company
from tests.support.outside_services import MailServer, mail_server
from tests.support.vendors.server import running
from tests.support.vendors.statuspage import KEY, PAGE, StatuspageStandIn
from tests.support.worker import Works, redis_of, works
from workers.channels.public.statuspage import StatuspageClient
from workers.channels.smtp import MailClient
from workers.delivery.public.status_page import StatusPagePlanner
from workers.recurring.statuspage import Mirror
from workers.recurring.subscribers import Mailing

MARK = "zebramarker"
INSIDE = {"title": MARK, "description": MARK, "impact": MARK}
MOVES: dict[str, MoveEvent] = {
    "ack": Acknowledge(by="UONCALL"),
    "update": PostUpdate(by="UONCALL", progress=MARK, next_steps=MARK, eta="30m"),
    "cause": RootCause(by="UONCALL", cause=MARK),
    "publish": PublishUpdate(by="UONCALL", wording=PUBLIC, components={"checkout": ComponentState.PARTIAL}),
    "security": MarkSecurity(by="UONCALL"),
    "resolve": Resolve(by="UONCALL", summary=MARK, resolution=MARK),
}


@pytest.fixture(scope="module")
def vendor() -> Iterator[StatuspageStandIn]:
    with running(StatuspageStandIn()) as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def post() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@given(moves=st.lists(st.sampled_from(sorted(MOVES)), max_size=5), private=st.booleans())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_no_word_from_inside_is_in_any_byte_outside(
    tmp_path: Path, vendor: StatuspageStandIn, post: MailServer, moves: list[str], private: bool
) -> None:
    """Whatever happens to an incident, in whatever order: not in the folder, in a call to Statuspage, or in a mail."""
    post.mails.clear()
    vendor.requests.clear()
    vendor.incidents.clear()
    with redis_of("fakeredis") as redis:
        parts = works(redis, company=company())
        log = PublicLog(redis)
        assert parts.service.company.status_page
        folder = StatusFolder(
            tmp_path / secrets.token_hex(8), parts.service.company.status_page, log, parts.store.problems
        )
        mirror = Mirror(redis, StatuspageClient(KEY, PAGE, vendor.url), parts.store.problems)
        subscribe(redis)
        mail = MailClient(post.url, "status@example.com")
        mailing = Mailing(Subscribers(redis), mail, folder_page(parts), "https://t.example.com", parts.store.problems)
        wording = MARK if private else PUBLIC
        incident = parts.declare("P0", **INSIDE, security=private, public_wording=wording, service="checkout")
        for name in [*moves, ""]:
            parts.clock.push(minutes=40)
            if name:
                with contextlib.suppress(Refused):  # what cannot be done any more
                    parts.service.handle(incident.id, MOVES[name])
            _publish(parts, incident, folder, mirror, mailing)
        written = [p.read_text() for p in folder.folder.rglob("*") if p.is_file()]
        outside = written + [f"{asked.path} {asked.body}" for asked in vendor.requests] + [m.raw for m in post.mails]
        assert not [text for text in outside if MARK in text or incident.id in text]
        if parts.now(incident).private:
            assert vendor.incidents == []
            assert not [text for text in written if PUBLIC[:-1] in text]
        if private:
            assert post.mails == []


def folder_page(parts: Works) -> StatusPage:
    page = parts.service.company.status_page
    assert page
    return page


def subscribe(redis: Redis) -> None:
    """Somebody who reads everything by mail."""
    subscribers = Subscribers(redis)
    subscribers.ask("ann@example.org", "127.0.0.1")
    wanted = subscribers.next_confirmation(datetime.now(UTC))
    assert wanted
    assert subscribers.confirm(wanted.token, 0)


def _publish(parts: Works, incident: Incident, folder: StatusFolder, mirror: Mirror, mailing: Mailing) -> None:
    """Carry out what goes to the status page: the rest of the worker is not needed for it."""
    planner = StatusPagePlanner(parts.service)
    while effects := [e for e in ready(parts.now(incident)).values() if e.carried_by == STATUS_PAGE]:
        outcome = planner.plan(parts.now(incident), effects[0], parts.clock())
        assert isinstance(outcome, Delivered | Dropped)
        parts.service.handle(incident.id, outcome)
    for _ in range(6):
        parts.clock.push(seconds=2)
        folder.renew(parts.clock())
        mirror.step(parts.clock())
        mailing.step(parts.clock())
