"""After an outage one mail tells each person all that they missed, whatever a server or an incident does meanwhile."""

import contextlib
from collections import Counter

import pytest

from escalation.incident.effects import PageBy
from escalation.incident.events.moves import Resolve
from escalation.incident.model import Incident
from escalation.incident.state.pages import PageState
from escalation.storage.alarms import incident_of
from tests.support.outside_services import MailServer
from tests.support.waiting import eventually
from tests.support.worker import Works, names, raw
from tests.workers.test_other_channels import MARKER, PAGING, using
from tests.workers.test_other_channels import parts as parts
from workers.clock.sweep import Sweep
from workers.delivery.mail import OPEN_FOR, SharedMails
from workers.delivery.plan import RetryAt, SendResult
from workers.queue.leases import Leases, lease_key

pytestmark = pytest.mark.slow


def slept_through(parts: Works, smtp: MailServer, *severities: str) -> list[Incident]:
    """Incidents of which each wakes people while Tocsin is away for an hour; only the mails of afterwards are left."""
    made = [using(parts, PAGING).declare(s, title=f"Outage {n}") for n, s in enumerate(severities)]
    parts.run()
    smtp.mails.clear()
    parts.clock.push(minutes=60)
    parts.run()
    return made


def test_one_mail_tells_all_that_was_slept_through(parts: Works, smtp: MailServer) -> None:
    """Each person gets one, the worst incident first; nobody waits for it but those whose page is late already."""
    mild, *bad = slept_through(parts, smtp, "P1", "P0", "P0")
    assert not smtp.mails
    parts.run_for(5, step=0.5)
    assert smtp.mails
    assert len({m.to[0] for m in smtp.mails}) == len(smtp.mails)
    by_pages = Counter(p.person for i in (mild, *bad) for p in parts.now(i).pages if p.state is PageState.OPEN)
    members = parts.store.directory().people
    for mail in smtp.mails:
        listed = [i for i in (*bad, mild) if i.id in mail.body]
        assert len(listed) == by_pages[members[mail.to[0]]]
        assert mail.subject.startswith(f"[{listed[0].severity}] You're being paged")
        assert mail.subject.endswith(f" and {len(listed) - 1} more" if len(listed) > 1 else ")")
    assert max(by_pages.values()) == 3
    for incident in (mild, *bad):
        parts.settled(incident)


def test_a_mail_that_has_to_wait_keeps_the_others_with_it(parts: Works, smtp: MailServer) -> None:
    """The server says later a few times: then one mail goes, and the others count as sent with it."""
    made = slept_through(parts, smtp, "P0", "P0")
    smtp.refusing["RCPT"] = "451 try again later"
    parts.run_for(8, step=0.5)
    smtp.refusing.clear()
    parts.run_for(60, step=2)
    assert smtp.mails
    assert len({m.to[0] for m in smtp.mails}) == len(smtp.mails)
    for incident in made:
        parts.settled(incident)


def test_a_mail_that_is_called_off_leaves_its_place_to_the_next(parts: Works, smtp: MailServer) -> None:
    """The incident whose mail was to take the others along is over before it went."""
    first, *others = slept_through(parts, smtp, "P0", "P0", "P0")
    parts.service.handle(first.id, Resolve(by="U0OMAR0001", summary="Over", resolution="Restarted"))
    parts.run_for(60, step=1)
    assert smtp.mails
    assert len({m.to[0] for m in smtp.mails}) == len(smtp.mails)
    assert all(f"{i.id}" in m.body for m in smtp.mails for i in others)
    assert all(first.id not in m.body for m in smtp.mails)
    for incident in others:
        parts.settled(incident)


def test_an_urgent_page_waits_for_no_other(parts: Works, smtp: MailServer) -> None:
    """A P1's mail was opened first, in a queue of its own that may be slow: the P0's takes the next ones along."""
    mild, bad, worse = slept_through(parts, smtp, "P1", "P0", "P0")
    shared, now = SharedMails(parts.store), parts.clock()
    parts.redis.delete(*parts.redis.keys("tocsin:envelope:*"))

    def joins(incident: Incident) -> RetryAt | SendResult | None:
        return shared.join(parts.now(incident), mail_of(parts, incident), "a@example.com", now)

    assert [joins(i) for i in (mild, bad, worse)] == [RetryAt(now + OPEN_FOR)] * 3
    now += OPEN_FOR
    assert joins(bad) is None
    assert shared.close("a@example.com", mail_of(parts, bad)) == (mail_of(parts, worse).id,)
    assert joins(mild) is None
    assert shared.close("a@example.com", mail_of(parts, mild)) == ()


def mail_of(parts: Works, incident: Incident) -> PageBy:
    """The first of its mails that is to go."""
    return next(e for e in parts.now(incident).effects if isinstance(e, PageBy))


def test_what_a_server_refuses_takes_nobody_else_down(parts: Works, smtp: MailServer) -> None:
    """One of the letters looks like spam: the others go by themselves."""
    smtp.refusing["DATA"] = "554 this is spam"
    made = slept_through(parts, smtp, "P0", "P0", "P0")
    parts.run_for(4, step=0.5)
    assert not smtp.mails
    smtp.refusing.clear()
    parts.run_for(120, step=2)
    people = {m.to[0] for m in smtp.mails}
    assert people
    for to in people:
        told = [m.body for m in smtp.mails if m.to[0] == to]
        assert all(sum(i.id in body for body in told) == 1 for i in made if any(i.id in body for body in told))
    for incident in made:
        parts.settled(incident)


def test_a_document_that_cannot_be_read_holds_up_no_other_mail(parts: Works, smtp: MailServer) -> None:
    """The one that was to take the others along is broken."""
    first, second = slept_through(parts, smtp, "P0", "P0")
    parts.redis.set(f"tocsin:incident:{first.id}", "{}")
    for _ in range(40):
        parts.clock.push(seconds=1)
        with contextlib.suppress(KeyError):
            parts.run()
    assert any(second.id in m.body for m in smtp.mails)


def test_a_private_incident_says_nothing_in_a_shared_mail(parts: Works, smtp: MailServer) -> None:
    """It stands beside an open one, and still says no word of what it is."""
    using(parts, PAGING).declare("P0", title=MARKER, impact=MARKER, security=True)
    slept_through(parts, smtp, "P0")
    parts.run_for(5, step=0.5)
    assert any("and 1 more" in m.subject for m in smtp.mails)
    assert MARKER not in str([(m.subject, m.body) for m in smtp.mails])


def test_a_page_in_time_has_its_own_mail(parts: Works, smtp: MailServer) -> None:
    """Two incidents on a good day."""
    made = [using(parts, PAGING).declare("P0") for _ in range(2)]
    parts.run()
    assert len(smtp.mails) == sum(len(parts.now(i).pages) for i in made)


@pytest.mark.parametrize("closed", [False, True], ids=["before it closed the mail", "after it closed the mail"])
def test_a_shared_mail_whose_worker_died_reaches_each_person_once(parts: Works, smtp: MailServer, closed: bool) -> None:
    """The sweep gives it to another worker once the lease has run out, and the pages that joined it go with it."""
    made = slept_through(parts, smtp, "P0", "P0")
    parts.clock.push(seconds=OPEN_FOR.total_seconds())
    firsts = {key.removeprefix("tocsin:envelope:"): first_of(parts, key) for key in envelopes(parts)}
    assert firsts
    dying = Leases(parts.redis)
    for to, first in firsts.items():
        lease = dying.claim(first, parts.clock())
        assert lease
        assert dying.begin(lease) == 1
        effect = parts.store.get(incident_of(first)).effect(first)
        assert isinstance(effect, PageBy)
        if closed:
            assert SharedMails(parts.store).close(to, effect)
    dying.close()
    for key in parts.redis.scan_iter("rq:*"):
        parts.redis.delete(key)
    parts.run_for(2, step=1)
    assert not smtp.mails
    eventually(lambda: not any(parts.redis.exists(lease_key(first)) for first in firsts.values()))
    for _ in range(60):
        parts.clock.push(seconds=1)
        Sweep(parts.redis, parts.store).repair_lost(parts.clock())
        parts.run()
    assert sorted(mail.to[0] for mail in smtp.mails) == sorted(firsts)
    assert all(incident.id in mail.body for mail in smtp.mails for incident in made)
    for incident in made:
        parts.settled(incident)


def envelopes(parts: Works) -> list[str]:
    return names(parts.redis.scan_iter("tocsin:envelope:*"))


def first_of(parts: Works, key: str) -> str:
    """The mail that takes the others along."""
    return raw(parts.redis.hget(key, "first")).decode()
