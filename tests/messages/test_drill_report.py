"""The report of a drill: true, whatever happened."""

import pytest

from escalation.incident.events.moves import Acknowledge
from escalation.incident.state.entries import EntryKind
from escalation.messages.timeline import entry_lines
from escalation.text import text
from tests.support.incidents import RESOLVE
from tests.support.story import Story


@pytest.mark.parametrize(
    ("acknowledged", "minute", "end"),
    [
        ("all", 2, "Nothing was missed."),
        ("one", 2, "No checkpoint fired, and every update was on time."),
        ("none", 16, "Missed:"),
    ],
)
def test_nothing_was_missed_is_said_only_if_nothing_was(acknowledged: str, minute: float, end: str) -> None:
    """A page that nobody answered is a miss, and so is a checkpoint that fired."""
    story = Story("P0", drill=True).until(minute)
    paged = tuple(dict.fromkeys(page.person for page in story.incident.pages))
    for person in {"all": paged, "one": paged[:1], "none": ()}[acknowledged]:
        if story.incident.open_page_of(person):
            story.do(Acknowledge(by=person))
    story.do(RESOLVE)
    entry = story.incident.latest(EntryKind.DRILL_REPORT)
    assert entry
    said = text(entry_lines(story.incident, entry))
    assert end in said
    assert ("Nothing was missed." in said) is (end == "Nothing was missed.")
