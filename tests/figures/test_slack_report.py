"""`/incident report`: the figures of a period in Slack."""

import asyncio
import threading

from slack_sdk.web.async_client import AsyncWebClient

from bot.access import THREADS, Access
from escalation.figures.words import MEAN_HIDES
from escalation.incident.events.moves import Acknowledge, Resolve
from tests.support.bot import Office, open_office, parts_of, world
from tests.support.company import user


def test_the_report_in_slack(office: Office) -> None:
    """Counts, times and promises; private incidents are not among them, and that is said."""
    incident = office.declare(severity="P1")
    office.declare(severity="P1", security=True)
    handle = office.world.service.handle
    handle(incident.id, Acknowledge(by=user("omar")))
    handle(incident.id, Resolve(by=user("omar"), summary="a", resolution="b"))
    office.world.clock.push(minutes=5)
    dana = office.person("dana")
    dana.command("report")
    said = dana.told("1 incident: 1 P1.")
    assert "Private incidents are not in these figures." in said
    assert "*Time to resolve (MTTR), P1:* n 1, p50 0s" in said


def test_means_are_shown_where_a_report_asks_for_them() -> None:
    """A report that is sent with means, of the policy or the company, says that people want them wherever they read."""
    with open_office(reports=[{"every": "month", "mean": True}]) as office:
        incident = office.declare(severity="P1")
        office.world.service.handle(incident.id, Resolve(by=user("omar"), summary="a", resolution="b"))
        office.world.clock.push(minutes=5)
        dana = office.person("dana")
        dana.command("report")
        assert MEAN_HIDES in dana.told("1 incident: 1 P1.")


def test_a_lead_sees_everybodys_time_on_call(office: Office) -> None:
    """Whoever leads a team or a service: hours, nights, weekends and pages, least first. Nobody else does."""
    office.person("bruno").command("report 7d")
    said = office.person("bruno").told("On call, least first")
    assert f"<@{user('dana')}>: " in said
    assert " at night, " in said
    office.person("mei").command("report 7d")
    assert "On call, least first" not in office.person("mei").told("No incidents")


def test_an_unknown_period_is_refused_in_slack(office: Office) -> None:
    """With how to write one."""
    dana = office.person("dana")
    dana.command("report sometime")
    assert "`2026-11`" in dana.told("Not a period: sometime")


async def test_no_click_waits_for_a_report(office: Office) -> None:
    """However many people ask for reports at once: they are written one after the other, and clicks go on."""
    access = Access(parts_of(office.workspace, world().service), AsyncWebClient(token="xoxb-none"))
    written = threading.Event()
    asked = [asyncio.create_task(access.report(written.wait, 60)) for _ in range(2 * THREADS)]
    await asyncio.sleep(0)
    assert await asyncio.wait_for(access.run(lambda: "acknowledged"), 20) == "acknowledged"
    assert not any(task.done() for task in asked)
    written.set()
    await asyncio.gather(*asked)
    access.close()
