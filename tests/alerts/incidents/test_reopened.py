"""An incident that is reopened has its alerts again: what fires joins it, and what ends ends on it."""

from pathlib import Path

import pytest

from escalation.incident.events.moves import Cancel, Reopen
from escalation.storage.intake import Intake
from tests.alerts.incidents.test_lasting import OVER, minutes
from tests.alerts.test_whole_way import Monitored, alert, group, monitored, site
from tests.support.waiting import eventually
from workers.queue.outbox import post_alerts

__all__ = ["site"]
AGAIN = Reopen(by="UDANA", why="It was not over")
FALSE_ALARM = Cancel(by="UDANA", why="a false alarm")


@pytest.mark.parametrize("closing", [OVER, FALSE_ALARM], ids=["resolved", "false alarm"])
def test_what_fires_on_belongs_to_the_incident_that_was_reopened(site: Monitored, closing: object) -> None:
    """A body had come in between, so that the group had left it; five minutes later it declares no second one."""
    site.taken(group(alert("Down")))
    [incident] = site.incidents()
    site.parts.service.handle(incident.id, closing)  # type: ignore[arg-type]  # two of its events
    minutes(site, 1)
    site.taken(group(alert("Down")))
    site.parts.service.handle(incident.id, AGAIN)
    minutes(site, 6)
    site.taken(group(alert("Down")))
    site.taken(group(alert("Other")))
    [incident] = site.incidents()
    assert (incident.alerts.firing, incident.alerts.total) == (2, 2)
    for name in ("Down", "Other"):
        site.taken(group(alert(name, "resolved")))
    [incident] = site.incidents()
    assert incident.alerts.firing == 0
    assert any("Is the incident over?" in m["text"] for m in site.parts.messages())


def test_what_fires_anew_joins_the_incident_that_was_reopened(site: Monitored) -> None:
    """All its alerts had ended, and everything was forgotten but which incident it was."""
    site.taken(group(alert("Down")))
    site.taken(group(alert("Down", "resolved")))
    [incident] = site.incidents()
    site.parts.service.handle(incident.id, OVER)
    minutes(site, 20)
    site.taken(group(alert("Stray", "resolved")))
    site.parts.service.handle(incident.id, AGAIN)
    site.taken(group(alert("Down")))
    [incident] = site.incidents()
    assert incident.alerts.firing == 1


def test_whoever_reopens_what_has_ended_is_not_asked_whether_it_is_over(site: Monitored) -> None:
    """They have just said that it is not, and a stray body is no news."""
    site.taken(group(alert("Down")))
    [incident] = site.incidents()
    site.parts.service.handle(incident.id, OVER)
    site.taken(group(alert("Down", "resolved")))
    site.parts.service.handle(incident.id, AGAIN)
    site.taken(group(alert("Down", "resolved")))
    minutes(site, 20)
    [incident] = site.incidents()
    assert incident.open
    assert incident.alerts.firing == 0
    assert not any("Is the incident over?" in m["text"] for m in site.parts.messages())


def test_a_false_alarm_that_was_taken_back_is_heard_again_later(site: Monitored) -> None:
    """Reopened, then resolved: what still fires after that declares, for nobody calls it false any more."""
    site.taken(group(alert("Down")))
    [incident] = site.incidents()
    site.parts.service.handle(incident.id, FALSE_ALARM)
    site.taken(group(alert("Down")))
    site.parts.service.handle(incident.id, AGAIN)
    site.taken(group(alert("Down")))
    site.parts.service.handle(incident.id, OVER)
    minutes(site, 6)
    site.taken(group(alert("Down")))
    assert len(site.incidents()) == 2


def test_a_worse_alert_that_waited_is_heard_by_the_incident_that_was_reopened(site: Monitored) -> None:
    """It opens its own, as it does beside any other open incident."""
    rules = site.parts.service.company.alerts
    waits = {"match": {"labels": {"slow": "yes"}}, "wait": "2m"}
    changed = type(rules).model_validate({"routes": [waits]})
    site.parts.service.company = site.parts.service.company.model_copy(update={"alerts": changed})
    site.taken(group(alert("Down")))
    [incident] = site.incidents()
    site.parts.service.handle(incident.id, OVER)
    site.taken(group(alert("Slow", slow="yes", severity="P1")))
    assert len(site.incidents()) == 1
    site.parts.service.handle(incident.id, AGAIN)
    site.taken(group(alert("Down")))
    assert [i.severity for i in site.incidents()] == ["P1", "P0"]


def test_a_reopened_incident_shows_at_once_what_ended_while_it_was_closed(site: Monitored) -> None:
    """No body follows: its card went on to say that the alert fires."""
    site.taken(group(alert("Down"), alert("Other")))
    [incident] = site.incidents()
    site.parts.service.handle(incident.id, OVER)
    site.taken(group(alert("Down", "resolved")))
    site.bot.person("dana").command(f"reopen {incident.id} it was not over")
    reopened = eventually(lambda: next((i for i in site.incidents() if i.open), None))
    eventually(lambda: site.parts.now(reopened).alerts.firing == 1)


def test_a_reopening_is_confirmed_though_its_alerts_cannot_be_read(site: Monitored) -> None:
    """It is recorded by then: whoever reads that nothing was would do it again."""
    site.taken(group(alert("Down")))
    [incident] = site.incidents()
    site.parts.service.handle(incident.id, OVER)
    [key] = site.parts.redis.keys("tocsin:group:*")
    site.parts.redis.delete(key)
    site.parts.redis.rpush(key, "no string")
    dana = site.bot.person("dana")
    dana.command(f"reopen {incident.id} it was not over")
    [said] = eventually(dana.whispers)
    assert "Reopened" in said


def test_the_alerts_of_a_duplicate_stand_on_its_original_at_once(site: Monitored) -> None:
    """Whoever put them together sees that it worked."""
    original = site.parts.declare("P1", title="Payments fail", service="checkout")
    site.taken(group(alert("Down")))
    [duplicate] = [i for i in site.incidents() if i.id != original.id]
    site.bot.person("dana").command(f"cancel {duplicate.id} duplicate of {original.id}")
    eventually(lambda: site.parts.now(original).alerts.firing == 1)


def test_what_somebody_reopened_is_not_resolved_by_an_end_that_they_knew(tmp_path: Path) -> None:
    """Its alerts had ended, and five quiet minutes were nearly over; after the next end they count again."""
    with monitored(tmp_path, routes=[{"when_resolved": "resolve"}]) as site:
        site.taken(group(alert("Down")))
        site.taken(group(alert("Down", "resolved")))
        [incident] = minutes(site, 3)
        site.parts.service.handle(incident.id, OVER)
        site.bot.person("dana").command(f"reopen {incident.id} it was not over")
        eventually(lambda: site.parts.now(incident).open)
        eventually(lambda: Intake(site.parts.redis, post_alerts).group("service checkout").settling is None)
        [incident] = minutes(site, 10)
        assert incident.open
        site.taken(group(alert("Down")))
        site.taken(group(alert("Down", "resolved")))
        [incident] = minutes(site, 6)
        assert not incident.open
