"""The canvas of a review leaves the channel that could read it when its incident becomes private."""

from escalation.incident.events.moves import MarkSecurity
from escalation.incident.model import Incident
from escalation.storage.reviews.canvases import Canvas, Canvases
from tests.support.http import web
from tests.support.worker import Works
from workers.channels.slack_api import SlackApi


def shared(parts: Works, incident: Incident) -> str:
    """A canvas that the incidents channel may write in; its address."""
    assert parts.workspace
    api, card = SlackApi(parts.workspace.bot_token, parts.workspace.api_url), parts.now(incident).card()
    assert card
    key = str(api.call("canvases.create", title="Review", document_content=None)["canvas_id"])
    api.call("canvases.access.set", canvas_id=key, access_level="write", channel_ids=[card.channel])
    Canvases(parts.redis).save(incident.id, Canvas(key, f"https://example.slack.com/docs/T1/{key}", card.channel))
    assert "#incidents" in readers(parts, key)
    return key


def readers(parts: Works, key: str) -> str:
    assert parts.workspace
    text = web.get(f"{parts.workspace.url}/docs/T1/{key}").text
    return text.partition("Who may write: ")[2].partition("<")[0]


def test_the_canvas_leaves_the_channel_at_once(parts: Works) -> None:
    """Nobody has to ask for it first."""
    incident = parts.declare()
    parts.run()
    key = shared(parts, incident)
    parts.service.handle(incident.id, MarkSecurity(by="UPAULA", why="a leak"))
    parts.run()
    assert readers(parts, key) == "the app alone"
    known = Canvases(parts.redis).of(incident.id)
    assert known
    assert known.channel == ""


def test_what_slack_refuses_is_said_and_tried_again(parts: Works) -> None:
    """It is a matter of privacy: the card says so until it is done."""
    incident = parts.declare()
    parts.run()
    key = shared(parts, incident)
    parts.fault("canvases.access.delete", "error", error="missing_scope", times=None)
    parts.service.handle(incident.id, MarkSecurity(by="UPAULA", why="a leak"))
    parts.run_for(5, step=1)
    assert "#incidents" in readers(parts, key)
    assert [why for why in parts.now(incident).troubles.values() if "scope" in why]
    assert "slack:hide_canvas" in {p.key for p in parts.store.problems.current()}
    parts.slack_back()
    parts.run_for(120, step=5)
    assert readers(parts, key) == "the app alone"
    assert not parts.now(incident).troubles


def test_without_a_canvas_slack_is_not_asked(parts: Works) -> None:
    """Nor for one that was deleted meanwhile is anything said."""
    incident = parts.declare()
    parts.run()
    parts.service.handle(incident.id, MarkSecurity(by="UPAULA", why="a leak"))
    parts.run()
    assert not parts.calls("canvases.access.delete")
    gone = parts.declare(key="other")
    parts.run()
    Canvases(parts.redis).save(gone.id, Canvas("F0GONE", "https://example.slack.com/docs/T1/F0GONE", "C1"))
    parts.service.handle(gone.id, MarkSecurity(by="UPAULA", why="a leak"))
    parts.run()
    assert not parts.now(gone).troubles
