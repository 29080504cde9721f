"""A review as a Slack canvas: people write in it, the record follows by itself, and neither disturbs the other."""

import json
import re
from typing import Any

import fakeredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.render.reviews import canvas as document
from escalation.incident.events.moves import Reopen, Resolve
from escalation.incident.model import Incident
from escalation.reviews.draft import draft
from escalation.reviews.model import Review, Written
from escalation.storage.reviews import Reviews
from escalation.storage.reviews.canvases import Base, Canvas, Canvases, key
from escalation.storage.surfaces import CANVAS, Surfaces
from tests.reviews.test_reviews import resolved
from tests.support import http as wire
from tests.support.bot import Office, calls, control
from tests.support.company import user
from tests.support.waiting import eventually
from tocsin.doctor.redis_checks import surfaces_off

HEADING = "### In your words: Lessons learned"


def closed(office: Office, **facts: Any) -> Incident:
    incident = office.declare(severity="P0", **facts)
    return office.world.service.handle(incident.id, Resolve(by=user("dana"), summary="s", resolution="r"))


class Sheet:
    """The canvas of a review, as somebody has it open."""

    def __init__(self, office: Office, incident: Incident, told: str) -> None:
        found = re.search(r"/docs/T\w+/(F\w+)", told)
        assert found, told
        self.id, self._web, self._incident = found[1], wire.client(office.workspace.url), incident
        self._address = f"/docs/T/{self.id}"

    @property
    def text(self) -> str:
        return self._web.get(f"{self._address}/markdown").text

    @property
    def page(self) -> str:
        return self._web.get(self._address).text

    def write(self, words: str, below: str = HEADING) -> None:
        """Type words at the end of what stands below a heading."""
        head, found, tail = self.text.partition(below)
        assert found
        mine, sep, rest = tail.partition("\n## ")
        self.put(f"{head}{found}{mine.rstrip()}\n\n{words}\n{sep}{rest}")

    def put(self, content: str) -> None:
        self._web.post(self._address, json={"content": content})

    def delete(self) -> None:
        self._web.post(self._address, json={})


def opened(office: Office, incident: Incident, who: str = "dana") -> Sheet:
    person = office.person(who)
    before = len(person.whispers())
    person.command(f"review {incident.id} canvas")
    told = eventually(lambda: next((w for w in person.whispers()[before:] if "/docs/" in w), ""))
    return Sheet(office, incident, told)


def looked_at(office: Office, incident: Incident, words: str) -> str:
    office.person("dana").command(f"review {incident.id}")
    return office.person("dana").told(words)


def words(office: Office, incident: Incident, section: str = "lessons") -> str:
    return Reviews(office.world.redis).written(incident.id).get(section, Written()).text


def test_people_write_in_the_canvas_and_the_review_reads_it(office: Office) -> None:
    """It has the record with its entries, a place for words below each question, and what is written there is kept."""
    incident = closed(office)
    sheet = opened(office, incident)
    assert "(entry 1)" in sheet.text
    sheet.write("Watch the *pool*.\n\n- an alert\n- a runbook")
    assert "Lessons learned" in looked_at(office, incident, "written")
    assert words(office, incident) == "Watch the *pool*.\n\n- an alert\n- a runbook"
    assert "<em>pool</em>" in sheet.page


def test_bringing_it_up_to_date_leaves_what_people_wrote(office: Office) -> None:
    """New lines of the record come in their place; every other line stays byte for byte."""
    incident = closed(office)
    sheet = opened(office, incident)
    sheet.write("Watch the pool.")
    sheet.write("Ours: nobody looked.", "## 2. Timeline")
    before = sheet.text
    office.world.service.handle(incident.id, Reopen(by=user("omar"), why="It is down again"))
    assert opened(office, incident).id == sheet.id
    after = sheet.text
    assert "It is down again" in after.partition("## 3.")[0]
    stood, stands = ([one for one in text.splitlines() if one] for text in (before, after))
    kept = [one for one in stands if one in stood]
    assert kept == [one for one in stood if one in kept]
    assert {"Watch the pool.", "Ours: nobody looked."} <= set(kept)
    unchanged = sheet.text
    edits = len(calls(office.workspace, "canvases.edit"))
    opened(office, incident)
    assert (sheet.text, len(calls(office.workspace, "canvases.edit"))) == (unchanged, edits)


def test_words_of_the_form_come_into_the_canvas(office: Office) -> None:
    """Whoever writes in the form is read in the canvas, in the place of what stood there before."""
    incident = closed(office)
    sheet = opened(office, incident)
    sheet.write("First words.")
    opened(office, incident)
    now = office.world.clock.now
    Reviews(office.world.redis).write(incident.id, {"lessons": "Second words."}, user("omar"), now)
    opened(office, incident)
    below = sheet.text.partition(HEADING)[2]
    assert "Second words." in below
    assert "First words." not in below
    opened(office, incident)
    assert words(office, incident) == "Second words."


def test_what_two_wrote_at_once_is_kept_on_both_sides(office: Office) -> None:
    """A section that changed in the canvas and in the form is overwritten in neither, and the answer names it."""
    incident = closed(office)
    sheet = opened(office, incident)
    sheet.write("In the canvas.")
    Reviews(office.world.redis).write(incident.id, {"lessons": "In the form."}, user("omar"), office.world.clock.now)
    assert "lessons learned" in looked_at(office, incident, "canvas and elsewhere")
    opened(office, incident)
    assert "In the canvas." in sheet.text
    assert words(office, incident) == "In the form."


def test_a_line_of_the_record_that_somebody_removed_does_not_come_back(office: Office) -> None:
    """What people take out of their document stays out."""
    incident = closed(office)
    sheet = opened(office, incident)
    line = next(one for one in sheet.text.splitlines() if one.endswith("(entry 1)"))
    sheet.put(sheet.text.replace(f"{line}\n", "", 1))
    without = sheet.text
    opened(office, incident)
    assert sheet.text == without


def test_a_canvas_that_was_deleted_is_made_anew_with_peoples_words(office: Office) -> None:
    """Nothing that was read from it before is lost."""
    incident = closed(office)
    sheet = opened(office, incident)
    sheet.write("Watch the pool.")
    looked_at(office, incident, "written")
    sheet.delete()
    assert "words that were read from it last" in looked_at(office, incident, "Its canvas was deleted")
    anew = opened(office, incident)
    assert anew.id != sheet.id
    assert "Watch the pool." in anew.text


def test_a_workspace_without_canvases_keeps_the_form(office: Office) -> None:
    """Slack is asked once, the answer says how to write instead, and the doctor names it: it is no fault."""
    incident, dana = closed(office), office.person("dana")
    control(office.workspace, "faults", method="canvases.create", kind="error", error="canvas_disabled_user_team")
    for n in (1, 2):
        dana.command(f"review {incident.id} canvas")
        eventually(lambda n=n: sum("Slack takes no canvas here" in told for told in dana.whispers()) == n)  # type: ignore[misc]
    assert len(calls(office.workspace, "canvases.create")) == 1
    [finding] = surfaces_off(office.world.redis)
    assert (finding.state, "canvas_disabled_user_team" in finding.what) == ("ok", True)
    Surfaces(office.world.redis)  # tried again a day later
    assert office.world.redis.ttl(f"tocsin:surface-off:{CANVAS}") > 86_000


def test_an_answer_without_a_canvas_is_a_refusal(office: Office) -> None:
    """Switched off and named by the doctor; the form stays."""
    incident, dana = closed(office), office.person("dana")
    control(office.workspace, "faults", method="canvases.create", kind="without", fields=["canvas_id"])
    dana.command(f"review {incident.id} canvas")
    eventually(lambda: any("Slack takes no canvas here" in told for told in dana.whispers()))
    [finding] = surfaces_off(office.world.redis)
    assert (finding.state, "no_field_canvas_id" in finding.what) == ("ok", True)


def test_on_a_free_plan_it_is_the_tab_of_the_war_room(office: Office) -> None:
    """There a canvas by itself is refused: one more try puts it into the room."""
    incident = office.room(office.declare(), "dana")
    error = "free_teams_cannot_create_standalone_canvases"
    control(office.workspace, "faults", method="canvases.create", kind="error", error=error)
    assert "(entry 1)" in opened(office, incident).text
    assert len(calls(office.workspace, "conversations.canvases.create")) == 1


def test_the_canvas_of_a_private_incident_is_for_those_in_its_room(office: Office) -> None:
    """The members of its room may write in it, and nobody else is refused with a word of it."""
    incident = office.room(office.declare(security=True, title="Stolen keys"), "dana")
    sheet = opened(office, incident)
    shared = [call["args"] for call in calls(office.workspace, "canvases.access.set")]
    assert all("general" not in str(args) for args in shared)
    assert sheet.id
    paula = office.person("paula")
    paula.command(f"review {incident.id} canvas")
    assert "Stolen keys" not in paula.told("This incident is private.")


LINES = st.lists(st.text(alphabet=st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=30), max_size=5)
INCIDENT = resolved()


def review_with(text: str = "") -> Review:
    return draft(INCIDENT, {"lessons": Written(text)} if text else {})


@given(LINES)
def test_words_in_a_canvas_are_read_as_they_stand_there(lines: list[str]) -> None:
    """Whatever people type below the heading is what the review has, without the question above it."""
    typed = "\n".join(lines).strip("\n")
    whole = document.document(review_with(), {}).rstrip("\n")
    at_end = f"{whole}\n\n{typed}\n"  # the lessons come last
    if not any(line.lstrip().startswith(("#", "```")) for line in lines):
        assert document.read(at_end, review_with()).words["lessons"].strip() == typed.strip()


def test_a_canvas_that_is_up_to_date_needs_no_edit() -> None:
    """Nothing is written where nothing changed."""
    review = review_with("Watch the pool.")
    parts = document.read(document.document(review, {}), review)
    bases = {key: Base.of(text, text) for key, text in parts.words.items()}
    canvas = Canvas("F1", "", lines=document.marks(review, {}), base=bases)
    merge = document.merged(canvas, parts.words, review)
    assert (merge.to_store, merge.to_canvas, merge.both) == ({}, {}, ())
    assert list(document.edits(canvas, parts, review, merge, {})) == []


def test_a_record_too_long_for_a_canvas_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack takes a mebibyte."""
    monkeypatch.setattr(document, "LARGEST", 2_000)
    text = document.document(review_with(), {})
    assert document.SHORTENED in text
    assert HEADING in text


def test_a_canvas_that_an_earlier_build_compared_is_read() -> None:
    """It kept the words: they stand for themselves, and the next save keeps only their fingerprints."""
    redis = fakeredis.FakeRedis()
    kept = {"id": "F1", "url": "", "base": {"lessons": ["Watch the pool.\n", "Watch the pool."]}}
    redis.set(key("INC-20241218-001"), json.dumps(kept))
    canvases = Canvases(redis)
    found = canvases.of("INC-20241218-001")
    assert found == Canvas("F1", "", base={"lessons": Base.of("Watch the pool.\n", "Watch the pool.")})
    canvases.save("INC-20241218-001", found)
    assert canvases.of("INC-20241218-001") == found
    assert b"Watch" not in (redis.get(key("INC-20241218-001")) or b"")


def test_what_was_removed_from_the_store_leaves_the_canvas() -> None:
    """As after somebody was forgotten: the canvas is as it was compared, and so the store's words go into it."""
    before, after = review_with("Watch the pool."), review_with("(removed)")
    parts = document.read(document.document(before, {}), before)
    bases = {section: Base.of(text, text.strip()) for section, text in parts.words.items()}
    merge = document.merged(Canvas("F1", "", base=bases), parts.words, after)
    assert (merge.to_store, dict(merge.to_canvas), merge.both) == ({}, {"lessons": "(removed)"}, ())
