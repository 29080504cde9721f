"""Bad input, in one table: each case is answered where it happened, in words, and nothing is lost.

Other tests go deeper into one or the other; here every case is seen once, through the real parts.
Configurations, policies and on-call arrangements that make no sense are in test_bad_configuration.py.
"""

import dataclasses
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from click.testing import CliRunner

import sandbox.server
from bot.vocabulary import VERBS
from escalation.incident.effects import SendPage
from escalation.incident.events.moves import Move
from escalation.incident.state.facts import Status
from escalation.incident.state.pages import PageState
from tests.bot.test_http import command, post
from tests.support.bot import Json, Office, control, everything, open_office, running_bot, world
from tests.support.company import user
from tests.support.stage import Stage, stage
from tests.support.waiting import eventually
from tests.support.worker import redis_of, valkey, works
from tocsin.cli import main
from tocsin.config.settings import Environment

WITHOUT_ID = {
    *("help", "declare", "list", "oncall", "tickets", "contacts", "drill", "simulate", "slo", "me"),
    *("maintenance", "report", "actions"),
}
NOWHERE = "INC-19990101-001"
HOSTILE = "<!channel> & <@U0DANA0001> *b* `c` <https://evil.example|here>"


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    """One workspace with a bot over HTTP for all cases that only want an answer."""
    with open_office(http=True) as opened:
        yield opened


@pytest.fixture
def play() -> Iterator[Stage]:
    with stage() as opened:
        yield opened


def tocsin(monkeypatch: pytest.MonkeyPatch, *arguments: str, **environment: str) -> tuple[int, str]:
    """A command in a terminal: its exit code and everything that it says."""
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


# Forms ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filled", "field", "words"),
    [
        ({"severity": "P9"}, "severity", "Choose one of P0, P1, P2, P3."),
        ({"title": ""}, "title", "complete this required field"),  # Slack's own words
        ({"title": "  \n "}, "title", "Please fill this in."),
        ({"title": "x" * 201}, "title", "This has 201 characters; the limit is 200."),
        ({"title": "x" * 5000}, "title", "at most 3000 characters"),  # Slack's own words
    ],
)
def test_a_wrong_field_is_named_and_the_form_stays(office: Office, filled: Json, field: str, words: str) -> None:
    """What was right is still there: the corrected form goes through."""
    dana = office.person("dana")
    dana.command("declare")
    view = dana.modal("Declare")
    assert words in dana.submit(view, **{"title": "T", "severity": "P1", **filled})["errors"][field]
    assert dana.submit(view, title="T", severity="P1") == {"ok": True}


def test_a_title_of_5000_characters_typed_after_the_command(office: Office) -> None:
    """The form says how long it is, and keeps what a field can hold of it."""
    mei = office.person("mei")
    mei.command("declare " + "a long story " * 400)
    view = mei.modal("Declare")
    assert "has 5,199 characters; the limit is 200. Its beginning is in the description" in everything(view)
    kept = next(b["element"]["initial_value"] for b in view["blocks"] if b["block_id"] == "description")
    assert len(kept) > 2900


def test_two_submits_at_once_make_one_incident(office: Office) -> None:
    """It went well, and whoever comes when the form is gone already hears nothing worse than that."""
    bruno = office.person("bruno")
    bruno.command("declare Twice")
    view, answers = bruno.modal("Declare"), list[Json]()
    threads = [threading.Thread(target=lambda: answers.append(bruno.submit(view, severity="P1"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {"ok": True} in answers
    assert all(answer in ({"ok": True}, {"ok": False, "error": "view_not_found"}) for answer in answers)
    assert [i.facts.title for i in office.world.store.recent()].count("Twice") == 1


# Commands and clicks -------------------------------------------------------------------------------------------------


def test_a_severity_that_is_not_in_the_policy(office: Office) -> None:
    """What there is to choose from."""
    incident = office.declare()
    office.person("lena").command(f"severity {incident.id} P9")
    office.person("lena").told("There is no severity P9: choose one of P0, P1, P2, P3.")
    assert office.incident(incident.id).severity == incident.severity  # what she typed answers her page all the same


def test_an_id_that_does_not_exist(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was to be done with it, in Slack and in a terminal."""
    omar, verbs = office.person("omar"), sorted(VERBS.keys() - WITHOUT_ID)
    for verb in verbs:
        assert omar.command(f"{verb} {NOWHERE}") == {"ok": True}
    said = f"There is no incident {NOWHERE}."
    eventually(lambda: sum(words.startswith(said) for words in omar.whispers()) == len(verbs))
    with redis_of("valkey"):
        address = f"redis://127.0.0.1:{valkey().port}/0"
        for verb in ("show", "export"):
            code, output = tocsin(monkeypatch, verb, NOWHERE, REDIS_URL=address)
            assert (code, said in output) == (1, True)


def test_a_resolve_by_a_guest(office: Office) -> None:
    """By command and by button; the incident goes on."""
    incident, gus = office.declare(), office.person("gus")
    gus.command(f"resolve {incident.id}")
    gus.told("Guests cannot declare, see or handle incidents.")
    card = office.post_card(incident)
    gus.press({**card["message"], "ts": card["ts"]}, "more", card["channel"])
    eventually(lambda: sum("Guests cannot" in w for w in gus.whispers()) == 2)
    assert not gus.modals()
    assert office.incident(incident.id) == incident


# Requests ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret", "age", "headers"),
    [
        pytest.param("another-secret", 0, {}, id="forged"),
        pytest.param("", 301, {}, id="old"),
        pytest.param("", -360, {}, id="from the future"),
        pytest.param("", 0, {"x-slack-signature": "v0=\u00e9"}, id="not even a signature"),
        pytest.param("", 0, {"x-slack-request-timestamp": "soon"}, id="not even a time"),
    ],
)
def test_a_request_that_slack_did_not_send(office: Office, secret: str, age: int, headers: dict[str, str]) -> None:
    """401, and nothing happens."""
    incident = office.declare()
    raw: Any = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = post(office, command(office, text=f"ack {incident.id}"), secret=secret, age=age, **raw)
    assert answer.status_code == 401
    assert office.incident(incident.id) == incident


@pytest.mark.parametrize("body", ["payload={", "{", "\xff", ""])
def test_a_body_that_cannot_be_read(office: Office, body: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is not read at all while nobody has signed it, and leaves no traceback."""
    with caplog.at_level(logging.ERROR):
        for kind in ("application/json", "application/x-www-form-urlencoded"):
            answer = office.bot.web.post("/slack/events", content=body, headers={"content-type": kind})
            assert answer.status_code == 401
    assert not caplog.records


# Words ---------------------------------------------------------------------------------------------------------------


def marked_up(value: Any) -> Iterator[str]:
    """Every text that Slack would read as mrkdwn."""
    if isinstance(value, list):
        for one in value:
            yield from marked_up(one)
    elif isinstance(value, dict):
        if value.get("type") == "mrkdwn" or ("ts" in value and "blocks" in value):
            yield value["text"]
        for one in value.values():
            yield from marked_up(one)


def test_words_that_would_notify_the_whole_channel_in_every_field(play: Stage) -> None:
    """They are shown as they were written, and are nothing but words."""
    words = {"impact": HOSTILE, "description": HOSTILE, "public_wording": HOSTILE}
    play.person("paula").command(f"declare {HOSTILE}")
    form = play.person("paula").more_details(play.person("paula").modal("Declare"))
    assert play.person("paula").submit(form, severity="P0", **words) == {"ok": True}
    play.works.run()
    play.press("dana", Move.ROOT_CAUSE, cause=HOSTILE)
    play.press("dana", Move.UPDATE, progress=HOSTILE, next_steps=HOSTILE, eta=HOSTILE, impact=HOSTILE)
    play.press("dana", Move.PAGE, people=[user("mei")], why=HOSTILE)
    play.press("dana", Move.SEVERITY, severity="P1", why=HOSTILE)
    ending = ("summary", "resolution", "verification", "final_impact", "next_steps")
    play.press("dana", Move.RESOLVE, **dict.fromkeys(ending, HOSTILE))
    play.press("dana", Move.REOPEN, why=HOSTILE)
    play.press("dana", Move.CANCEL, why=HOSTILE)
    play.until(1)
    texts = [*marked_up(play.state()["messages"]), *play.person("paula").whispers()]
    assert sum("&lt;!channel&gt;" in t for t in texts) > 20
    assert not [t for t in texts if "<!" in t.replace("<!date^", "") or "<https://evil" in t or "&amp;amp;" in t]
    assert "&lt;!channel&gt; &amp; " in play.thread()
    assert play.incident.facts.title.startswith("<!channel> & ")
    play.settled(Status.CANCELLED)


# Slack changes under us ----------------------------------------------------------------------------------------------


def test_a_person_who_left(play: Stage) -> None:
    """The thread says that the page could not reach them, and the next tier is paged at once."""
    control(play.bot.workspace, f"users/{user('dana')}", deleted=True)
    play.declare()
    assert play.minute == 0
    assert "the account is deactivated" in play.thread()
    assert play.incident.pages[0].state is PageState.REFUSED
    assert play.pages("omar")


def test_an_incidents_channel_that_was_archived(play: Stage) -> None:
    """Whoever is paged reads why the channel is silent; once it is open again, everything is there."""
    play.declare()
    channel = play.card()["channel"]
    control(play.bot.workspace, f"channels/{channel}", is_archived=True)
    play.press("dana", Move.ACKNOWLEDGE)
    assert "#incidents is archived: unarchive it, or set" in "".join(map(everything, play.directs("dana")))
    control(play.bot.workspace, f"channels/{channel}", is_archived=False)
    play.until(2)
    assert "*Acknowledged*" in everything(play.card())
    assert "*Acknowledged*" in play.thread()
    assert "is archived" not in "".join(map(everything, play.directs("dana")))
    assert play.incident.effects == ()


def test_a_war_room_that_was_archived(play: Stage) -> None:
    """The thread says so, and goes on."""
    play.declare()
    control(play.bot.workspace, f"channels/{play.room()['id']}", is_archived=True)
    play.press("dana", Move.ROOT_CAUSE, cause="The pool is exhausted")
    assert "The war room is gone" in play.thread()
    assert "The pool is exhausted" in play.thread()
    assert play.incident.effects == ()


# Ourselves -----------------------------------------------------------------------------------------------------------


def test_a_configuration_with_a_wrong_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File, line and what was probably meant, whether it is checked or started with."""
    file = tmp_path / "tocsin.yml"
    file.write_text("policy: kars\nworkspace:\n  incident_channel: incidents\n", encoding="utf-8")
    for arguments in (("check", str(file)), ("oncall",), ("bot",)):
        code, output = tocsin(monkeypatch, *arguments, TOCSIN_CONFIG=str(file))
        assert code == 1
        assert f"{file}:3: unknown key 'incident_channel'; did you mean 'incidents_channel'?" in output


def test_no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said to who types, at the form, and in the terminal; the form keeps its words until Redis is back."""
    server = fakeredis.FakeServer()
    with open_office(redis=fakeredis.FakeRedis(server=server)) as away:
        dana = away.person("dana")
        dana.command("declare Checkout is down")
        view = dana.modal("Declare")
        server.connected = False
        dana.command("list")
        dana.told("Nothing was recorded: Redis does not answer.")
        assert "does not answer" in dana.submit(view, severity="P1")["errors"]["title"]
        server.connected = True
        assert dana.submit(view, severity="P1") == {"ok": True}
        assert away.incident().facts.title == "Checkout is down"
    code, output = tocsin(monkeypatch, "list", REDIS_URL="redis://127.0.0.1:1/0")
    assert (code, "Redis does not answer" in output) == (1, True)


def test_a_wrong_token() -> None:
    """The bot ends and names it; a worker keeps what it cannot send, says why, and sends it with the right one."""
    with sandbox.server.running() as workspace, redis_of("fakeredis") as redis:
        with running_bot(workspace, world().service, connected=False, bot_token="xoxb-wrong") as bot:
            assert "Slack does not accept SLACK_BOT_TOKEN" in str(eventually(lambda: bot.failure))
        refused = works(redis, dataclasses.replace(workspace, bot_token="xoxb-wrong"))
        incident = refused.declare("P0")
        refused.run()
        assert "Slack refuses the bot token: set SLACK_BOT_TOKEN" in refused.now(incident).troubles.values()
        assert any(isinstance(e, SendPage) for e in refused.now(incident).effects)
        taken = works(redis, workspace, refused.clock)
        taken.run_for(5)
        assert taken.settled(incident).troubles == {}
        assert "xoxb-wrong" not in json.dumps(taken.look("control/state"))
