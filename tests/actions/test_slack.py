"""Actions in Slack: behind More on a card, and by `/incident run`."""

from collections.abc import Iterator

import pytest

from escalation.incident.effects import RunAction
from escalation.incident.events.outcomes import Delivered
from escalation.incident.state.entries import EntryKind
from tests.support.bot import Json, Office, open_office
from tests.support.company import user
from tests.support.incidents import BY_HAND, RESTART
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def opened() -> Iterator[Office]:
    with open_office(actions=(RESTART, BY_HAND)) as office:
        yield office


def runs(office: Office, incident: str) -> list[tuple[str, str]]:
    timeline = office.incident(incident).timeline
    return [(e.fields["state"], e.by) for e in timeline if e.fields.get("action") == BY_HAND.name]


def more(office: Office, card: Json, by: str) -> Json:
    """Open the list behind More."""
    office.person(by).press({**card["message"], "ts": card["ts"]}, "more", card["channel"])
    return office.person(by).modal("More actions")


def test_the_menu_of_a_card_runs_an_action_once(opened: Office) -> None:
    """It names the action and the host, asks first, and tells the second who presses of the first."""
    incident = opened.declare()
    card = opened.post_card(incident)
    first, second = more(opened, card, "dana"), more(opened, card, "omar")
    (block,) = (b for b in first["blocks"] if b["block_id"] == "more-run-failover")
    assert block["text"]["text"] == "*Run failover*\nCalls ops.example.com."
    assert block["accessory"]["confirm"]["title"]["text"] == "Run failover"
    opened.person("dana").choose(first, "run-failover")
    eventually(lambda: runs(opened, incident.id))
    (effect,) = (e for e in opened.incident(incident.id).effects if isinstance(e, RunAction) and e.name == BY_HAND.name)
    opened.world.service.handle(incident.id, Delivered(effect=effect.id, status=202))
    opened.person("omar").choose(second, "run-failover")
    assert "after this was shown" in str(opened.person("omar").modals()[-1])
    assert runs(opened, incident.id) == [("started", user("dana")), ("done", "")]


@pytest.mark.parametrize("text", ["run failover {id}", "run {id} failover", "execute {id} Failover"])
def test_an_action_is_run_by_command(opened: Office, text: str) -> None:
    """The id may stand on either side of the name; the answer says that it was started."""
    incident = opened.declare()
    opened.person("dana").command(text.format(id=incident.id))
    eventually(lambda: runs(opened, incident.id))
    assert runs(opened, incident.id) == [("started", user("dana"))]
    assert "Action failover" in opened.person("dana").told("was started")


def test_without_a_name_the_actions_are_offered(opened: Office) -> None:
    """Only those that a person may begin."""
    incident = opened.declare()
    opened.person("dana").command(f"run {incident.id}")
    form = opened.person("dana").modal("Run action")
    (select,) = (b["element"] for b in form["blocks"] if b["type"] == "input")
    assert [o["text"]["text"] for o in select["options"]] == ["failover"]
    opened.person("dana").submit(form, action="failover:0")
    eventually(lambda: runs(opened, incident.id))


def test_a_wrong_name_is_answered_with_the_right_one(opened: Office) -> None:
    """Nothing is run."""
    incident = opened.declare()
    opened.person("dana").command(f"run {incident.id} failovr")
    assert opened.person("dana").told("did you mean 'failover'")
    assert not [e for e in opened.incident(incident.id).timeline if e.kind is EntryKind.ACTION and e.by]
