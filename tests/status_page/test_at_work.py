"""Planned maintenance of a service, and the incidents that are declared for it meanwhile."""

from datetime import timedelta
from typing import Any

import pytest

from bot.render.card import card
from bot.render.pages import page
from escalation.config.policy import Severity
from escalation.config.status_page import Maintenance
from escalation.incident.events.moves import Edit
from escalation.incident.model import Incident
from escalation.incident.state.facts import Facts
from escalation.messages.mail import IncidentPage, page_mail
from escalation.storage.public.maintenance import PlannedMaintenance
from tests.support.bot import World, everything, world
from tests.support.story import START

HOUR = timedelta(hours=1)
WINDOW = {"title": "New <disks>", "starts": START - HOUR, "ends": START + HOUR, "components": ("checkout",)}
SAID = "In planned maintenance"


def declared(parts: World, service: str = "checkout") -> Incident:
    facts = Facts(title="It is down", service=service)
    return parts.service.declare("alerts:grafana", Severity.P0, facts, key=service)


def of(*windows: dict[str, Any]) -> World:
    return world(status_page={"title": "Shop", "components": ["checkout", "api"], "maintenance": windows})


@pytest.mark.parametrize("planned", ["in Slack", "in the configuration"])
def test_it_silences_nothing_and_is_said_to_whoever_is_paged(planned: str) -> None:
    """On the page, in its mail and on the card: with its title as it was written, and until when."""
    parts = of(WINDOW) if planned == "in the configuration" else of()
    if planned == "in Slack":
        PlannedMaintenance(parts.redis).plan(Maintenance.model_validate(WINDOW), "U1", "k", START)
    incident = declared(parts)
    assert incident.pages
    mail = page_mail([IncidentPage(incident, incident.page(1))], {}).body
    assert "In planned maintenance: New <disks>, until 2024-12-18 16:30 UTC." in mail
    for message in (page(incident, 1), card(incident, ())):
        shown = everything({"text": "", "blocks": message.blocks})
        assert "*In planned maintenance*: New &lt;disks&gt;, until <!date^" in shown


@pytest.mark.parametrize("case", ["another service", "ahead", "over", "cancelled"])
def test_other_maintenance_is_not_mentioned(case: str) -> None:
    """Of another service, not begun yet, over or cancelled."""
    moved = {"ahead": 2 * HOUR, "over": -2 * HOUR}.get(case, timedelta())
    window = {**WINDOW, "starts": START - HOUR + moved, "ends": START + HOUR + moved}
    parts = of() if case == "cancelled" else of(window)
    if case == "cancelled":
        plans = PlannedMaintenance(parts.redis)
        plans.cancel(plans.plan(Maintenance.model_validate(WINDOW), "U1", "k", START).id, START)
    incident = declared(parts, "api" if case == "another service" else "checkout")
    assert incident.maintenance == ()
    assert SAID not in str(card(incident, ()).blocks)


def test_it_follows_the_corrected_service() -> None:
    """Once the service is corrected, its maintenance is that of the right one."""
    parts = of(WINDOW)
    incident = declared(parts, "api")
    after = parts.service.handle(incident.id, Edit(by="U1", service="checkout"))
    assert [ongoing.title for ongoing in after.maintenance] == ["New <disks>"]
    assert parts.service.handle(incident.id, Edit(by="U1", service="api")).maintenance == ()
