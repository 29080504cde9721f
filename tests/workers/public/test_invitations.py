"""Invitations by mail to the call and to the review: an event that Outlook and Gmail take, kept in step."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from benchmarks.ports import free_port
from escalation.config.company import Company
from escalation.config.notify import MeetingKind, Via
from escalation.incident.events.moves import Acknowledge, Cancel, MarkSecurity, PagePeople, Reopen, Resolve
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.rooms import Meeting
from escalation.messages.calendar import CalendarEvent, icalendar
from escalation.messages.mail import Mail
from sandbox.server import running
from tests.support.company import example_data, user
from tests.support.outside_services import Mail as Taken
from tests.support.outside_services import MailServer
from tests.support.story import shipped
from tests.support.worker import Works, redis_of, through, works
from workers.channels.smtp import MailClient

SENDER = "Tocsin <tocsin@example.com>"
LINK = "https://meet.example.com/fixed"
RESOLVE = Resolve(by="dana", summary="s", resolution="r")
MARKER = "zebra crossing"
EVENT = CalendarEvent(
    uid="INC-1-call-1",
    sequence=2,
    starts=datetime(2024, 12, 18, 15, 30, tzinfo=UTC),
    ends=datetime(2024, 12, 18, 16, 30, tzinfo=UTC),
    stamp=datetime(2024, 12, 18, 15, 29, tzinfo=UTC),
    summary="Incident call: P0 Zahlungen, Karten; und \\ mehr (INC-1)",
    description="Zeile eins\nZeile zwei: " + "ä" * 90,
    location=LINK,
)


@dataclass
class Invited:
    """A worker with a mail server and no Slack."""

    parts: Works
    smtp: MailServer

    def declare(self, severity: str = "P0", **facts: Any) -> Incident:
        incident = self.parts.declare(severity, **facts)
        self.parts.run()
        return self.parts.now(incident)

    def do(self, incident: Incident, event: Any) -> Incident:
        self.parts.service.handle(incident.id, event)
        self.parts.run()
        return self.parts.now(incident)

    def mails(self) -> list[Taken]:
        return [mail for mail in self.smtp.mails if "text/calendar" in mail.raw]

    def events(self, about: str = "call") -> list[tuple[str, Any]]:
        """(whom it went to, the event) of all invitations to that meeting."""
        found = [(mail.to[0], event_of(mail.message)) for mail in self.mails()]
        return [(to, event) for to, event in found if f"-{about}-" in event["UID"]]


def calendar_part(message: EmailMessage) -> EmailMessage:
    [part] = [p for p in message.walk() if p.get_content_type() == "text/calendar"]
    assert isinstance(part, EmailMessage)
    return part


def event_of(message: EmailMessage) -> Any:  # icalendar's Event; what its properties are, it decides as it reads
    calendar = Calendar.from_ical(bytes(calendar_part(message).get_payload(decode=True)))
    [event] = calendar.walk("VEVENT")
    return event


@pytest.fixture
def invited(smtp: MailServer) -> Iterator[Invited]:
    with redis_of("valkey") as redis:
        company = Company.model_validate(example_data() | {"meeting_url": LINK})
        parts = works(redis, company=company)
        parts.service.set_up = {Via.MAIL}
        parts.context = through(parts.context, mail=MailClient(smtp.url, SENDER))
        yield Invited(parts, smtp)


def test_whoever_is_in_the_call_is_invited_once(invited: Invited) -> None:
    """One mail for each person, with the call's link, now, for an hour; and the timeline says who."""
    incident = invited.declare()
    events = invited.events()
    emails = [to for to, _ in events]
    assert len(emails) == len(set(emails)) > 2
    entries = [e for e in incident.timeline if e.kind is EntryKind.INVITED]
    assert {f"{person}@example.com" for person in entries[0].people} - {"UPAULA@example.com"} == set(emails)
    for to, event in events:
        assert (event["LOCATION"], event["DTSTART"].dt) == (LINK, incident.declared_at)
        assert event["DTEND"].dt - event["DTSTART"].dt == timedelta(hours=1)
        assert event["ATTENDEE"] == f"mailto:{to}"
        assert event["ORGANIZER"] == "mailto:tocsin@example.com"
        assert event["SUMMARY"] == f"Incident call: P0 Checkout is down ({incident.id})"


def test_who_joins_later_is_invited_then_and_nobody_again(invited: Invited) -> None:
    """The same event, and it begins for them now."""
    incident = invited.declare()
    before = {to for to, _ in invited.events()}
    invited.parts.clock.push(minutes=10)
    newcomer = next(k for k, p in example_data()["people"].items() if p["email"] not in before)
    invited.do(incident, PagePeople(by="UPAULA", people=(newcomer,)))
    invited.do(incident, Acknowledge(by=newcomer))
    added = invited.events()[len(before) :]
    assert [to for to, _ in added] == [example_data()["people"][newcomer]["email"]]
    [(_, event)] = added
    assert event["UID"] == invited.events()[0][1]["UID"]
    assert event["DTSTART"].dt == incident.declared_at + timedelta(minutes=10)


def test_another_link_changes_the_event(invited: Invited) -> None:
    """The same event, its sequence one higher, for everybody who has it."""
    incident = invited.declare()
    count = len(invited.events())
    own = Meeting(id="1", url="https://example.zoom.us/j/1")
    invited.parts.store.update(incident.id, lambda before: before.model_copy(update={"meeting": own}))
    invited.do(incident, Acknowledge(by="dana"))
    events = invited.events()
    first, later = events[:count], [e for e in events[count:] if e[1]["SEQUENCE"] == 1]
    assert {to for to, _ in later} >= {to for to, _ in first}
    assert {e["UID"] for _, e in events} == {first[0][1]["UID"]}
    assert {e["LOCATION"] for _, e in later} == {own.url}


def test_a_false_alarm_calls_the_meeting_off(invited: Invited) -> None:
    """The event is cancelled, in the method of header and body, under its own id."""
    incident = invited.declare()
    count = len(invited.events())
    invited.do(incident, Cancel(by="dana"))
    off = invited.mails()[count:]
    assert len(off) == count
    for mail in off:
        event = event_of(mail.message)
        assert (event["STATUS"], event["SEQUENCE"]) == ("CANCELLED", 1)
        assert calendar_part(mail.message).get_param("method") == "CANCEL"
        assert b"METHOD:CANCEL" in calendar_part(mail.message).get_payload(decode=True)


def test_the_review_is_held_on_the_next_working_day(invited: Invited) -> None:
    """An hour after the opening, for those who were there and the roles that the policy names; no later than due."""
    incident = invited.declare()
    closed = invited.do(incident, RESOLVE)
    events = invited.events("review")
    emails = {to for to, _ in events}
    manager = example_data()["roles"]["engineering_manager"]
    assert example_data()["people"][manager]["email"] in emails
    for _, event in events:
        starts = event["DTSTART"].dt
        assert starts.date() == (incident.declared_at + timedelta(days=1)).date()
        assert closed.review_by
        assert starts + timedelta(hours=1) <= closed.review_by


def test_a_reopened_incident_calls_its_review_off_and_holds_another(invited: Invited) -> None:
    """The former event is cancelled; the next resolution makes one of another id."""
    incident = invited.declare()
    invited.do(incident, RESOLVE)
    first = invited.events("review")
    invited.do(incident, Reopen(by="dana"))
    off = invited.events("review")[len(first) :]
    assert {(e["UID"], e["STATUS"]) for _, e in off} == {(first[0][1]["UID"], "CANCELLED")}
    invited.do(incident, RESOLVE)
    second = invited.events("review")[len(first) + len(off) :]
    assert {e["STATUS"] for _, e in second} == {"CONFIRMED"}
    assert {e["UID"] for _, e in second}.isdisjoint({first[0][1]["UID"]})


@pytest.mark.parametrize("later", [False, True])
def test_a_private_incident_s_invitation_says_id_and_severity_alone(invited: Invited, later: bool) -> None:
    """Whoever looks over a shoulder at a calendar reads no title; what stood there before is overwritten."""
    incident = invited.declare(title=MARKER, security=not later)
    if later:
        invited.do(incident, MarkSecurity(by="dana"))
    latest = dict(invited.events())
    assert latest
    assert {e["SUMMARY"] for e in latest.values()} == {f"Incident call: P0 {incident.id}"}
    assert all(MARKER not in e.to_ical().decode() for e in latest.values())


@pytest.mark.parametrize("reply", ["550 5.1.1 no such user", "451 4.3.0 later"])
def test_one_bad_address_spoils_no_other(invited: Invited, reply: str) -> None:
    """The others have theirs; the bad one is named with its reason, one that may pass is tried again for them alone."""
    bad = "lena@example.com"
    assert any(p["email"] == bad for p in example_data()["people"].values())
    invited.smtp.refusing_to[bad] = reply
    incident = invited.declare()
    incident = invited.do(incident, PagePeople(by="UPAULA", people=("lena",)))
    invited.smtp.refusing_to.clear()
    invited.parts.run_for(60, step=5)
    count = [to for to, _ in invited.events()].count(bad)
    others = [to for to, _ in invited.events() if to != bad]
    assert len(others) == len(set(others)) > 2
    refused = [e for e in invited.parts.now(incident).timeline if e.kind is EntryKind.REFUSED]
    assert (count, bool(refused)) == ((0, True) if reply.startswith("550") else (1, False))


@pytest.mark.parametrize("silent", [False, True])
def test_who_left_the_workspace_is_invited_to_no_review(smtp: MailServer, silent: bool) -> None:
    """They are named with the reason, the others are invited; while Slack is silent nobody is taken for gone."""
    with running() as workspace, redis_of("valkey") as redis:
        parts = works(redis, workspace, company=Company.model_validate(example_data() | {"meeting_url": LINK}))
        parts.service.set_up = {Via.MAIL}
        parts.context = through(parts.context, mail=MailClient(smtp.url, SENDER))
        invited = Invited(parts, smtp)
        incident = invited.declare()
        invited.do(incident, Acknowledge(by=user("dana")))
        parts.control(f"users/{user('dana')}", deleted=True)
        if silent:
            parts.control("faults", method="users.info", kind="error", error="internal_error", times=None)
        closed = invited.do(incident, RESOLVE.model_copy(update={"by": user("omar")}))
        emails = {to for to, _ in invited.events("review")}
        assert len(emails) > 2
        assert ("dana@example.com" in emails) is silent
        why = [e.why for e in closed.timeline if e.kind is EntryKind.REFUSED and e.people == (user("dana"),)]
        assert why == ([] if silent else ["the account is deactivated"])


def test_no_mail_server_or_no_wish_no_invitation(invited: Invited) -> None:
    """`invitations: []` turns them off, and without SMTP_URL there are none."""
    wishes = invited.parts.service.company
    invited.parts.service.company = wishes.model_copy(update={"invitations": ()})
    assert not invited.declare().invited
    invited.parts.service.company = wishes
    invited.parts.service.set_up = set()
    assert not invited.declare(title="Another one").invited
    assert Company.model_validate(example_data() | {"invitations": "review"}).invitations == (MeetingKind.REVIEW,)


# The mail itself -------------------------------------------------------------------------------------------------


def test_a_real_server_takes_the_structure_that_outlook_and_gmail_read() -> None:
    """mixed(alternative(plain, html, calendar), invite.ics): the calendar last and in base64, its method said twice."""
    taken: list[bytes] = []

    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            taken.append(envelope.content)
            return "250 OK"

    port = free_port()
    controller = Controller(Handler(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        mail = Mail("Incident call", "words", html="<p>words</p>", event=EVENT)
        failures = MailClient(f"smtp://127.0.0.1:{port}", SENDER).send_each(["dana@example.com"], mail, "d-1")
    finally:
        controller.stop()
    assert failures == {}
    [raw] = taken
    message = message_from_bytes(raw, policy=default)
    assert message.get_content_type() == "multipart/mixed"
    alternative, attached = message.iter_parts()
    kinds = [part.get_content_type() for part in alternative.iter_parts()]
    assert kinds == ["text/plain", "text/html", "text/calendar"]
    calendar = list(alternative.iter_parts())[-1]
    assert calendar["Content-Transfer-Encoding"] == "base64"
    assert (calendar.get_param("method"), calendar.get_content_charset()) == ("REQUEST", "utf-8")
    assert (attached.get_content_type(), attached.get_filename()) == ("application/ics", "invite.ics")
    body = calendar.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body == attached.get_payload(decode=True)
    assert b"\nMETHOD:REQUEST\r\n" in body
    assert b"\n" not in body.replace(b"\r\n", b"")


def test_an_event_survives_a_parser() -> None:
    """Every value comes back as it went in; no line is longer than 75 octets."""
    raw = icalendar(EVENT, "tocsin@example.com", "o'hara@example.com").encode()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 75
    [event] = Calendar.from_ical(raw).walk("VEVENT")
    assert event["SUMMARY"] == EVENT.summary
    assert event["DESCRIPTION"] == EVENT.description
    attendee = event["ATTENDEE"]
    assert (attendee, attendee.params["RSVP"], attendee.params["PARTSTAT"]) == (
        "mailto:o'hara@example.com",
        "TRUE",
        "NEEDS-ACTION",
    )


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029"), max_size=300))
def test_no_title_breaks_a_calendar(title: str) -> None:
    """Whatever a title holds, it stays one value of one event, in lines of 75 octets."""
    raw = icalendar(replace(EVENT, summary=f"T{title}"), "tocsin@example.com", "dana@example.com").encode()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 75
    [event] = Calendar.from_ical(raw).walk("VEVENT")
    assert event["UID"] == EVENT.uid


def test_the_policies_of_kars_ask_managers_and_leads_to_a_review() -> None:
    """Its document names them as participants."""
    for severity in shipped("kars").severities.values():
        if severity.severity in ("P0", "P1"):
            assert severity.review
            assert severity.review.invite == ("engineering_manager", "service_lead", "service_team")
