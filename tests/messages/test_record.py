"""The record: a timeline entry says for ever what was true when it was made, and nothing that nobody said."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.render.mrkdwn import plain
from escalation.config.policy import Severity
from escalation.incident.effects import OpenRoom
from escalation.incident.events.moves import Acknowledge, Edit, Reopen, Resolve, RootCause, Workaround
from escalation.incident.events.outcomes import RoomOpened
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.facts import Status
from escalation.incident.state.rooms import Room
from escalation.messages.communications import published_words
from escalation.messages.template import WORDING
from escalation.messages.timeline import entry_lines
from escalation.storage import migrations
from tests.engine.test_state_machine import SEVERITIES, STEPS, Step, take
from tests.support.incidents import RESOLVE, incident_after
from tests.support.profiles import examples
from tests.support.story import Story
from tocsin.commands.output import markdown, row

SAID = {"data_loss": [True, False, None], "outage": [True, None], "major_impact": [False, None]}


def words(incident: Incident, entry: Entry) -> str:
    """One entry as the terminal and the export show it."""
    lines = [*entry_lines(incident, entry)]
    if entry.kind is EntryKind.COMMUNICATION:
        lines += published_words(incident, entry, WORDING)
    return "\n".join(plain(line) for line in lines)


def with_room(story: Story) -> None:
    """The war room is opened, as soon as one is wanted."""
    for effect in story.incident.effects:
        if isinstance(effect, OpenRoom) and not effect.withdrawn and story.incident.room is None:
            room = Room(channel="CROOM1", name=effect.name, private=effect.private)
            story.do(RoomOpened(effect=effect.id, room=room))


@given(
    st.lists(STEPS, max_size=14),
    st.sampled_from(SEVERITIES),
    st.sampled_from([{}, {"security": True}, {"drill": True}, {"outage": True, "data_loss": True}]),
)
@settings(max_examples=examples(100), deadline=None)
def test_an_entry_reads_the_same_for_ever(steps: list[Step], born: tuple[str, Severity], more: dict[str, Any]) -> None:
    """Whatever happens afterwards, each entry says what was true when it was made, also once stored and read again."""
    story = Story(born[1], policy=born[0], **more)
    first = {e.n: words(story.incident, e) for e in story.incident.timeline}
    for step in steps:
        take(story, step)
        with_room(story)
        first = {e.n: words(story.incident, e) for e in story.incident.timeline} | first
    stored = migrations.read(migrations.write(story.incident).encode())
    assert stored == story.incident
    assert {e.n: words(stored, e) for e in stored.timeline} == first


def test_the_export_shows_the_alert_as_it_was_sent() -> None:
    """The first entry of a resolved, corrected incident keeps its status, its title and who was assigned."""
    incident = incident_after(Acknowledge(by="UONCALL"), Edit(by="UONCALL", title="Payments are down"), RESOLVE)
    alert = markdown(incident, {}).split("## Timeline")[1].split("Acknowledged")[0]
    assert "Status: INVESTIGATING" in alert
    assert "Checkout is down" in alert
    assert "paged, not acknowledged" in alert
    assert "RESOLVED" not in alert


@pytest.mark.parametrize(
    ("said", "shown"), [(None, ""), (True, "Data loss: Data was lost."), (False, "Data loss: No data was lost.")]
)
def test_of_data_loss_only_what_is_known_is_said(said: bool | None, shown: str) -> None:
    """Unknown is not no: the notice, the record and the status page are silent about data loss while nobody knows."""
    resolved = Resolve(by="UONCALL", summary="s", resolution="r", data_loss=said)
    incident = incident_after(resolved, outage=True)
    everything = "\n".join(words(incident, e) for e in incident.timeline)
    assert [line for line in everything.splitlines() if "data" in line.lower() and "database" not in line] == (
        [shown] if shown else []
    )
    assert incident.facts.data_loss is said


def test_a_resolution_notice_says_nothing_about_an_impact_that_nobody_stated() -> None:
    """No "not stated" stands in the public record."""
    incident = incident_after(Resolve(by="UONCALL", summary="s", resolution="r"), impact="")
    (notice,) = (e for e in incident.timeline if e.kind is EntryKind.RESOLVED)
    assert "Impact" not in words(incident, notice)


def test_a_reopened_incident_says_from_when_its_figures_count() -> None:
    """Time to acknowledge counts from the reopening; the duration says both where it begins and the whole."""
    story = Story().until(10).do(RESOLVE).until(60).do(Reopen(by="UONCALL"))
    story.until(62).do(Acknowledge(by="UDEVOPS")).until(65).do(RESOLVE)
    assert story.incident.status is Status.RESOLVED
    acknowledged = [words(story.incident, e) for _, e in story.entries(EntryKind.ACKNOWLEDGED)]
    assert acknowledged[-1].endswith("2 minutes after it was reopened.")
    notices = [words(story.incident, e) for _, e in story.entries(EntryKind.RESOLVED)]
    assert "Duration: 10 minutes\n" in notices[0]
    assert "5 minutes since reopening (1 hour 5 minutes in total)" in notices[1]


def test_the_export_keeps_what_an_earlier_stretch_had_found() -> None:
    """A reopened incident's header and list have its cause, its workaround and both acknowledgements."""
    story = Story().until(2).do(Acknowledge(by="UONCALL")).do(RootCause(by="UONCALL", cause="The pool"))
    story.do(Workaround(by="UONCALL", text="The old page")).until(10).do(RESOLVE).until(60).do(Reopen(by="UONCALL"))
    assert row(story.incident, {})[4] == "UONCALL (before it was reopened)"
    story.until(63).do(Acknowledge(by="UDEVOPS"))
    header = markdown(story.incident, {}).split("## Timeline")[0]
    for part in ("**Root cause:** The pool", "**Workaround:** The old page", "by UONCALL, after 2 minutes"):
        assert part in header
    assert "by UDEVOPS, after 3 minutes" in header
    assert row(story.incident, {})[4] == "UDEVOPS"


def test_the_export_is_short_and_has_no_bullet_in_a_bullet() -> None:
    """Repeats of a page that follow each other are one line, and the header has summary and resolution."""
    document = markdown(Story().until(300).do(RESOLVE).incident, {})
    assert "**Summary:** The pool was exhausted." in document
    assert "**Resolution:** The pool is larger." in document
    assert "- •" not in document
    lines = document.splitlines()
    repeats = [n for n, line in enumerate(lines) if "Paged again" in line]
    assert repeats
    assert not [n for n in repeats if n + 1 in repeats]
    assert "Paged again 2 times, until" in document
