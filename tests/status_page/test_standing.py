"""The rules of the page: bars from published impact, promises, the size, the chain."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.config.status_page import ComponentState, Maintenance, StatusPage
from escalation.status_page.files import MOST_BYTES, render
from escalation.status_page.publications import Impact, Link, Publication, broken, digest, link
from escalation.status_page.standing import incidents_of, intervals, runs, state_now

NOW = datetime(2026, 11, 29, 14, 2, tzinfo=UTC)
PAGE = StatusPage(title="Shop status", components=("checkout", "api"))
DOWN, OK = ComponentState.MAJOR, ComponentState.OPERATIONAL


def published(
    n: int, incident: str = "a1", minutes: float = 0, status: str = "investigating", **more: Any
) -> Publication:
    """An update so many minutes before now."""
    at = NOW - timedelta(minutes=minutes)
    states = {"checkout": OK if status == "resolved" else DOWN}
    base = {"n": n, "incident": incident, "ours": str(n), "at": at, "status": status, "name": "Checkout fails"}
    rest = {"impact": Impact.CRITICAL, "components": states, "body": "We look into it.", "knew_at": at}
    return Publication.model_validate(base | rest | more)


def page(*publications: Publication, now: datetime = NOW) -> dict[str, str]:
    return {path: content.decode() for path, content in render(PAGE, publications, now).items()}


@st.composite
def logs(draw: st.DrawFn) -> list[Publication]:
    """What was published of some incidents in the last hundred days, in order."""
    updates = [
        (draw(st.integers(0, 144_000)), f"i{i}", draw(st.sampled_from(["checkout", "api"])), last)
        for i in range(draw(st.integers(0, 6)))
        for last in [*[False] * draw(st.integers(1, 3)), *[True] * draw(st.integers(0, 1))]
    ]
    by_incident: dict[str, list[int]] = {}
    for minutes, incident, _, _ in sorted(updates, reverse=True):
        by_incident.setdefault(incident, []).append(minutes)
    made = [
        (by_incident[incident].pop(0), incident, component, "resolved" if last else "investigating")
        for _, incident, component, last in updates
    ]
    ordered = sorted(made, key=lambda u: -u[0])
    return [
        published(n, i, m, s, components=dict.fromkeys(("checkout", "api"), OK) if s == "resolved" else {c: DOWN})
        for n, (m, i, c, s) in enumerate(ordered, 1)
    ]


@given(logs())
def test_the_bars_are_the_union_of_what_was_published(log: list[Publication]) -> None:
    """A day is not green exactly if some published impact touches it; with an open incident today is not."""
    incidents = incidents_of(log)
    of = intervals(incidents)
    for component in PAGE.components:
        days = [run for run in runs(component, of, NOW) for _ in range(run.days)]
        assert len(days) == 90
        for n, run in enumerate(reversed(days)):
            begins = NOW.replace(hour=0, minute=0) - timedelta(days=n)
            ends = begins + timedelta(days=1)
            touched = any(
                i.component == component and i.since < ends and (i.until or NOW) >= begins and i.until != begins
                for i in of
            )
            assert (run.state is not OK) == touched
        is_open = any(i.open and i.latest.components.get(component) is DOWN for i in incidents)
        if is_open:
            assert days[-1].state is DOWN
            assert state_now(component, of, NOW) is DOWN


def test_green_says_until_when_it_holds() -> None:
    """It has its end in words, in summary.json, and the page asks for itself again."""
    files = page()
    assert "Operational at 14:02 UTC; after 14:07 do not rely on this page" in files["index.html"]
    assert json.loads(files["summary.json"])["valid_until"] == "2026-11-29T14:07:00Z"
    assert '<meta http-equiv="refresh" content="60">' in files["index.html"]
    said = "As published at 29 November 2026, 14:02 UTC; after 14:07 do not rely on this page."
    assert [path for path, text in files.items() if said in text] == ["history/index.html", "feed.atom"]


def test_a_missed_promise_stays_visible() -> None:
    """While the update is missing, and after it came."""
    first = published(1, minutes=60, next_by=NOW - timedelta(minutes=30))
    assert "Promised the next update by 13:32 UTC: it has not come yet." in page(first)["index.html"]
    late = page(first, published(2, minutes=10))["index.html"]
    assert "Promised the next update by 13:32 UTC: it came 20 minutes late." in late


def test_each_update_says_when_we_knew_when_we_told_and_when_the_next_one_comes() -> None:
    """The three instants that a customer asks for."""
    knew = NOW - timedelta(minutes=9)
    html = page(published(1, minutes=5, knew_at=knew, next_by=NOW + timedelta(minutes=25)))["index.html"]
    assert "We knew at 13:53 UTC, told you at 13:57 UTC. Next update by 14:27 UTC." in html


def test_markup_in_words_is_text() -> None:
    """In the page, in the feed, in the history; and there is no script at all."""
    evil = "<script>alert(1)</script> & </title>"
    files = page(published(1, name=evil, body=evil))
    assert not [path for path, text in files.items() if "<script" in text and path != "summary.json"]
    feed = ElementTree.fromstring(files["feed.atom"])
    titles = [e.text for e in feed.iter("{http://www.w3.org/2005/Atom}title")]
    assert titles == ["Shop status", f"Investigating: {evil}"]


@pytest.mark.parametrize("count", [3, 40, 400])
def test_every_page_stays_small(count: int) -> None:
    """Below 30 kB, however many incidents there are, open or over, with the longest words."""
    log = [
        published(
            2 * n + k, f"i{n}", minutes=(count - n) * 200 - 10 * k, status=status, body="Ü" * 4000, name="Ä" * 120
        )
        for n in range(count)
        for k, status in enumerate(["investigating", "resolved" if n % 2 else "monitoring"])
    ]
    sizes = {path: len(text.encode()) for path, text in page(*log).items() if path.endswith(".html")}
    assert max(sizes.values()) < MOST_BYTES, sizes


def test_summary_lists_the_open_incidents_by_their_public_words() -> None:
    """The shape that programs read."""
    files = page(published(1, "gone", 900), published(2, "gone", 800, "resolved"), published(3, "open", 5))
    summary = json.loads(files["summary.json"])
    assert set(summary) == {"page", "generated_at", "valid_until", "components", "incidents", "maintenance"}
    assert summary["components"] == [
        {"name": "checkout", "status": "major_outage"},
        {"name": "api", "status": "operational"},
    ]
    [incident] = summary["incidents"]
    assert set(incident) == {"id", "name", "status", "impact", "started_at", "updates"}
    assert incident["id"] == "open"


def test_the_chain_tells_what_was_changed_and_outlives_what_was_withdrawn() -> None:
    """A changed word, a removed link and a swapped one are found; deleted words are not a fault."""
    words = {n: (f"salt{n}", f"words {n}") for n in (1, 2, 3)}
    links = list[Link]()
    for n, (salt, document) in words.items():
        links.append(link(links[-1] if links else None, n, digest(salt, document)))
    assert broken(links, words) == []
    assert broken(links, {n: w for n, w in words.items() if n != 2}) == []
    assert broken(links, words | {2: ("salt2", "other words")}) == [2]
    assert broken([links[0], links[2]], words) == [3]


@pytest.mark.parametrize(
    ("hours", "phase"), [(-2, "scheduled"), (0, "in_progress"), (0.99, "in_progress"), (1, "completed"), (26, None)]
)
def test_maintenance_is_scheduled_in_progress_and_completed_by_its_times(hours: float, phase: str | None) -> None:
    """On the page and in summary.json; a day after its end it is gone."""
    window = {"title": "New <disks>", "starts": NOW, "ends": NOW + timedelta(hours=1), "components": ["api"]}
    settings = StatusPage.model_validate({**PAGE.model_dump(), "maintenance": [window]})
    files = {path: text.decode() for path, text in render(settings, [], NOW + timedelta(hours=hours)).items()}
    assert [m["status"] for m in json.loads(files["summary.json"])["maintenance"]] == ([phase] if phase else [])
    assert ("New &lt;disks&gt;" in files["index.html"]) == bool(phase)


def test_a_component_under_maintenance_does_not_claim_to_be_operational() -> None:
    """Nor does the headline; an open incident says more of it, and after the end it is operational."""
    window = Maintenance(title="New disks", starts=NOW, ends=NOW + timedelta(hours=1), components=("checkout",))
    maintained, later = PAGE.model_copy(update={"maintenance": (window,)}), NOW + timedelta(hours=1)
    down = [published(1, minutes=5)]
    assert (
        "<strong>Planned maintenance in progress at 14:02 UTC; after"
        in render(maintained, [], NOW)["index.html"].decode()
    )
    assert "<strong>1 open incident at 14:02 UTC; after" in render(maintained, down, NOW)["index.html"].decode()
    for log, now, word in (([], NOW, "Under maintenance"), (down, NOW, "Major outage"), ([], later, "Operational")):
        files, state = render(maintained, log, now), word.lower().replace(" ", "_")
        assert json.loads(files["summary.json"])["components"][0] == {"name": "checkout", "status": state}
        assert f'<span class="state {state}">{word}</span>' in files["index.html"].decode()


def test_maintenance_that_ends_before_it_starts_is_refused() -> None:
    """So is one of a component that the page does not list."""
    window = {"title": "Disks", "starts": NOW, "ends": NOW}
    with pytest.raises(ValueError, match="ends before it starts"):
        StatusPage.model_validate({"title": "T", "maintenance": [window]})
    later = {**window, "ends": NOW + timedelta(hours=1), "components": ["x"]}
    with pytest.raises(ValueError, match="names x, which `components` does not list"):
        StatusPage.model_validate({"title": "T", "maintenance": [later]})
