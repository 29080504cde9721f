"""Two incidents of one problem that somebody puts together: the one that goes on has the alerts of both."""

from pathlib import Path

import pytest

from escalation.incident.events.moves import Cancel, MarkSecurity
from tests.alerts.incidents.test_lasting import minutes
from tests.alerts.test_whole_way import Monitored, alert, group, monitored, site

__all__ = ["site"]


@pytest.mark.parametrize("kept", [0, 1], ids=["the lesser", "the worse"])
def test_the_one_that_goes_on_hears_the_end_of_all_alerts(site: Monitored, kept: int) -> None:
    """Whichever was called the duplicate: nobody looks at its card any more."""
    site.taken(group(alert("Slow", severity="warning")))
    site.taken(group(alert("Down", severity="critical")))
    both = site.incidents()
    original, duplicate = both[kept], both[1 - kept]
    merged = Cancel(by="UDANA", why="the same", duplicate_of=original.id)
    site.parts.service.handle(duplicate.id, merged)
    site.taken(group(alert("Another", severity="warning")))
    assert len(site.incidents()) == 2
    for name in ("Another", "Slow", "Down"):
        site.taken(group(alert(name, "resolved")))
    assert site.parts.now(original).alerts.firing == 0
    assert any("Is the incident over?" in m["text"] for m in site.parts.messages())


def test_what_a_person_declared_shows_the_alerts_of_its_duplicate_and_is_never_resolved_by_them(tmp_path: Path) -> None:
    """They had none of their own, and nobody looks at the duplicate's card any more; what people began they end."""
    with monitored(tmp_path, routes=[{"when_resolved": "resolve"}]) as site:
        original = site.parts.declare("P1", title="Payments fail", service="checkout")
        site.taken(group(alert("Down")))
        [duplicate] = [i for i in site.incidents() if i.id != original.id]
        site.parts.service.handle(duplicate.id, Cancel(by="UDANA", duplicate_of=original.id))
        site.taken(group(alert("Down")))
        assert site.parts.now(original).alerts.firing == 1
        site.taken(group(alert("Down", "resolved")))
        minutes(site, 6)
        assert site.parts.now(original).open
        assert any("Is the incident over?" in m["text"] for m in site.parts.messages())


def test_a_private_duplicate_tells_its_original_nothing(site: Monitored) -> None:
    """Its alerts' words were redacted where they stood."""
    original = site.parts.declare("P1", title="Payments fail", service="checkout")
    site.taken(group(alert("Secret")))
    [duplicate] = [i for i in site.incidents() if i.id != original.id]
    site.parts.service.handle(duplicate.id, MarkSecurity(by="U0DANA0001", why="a leak"))
    site.taken(group(alert("Secret")))
    site.parts.service.handle(duplicate.id, Cancel(by="U0DANA0001", duplicate_of=original.id))
    site.taken(group(alert("Secret"), alert("More")))
    assert site.parts.now(original).alerts.total == 0
