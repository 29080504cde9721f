"""Lists and webhooks: who is told outside the response by itself, through what, and against which deadline."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from bot.render.card import card
from escalation.config.company import Company
from escalation.config.notify import Via
from escalation.config.policy import Severity
from escalation.config.rules.communications import Communication, ListName
from escalation.incident.events.moves import Answer, AnswerCommunication, MarkSecurity, PostUpdate, Resolve
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Facts
from escalation.messages.timeline import entry_lines
from escalation.text import text
from sandbox.server import RunningWorkspace
from tests.support.clock import PushedClock
from tests.support.company import example_data
from tests.support.outside_services import MailServer
from tests.support.story import Story, shipped
from tests.support.vendors.server import Answer as HttpAnswer
from tests.support.vendors.server import Asked, Vendor, running
from tests.support.worker import Works, redis_of, through, works
from workers.channels import Channels
from workers.channels.actions import ActionClient
from workers.channels.smtp import MailClient
from workers.delivery.public.webhooks import WebhookPlanner

SECRET = "whsec_" + base64.b64encode(b"a secret of the portal").decode()
BOARD, SALES, DESK, CHIEF, CUSTOMER = (
    f"{name}@lists.example.com" for name in ("board", "sales", "desk", "chief", "customer")
)
LISTS = {
    "stakeholders": {"mail": [BOARD, SALES], "channel": "company"},
    "executives": {"mail": CHIEF},
    "support": {"mail": DESK, "channel": "support"},
    "customers": {"mail": [CUSTOMER]},
}
MARKER = "zebra crossing"


@dataclass
class Portal(Vendor):
    """A system that publishes what it is sent; `status` is its answer."""

    status: int = 202
    taken: list[Asked] = field(default_factory=list)

    def answer(self, asked: Asked) -> HttpAnswer:
        if self.status < 300:
            self.taken.append(asked)
        return self.status, {}

    def told(self) -> list[tuple[str, str]]:
        """(to, stage) of everything that it took."""
        data = [asked.json["data"] for asked in self.taken]
        return [(said["to"], said["stage"]) for said in data]


@dataclass
class Told:
    """A worker with mail, webhooks and a workspace, under the policy of Beauty AI."""

    parts: Works
    smtp: MailServer
    portal: Portal

    def declare(self, severity: str = "P0", **facts: Any) -> Incident:
        incident = self.parts.declare(severity, **facts)
        self.parts.run()
        return self.parts.now(incident)

    def do(self, incident: Incident, event: Any) -> Incident:
        self.parts.service.handle(incident.id, event)
        self.parts.run()
        return self.parts.now(incident)

    def push(self, **length: float) -> None:
        self.parts.clock.push(**length)
        self.parts.run()

    def mailed(self) -> set[str]:
        return {to for mail in self.smtp.mails for to in mail.to}

    def said(self, incident: Incident) -> list[str]:
        now = self.parts.now(incident)
        return [text(entry_lines(now, e)) for e in now.timeline if e.kind is EntryKind.SENT]

    def posts(self, channel: str) -> list[str]:
        there = next((c["id"] for c in self.parts.channels() if c["name"] == channel), "")
        return [m["text"] for m in self.parts.messages() if m["channel"] == there and not m.get("subtype")]


def company(url: str, **more: Any) -> Company:
    hooks = {means: {"url": url, "secret_env": "PORTAL"} for means in ("support_portal", "social_media")}
    own = {"lists": LISTS, "public_webhooks": hooks, "public_channels": ["customer_mail"], "invitations": []}
    return Company.model_validate(example_data() | own | more)


@pytest.fixture
def told(workspace: RunningWorkspace, clock: PushedClock, smtp: MailServer) -> Iterator[Told]:
    with redis_of("valkey") as redis, running(Portal()) as portal:
        parts = works(redis, workspace, clock, company(portal.url))
        parts.service.policy = shipped("beauty")
        parts.service.set_up = {Via.MAIL}
        context = through(parts.context, mail=MailClient(smtp.url, "tocsin@example.com"))
        planner = partial(WebhookPlanner, ActionClient(lambda variable: (SECRET,)))
        channels = Channels(context.slack, {**context.channels.others, "webhooks": planner})
        parts.context = replace(context, channels=channels)
        for name in ("company", "support"):
            parts.context.slack.rooms.create([name], False, "A channel", clock())
        yield Told(parts, smtp, portal)


def test_every_list_of_a_communication_is_told(told: Told) -> None:
    """By mail, each address by itself, and in its channel; the timeline says to whom, and that it was in time."""
    incident = told.declare()
    assert {BOARD, SALES, DESK, CHIEF} <= told.mailed()
    assert CUSTOMER not in told.mailed()
    assert all(len(mail.to) == 1 and mail.message["To"] == mail.to[0] for mail in told.smtp.mails)
    assert told.posts("company")
    assert told.posts("support")
    [mail] = [line for line in told.said(incident) if "by email" in line]
    assert "to stakeholders, executives, support (4 addresses), in time (due by" in mail
    assert any("by Slack to #support" in line for line in told.said(incident))


def test_a_p1_is_told_to_the_lists_that_are_meant_unless_said(told: Told) -> None:
    """Stakeholders and support; executives are named by the policy alone."""
    told.declare("P1")
    assert {BOARD, DESK} <= told.mailed()
    assert CHIEF not in told.mailed()


def test_customers_read_public_words_and_no_others(told: Told) -> None:
    """Mail, portal: neither title nor severity; the subject neither."""
    incident = told.declare(title=MARKER, outage=True, public_wording="Payments are slow.")
    told.push(minutes=15)
    [mail] = told.smtp.to(CUSTOMER)
    assert (mail.subject, MARKER in mail.raw, "Payments are slow." in mail.body) == ("Service update", False, True)
    [asked] = told.portal.taken
    assert asked.json["data"]["to"] == "support_portal"
    assert "Payments are slow." in asked.json["data"]["text"]
    assert MARKER not in asked.body
    assert any("sent by support portal" in line for line in told.said(incident))


def test_a_webhook_is_signed_and_a_repeat_has_its_id(told: Told) -> None:
    """As Standard Webhooks: the receiver verifies it, and drops what it has after a lost reply."""
    told.declare(outage=True)
    told.portal.lose = 1
    told.push(minutes=15)
    told.parts.run_for(5)
    first, repeat = told.portal.taken
    assert first.headers["webhook-id"] == repeat.headers["webhook-id"]
    signed = f"{first.headers['webhook-id']}.{first.headers['webhook-timestamp']}.{first.body}".encode()
    own = base64.b64encode(hmac.new(b"a secret of the portal", signed, hashlib.sha256).digest()).decode()
    assert first.headers["webhook-signature"] == f"v1,{own}"


def test_social_media_waits_for_a_person_and_then_goes_by_itself(told: Told) -> None:
    """The policy wants an approval: nothing is posted before it, and nobody has to publish it afterwards."""
    incident = told.declare(outage=True, major_impact=True)
    told.push(minutes=15)
    assert told.portal.told() == [("support_portal", "first")]
    owed = next(o for o in told.parts.now(incident).communications if o.plan.id == "social-media")
    told.do(incident, AnswerCommunication(by="dana", n=owed.n, answer=Answer.APPROVED))
    assert told.portal.told()[-1] == ("social_media", "first")


def test_a_system_that_refuses_is_a_problem_on_the_card(told: Told) -> None:
    """The update is not lost: it is tried again, and its owner sees that it is not all out, and why."""
    told.portal.status = 403
    incident = told.declare(outage=True)
    told.push(minutes=15)
    assert "support portal, email): not all sent yet" in str(card(told.parts.now(incident), ()).blocks)
    assert any("answered 403" in why for why in told.parts.now(incident).troubles.values())
    assert any("403" in problem.text for problem in told.parts.store.problems.current())
    told.portal.status = 202
    told.parts.run_for(120, step=10)
    assert told.portal.told() == [("support_portal", "first")]
    assert told.parts.now(incident).troubles == {}
    assert "support portal, email): sent" in str(card(told.parts.now(incident), ()).blocks)


@pytest.mark.parametrize("reply", ["550 5.1.1 no such user", "451 4.3.0 later"])
def test_one_bad_address_of_a_list_spoils_no_other(told: Told, reply: str) -> None:
    """The others have theirs, once; a bad one is named, one that may pass is tried again for it alone."""
    told.smtp.refusing_to[SALES] = reply
    incident = told.declare()
    told.smtp.refusing_to.clear()
    told.parts.run_for(60, step=5)
    assert {BOARD, DESK, CHIEF} <= told.mailed()
    assert len(told.smtp.to(BOARD)) == 1
    assert bool(told.smtp.to(SALES)) is reply.startswith("451")
    named = [e for e in told.parts.now(incident).timeline if e.kind is EntryKind.REFUSED and SALES in e.people]
    assert bool(named) is reply.startswith("550")


def test_nothing_of_a_private_incident_leaves(told: Told) -> None:
    """Neither by list nor by webhook, whether it was private from the start or became so before the deadline."""
    told.declare(security=True, title=MARKER, outage=True, public_wording=MARKER)
    later = told.declare("P1", title=MARKER, outage=True, public_wording=MARKER)
    before = len(told.smtp.mails)
    told.do(later, MarkSecurity(by="dana"))
    told.push(hours=3)
    assert told.portal.requests == []
    assert told.smtp.to(CUSTOMER) == []
    assert all(MARKER not in mail.raw for mail in told.smtp.mails[before:])


def test_a_drill_tells_nobody(told: Told) -> None:
    """No list and no system of ours hears of an exercise."""
    told.parts.service.declare("UPAULA", Severity.P0, Facts(title="T", outage=True), drill_speed=1.0)
    told.push(hours=1)
    assert not {BOARD, DESK, CHIEF, CUSTOMER} & told.mailed()
    assert told.portal.requests == []


def test_an_early_update_edits_the_posts_in_the_lists_channels(told: Told) -> None:
    """At the pace that they were promised: one post, which says the latest; the end is a post of its own."""
    incident = told.declare()
    told.push(minutes=2)
    told.do(incident, PostUpdate(by="dana", progress="We know the cause"))
    assert len(told.posts("support")) == 1
    told.do(incident, Resolve(by="dana", summary="s", resolution="r"))
    assert len(told.posts("support")) == 2


def test_executives_of_kars_hear_of_a_p0_after_two_hours_where_they_are_kept() -> None:
    """Where the company keeps no such list, nothing is planned, and nobody is asked."""
    kept = Story("P0", mail_lists=(ListName.EXECUTIVES,)).until(125)
    assert (120.0, "executives", "first") in kept.owed()
    without = Story("P0").until(125)
    assert "executives" not in {plan for _, plan, _ in without.owed()}
    assert all(c.about != "executives" for c in without.incident.checkpoints)


def test_a_list_goes_to_its_own_audience_only() -> None:
    """Customers never read what is meant for colleagues, nor the other way round: the policy is refused."""
    words = {"id": "x", "through": "mail", "why": "w"}
    with pytest.raises(ValueError, match="no lists of"):
        Communication.model_validate(words | {"audience": "stakeholders", "to": ["customers"]})
    with pytest.raises(ValueError, match="no lists of"):
        Communication.model_validate(
            words | {"audience": "customers", "to": ["executives"], "through": "customer_mail"}
        )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"lists": {"support": {}}}, "needs mail addresses or a channel"),
        ({"lists": {"friends": {"mail": "a@example.com"}}}, "stakeholders"),
        ({"lists": {"support": {"mail": "a@example.com, b@example.com"}}}, "String should match"),
        ({"public_webhooks": {"mail": {"url": "https://example.com", "secret_env": "X"}}}, "has no webhook"),
        ({"public_webhooks": {"social_media": {"url": "example", "secret_env": "X"}}}, "no web address"),
    ],
)
def test_wrong_lists_are_refused(wrong: dict[str, Any], said: str) -> None:
    """Each with what would be right."""
    with pytest.raises(ValueError, match=said):
        Company.model_validate(example_data() | wrong)
