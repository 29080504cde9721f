"""Alerts of an incident that is private: what they say reaches nobody else, whatever they do next."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from escalation.incident.events.moves import MarkSecurity, Resolve
from escalation.incident.model import Incident
from tests.alerts.test_whole_way import Monitored, alert, group, monitored

WORDS = "Zebra dumps its keys"
MARK = MarkSecurity(by="UDANA", why="A leak")
OVER = Resolve(by="UDANA", summary="Over", resolution="Keys changed")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Monitored]:
    with monitored(tmp_path) as made:
        yield made


def private(site: Monitored) -> Incident:
    """An incident of an alert, marked as security by a person."""
    site.taken(group(alert(WORDS, severity="warning")))
    [incident] = site.incidents()
    site.parts.service.handle(incident.id, MARK)
    site.parts.run()
    assert site.parts.public_words(WORDS) == []
    return site.parts.now(incident)


def test_a_worse_alert_opens_a_private_incident_too(site: Monitored) -> None:
    """It is heard, by a page of its own, and names the alerts of the private one in no public channel."""
    first = private(site)
    site.taken(group(alert(WORDS, severity="warning"), alert("Down", severity="critical")))
    [second] = [i for i in site.incidents() if i.id != first.id]
    assert (second.private, second.severity) == (True, "P1")
    assert second.pages
    assert "private because the former incident" in second.facts.description
    assert site.parts.public_words(WORDS) == site.parts.public_words("Down") == []


def test_an_alert_that_outlasts_its_private_incident_opens_a_private_one(site: Monitored) -> None:
    """Its words were redacted: they do not come back in public because somebody resolved too early."""
    first = private(site)
    site.parts.service.handle(first.id, OVER)
    site.parts.clock.push(minutes=6)
    site.taken(group(alert(WORDS, severity="warning")))
    [second] = [i for i in site.incidents() if i.id != first.id]
    assert second.private
    assert site.parts.public_words(WORDS) == []


def test_the_next_problem_of_the_service_is_public_again(site: Monitored) -> None:
    """Once all alerts of the private incident have ended and it is closed, nothing of it is repeated."""
    first = private(site)
    site.taken(group(alert(WORDS, "resolved", severity="warning")))
    site.parts.service.handle(first.id, OVER)
    site.taken(group(alert("Down", severity="critical")))
    [second] = [i for i in site.incidents() if i.id != first.id]
    assert not second.private
