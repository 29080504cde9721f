"""Every call that a whole incident makes, held against Slack's own reference: methods, arguments, blocks and views."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from escalation.incident.events.moves import Move
from escalation.incident.state.facts import Status
from tests.support.block_kit_schema import problems
from tests.support.bot import Json
from tests.support.company import user
from tests.support.stage import Stage, stage

SLACK = Path(__file__).parents[3] / "shared" / "slack"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SLACK.exists(), reason="Slack's reference is not beside this checkout"),
]
HOSTILE = "<!channel> & <@U0DANA0001> *b* `c` " + "ü😀" * 80
RESOLUTION = {"summary": HOSTILE, "resolution": HOSTILE, "verification": HOSTILE, "final_impact": HOSTILE}


@pytest.fixture(scope="module")
def made() -> Iterator[list[Json]]:
    """The calls of one long, unkind incident: everything is pressed, typed and waited for."""
    with stage() as play:
        everything_happens(play)
        yield play.works.look("control/calls")["calls"]


def everything_happens(play: Stage) -> None:
    fields: Json = {
        "title": HOSTILE[:180],
        "description": HOSTILE * 5,
        "flags": ["outage", "major_impact"],
        "data_loss": "yes",
    }
    play.declare(**fields, service="checkout", public_wording=HOSTILE)
    for text in ("", "help", "list", "show", "oncall", "nonsense", "show INC-19990101-001"):
        play.person("dana").command(text)
    play.person("dana").home()
    play.person("mei").shortcut("declare_incident")
    play.person("mei").modal("Declare")
    play.until(16)
    play.press("omar", Move.ACKNOWLEDGE)
    play.press("dana", Move.PAGE, people=[user("mei")], why=HOSTILE)
    play.press("omar", Move.ROOT_CAUSE, cause=HOSTILE * 3)
    play.press("omar", Move.ESCALATE)
    play.press("omar", Move.START_FIX)
    play.press("omar", Move.UPDATE, progress=HOSTILE, next_steps=HOSTILE, eta="soon", impact=HOSTILE)
    play.press("omar", Move.FIX_APPLIED)
    play.until(60)
    play.press("omar", Move.FIX_FAILED, text=HOSTILE)
    play.press("omar", Move.SEVERITY, severity="P1", why=HOSTILE)
    play.until(130)
    play.press("omar", Move.SECURITY, why=HOSTILE)
    play.press("dana", Move.RESOLVE, **RESOLUTION)
    play.until(131)
    play.settled(Status.RESOLVED)


def reference(method: str) -> Json:
    return dict(json.loads((SLACK / "api-ref" / "methods" / f"{method}.json").read_text()))


def decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value[:1] in "[{" else value


def test_no_call_is_refused_but_for_known_reasons(made: list[Json]) -> None:
    """Slack takes every call; what it answers otherwise is part of a known way of doing things."""
    refused = {(c["method"], c["error"]) for c in made if c["error"]}
    assert refused == set(), refused


def test_every_call_is_one_that_slack_knows(made: list[Json]) -> None:
    """The method exists, each argument is one of its own, and none that it needs is missing."""
    for call in made:
        known = reference(call["method"])["args"]
        given = set(call["args"]) | {"token"}
        if call["method"] == "auth.test":
            given -= {"team_id"}  # Bolt's own, harmless
        assert given <= set(known["properties"]), (call["method"], given - set(known["properties"]))
        assert set(known.get("required", [])) <= given, call["method"]


def test_every_block_is_one_that_slack_shows(made: list[Json]) -> None:
    """Blocks of messages, modals and Home against the schema of Block Kit."""
    blocks = [b for call in made for b in decoded(call["args"].get("blocks")) or ()]
    views = [decoded(call["args"]["view"]) for call in made if "view" in call["args"]]
    assert not [problem for block in blocks for problem in problems(block)]
    assert not [problem for view in views for problem in problems(view, f"{view['type']}_view")]
    assert len(blocks) > 50
    assert views


def test_nothing_from_outside_reaches_slack_as_markup(made: list[Json]) -> None:
    """What people typed is never a mention, a broadcast or a link in what we send."""
    sent = [
        json.dumps(decoded(c["args"].get(k)), ensure_ascii=False) for c in made for k in ("blocks", "text", "topic")
    ]
    assert not any("<!channel>" in words for words in sent)
    assert any("&lt;!channel&gt;" in words for words in sent)


def test_texts_keep_to_slacks_lengths(made: list[Json]) -> None:
    """Text under 4,000 characters, topics up to 250."""
    for call in made:
        assert len(str(call["args"].get("text", ""))) <= 4000
        assert len(str(call["args"].get("topic", ""))) <= 250
