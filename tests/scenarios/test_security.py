"""What SECURITY.md says of each way in: the web app, the permissions, the jobs in Redis, and secrets."""

import ast
import asyncio
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from click.testing import CliRunner
from rq.job import JobStatus
from slack_sdk.web.async_client import AsyncWebClient
from starlette.types import Message
from structlog.testing import capture_logs

import sandbox.server
from bot.bot import Bot
from bot.http.limits import MAX_BYTES, Limits
from bot.http.routes import web_app
from bot.moves import review as review_form
from bot.moves.action_item import action_item_modal
from bot.moves.catalog import FORMS, move_modal
from bot.moves.declare import Draft, declare_modal
from bot.moves.form import FormContext
from bot.moves.form_state import FormState
from bot.moves.maintenance import maintenance_modal
from bot.render import oncall
from bot.render.button_value import ButtonValue
from bot.render.inputs import modal, text_field
from bot.render.oncall import AnswerValue, ShiftValue
from bot.vocabulary import VERBS
from escalation.config.notify import OtherWays, Via
from escalation.config.status_page import StatusPage
from escalation.incident.events.moves import Move
from escalation.incident.model import Incident
from escalation.oncall.roster import Roster
from escalation.processes import QUEUES
from tests.scenarios.test_leaks import loud, readable
from tests.support.bot import Json, Office, calls, open_office, parts_of, running_bot, world
from tests.support.company import user
from tests.support.incidents import BY_HAND
from tests.support.outside_services import mail_server, paging_service
from tests.support.waiting import eventually
from tests.support.worker import Works, names, raw, redis_of, through, valkey, works
from tocsin.cli import main
from tocsin.config.settings import Environment
from workers import jobs
from workers.channels.pagerduty import PagerDutyClient
from workers.channels.slack import SlackClient
from workers.channels.smtp import MailClient
from workers.process import QueueWorker
from workers.queue.rq import FUNCTIONS, Task, job_hash
from workers.recurring.oncall.calendar_events import FeedProblem
from workers.recurring.oncall.calendar_feeds import fetch

__all__ = ["loud"]
ROOT = Path(__file__).parents[2]
OTHER_TEAM = "T0OTHER001"
REACTIONS = ("pushpin", "fast_forward")
MARKER = "zebrafish"


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    with open_office(http=True) as opened:
        yield opened


# Requests over HTTP -----------------------------------------------------------------------------------------------


def signed(office: Office, body: str, age: int = 0, secret: str = "") -> dict[str, str]:
    """The headers with which Slack would send a body."""
    stamp, key = str(int(time.time()) - age), (secret or office.workspace.signing_secret).encode()
    digest = hmac.new(key, f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    kind = "application/json" if body.startswith("{") else "application/x-www-form-urlencoded"
    return {"x-slack-signature": f"v0={digest}", "x-slack-request-timestamp": stamp, "content-type": kind}


def post(office: Office, body: str, headers: dict[str, str]) -> Any:
    return office.bot.web.post("/slack/events", content=body, headers=headers)


def command(office: Office, text: str, who: str = "dana", team: str = "T0EXAMPLE1") -> str:
    hook = f"{office.workspace.url}/response/none"
    fields = {"command": "/incident", "text": text, "user_id": who if who.isupper() else user(who), "team_id": team}
    return urlencode({**fields, "channel_id": "C0GENERAL1", "trigger_id": "1.2.3", "response_url": hook})


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda h, b: ({**h, "x-slack-signature": "v0=" + "0" * 64}, b), id="wrong"),
        pytest.param(lambda h, b: ({**h, "x-slack-signature": "v0=" + h["x-slack-signature"]}, b), id="doubled v0="),
        pytest.param(lambda h, b: ({**h, "x-slack-signature": h["x-slack-signature"][3:]}, b), id="no v0="),
        pytest.param(lambda h, b: ({k: v for k, v in h.items() if "signature" not in k}, b), id="no signature"),
        pytest.param(lambda h, b: ({k: v for k, v in h.items() if "timestamp" not in k}, b), id="no time"),
        pytest.param(lambda h, b: ({**h, "x-slack-request-timestamp": str(int(time.time()) - 1)}, b), id="other time"),
        pytest.param(lambda h, b: (h, b.replace("ack", "resolve")), id="tampered"),
        pytest.param(lambda h, b: (h, b + "&text=resolve"), id="longer"),
    ],
)
def test_only_what_slack_signed_is_read(office: Office, spoil: Callable[..., tuple[dict[str, str], str]]) -> None:
    """401, and the incident stands as it stood."""
    incident = office.declare()
    body = command(office, f"ack {incident.id}")
    headers, sent = spoil(signed(office, body), body)
    assert post(office, sent, headers).status_code == 401
    assert office.incident(incident.id) == incident


@pytest.mark.parametrize(("age", "secret"), [(301, ""), (-330, ""), (0, "another"), (0, " ")])
def test_old_requests_and_other_secrets_are_refused(office: Office, age: int, secret: str) -> None:
    """Five minutes either way, as Slack wants it."""
    incident = office.declare()
    body = command(office, f"ack {incident.id}")
    assert post(office, body, signed(office, body, age, secret)).status_code == 401
    assert office.incident(incident.id) == incident


def test_a_request_that_comes_again_within_its_time_does_nothing_more(office: Office) -> None:
    """Whoever overheard it can repeat it for five minutes: a move knows its key."""
    incident = office.declare()
    body = command(office, f"root-cause {incident.id} the pool")
    headers = signed(office, body)
    assert post(office, body, headers).status_code == 200
    after = eventually(lambda: now if (now := office.incident(incident.id)).root_cause else None)
    assert [post(office, body, headers).status_code for _ in range(3)] == [200] * 3
    list_ = command(office, "list")
    assert post(office, list_, signed(office, list_)).status_code == 200
    assert office.incident(incident.id) == after


def test_without_a_secret_there_is_no_endpoint() -> None:
    """Anybody can sign with nothing: such a bot does not start."""
    with sandbox.server.running() as workspace:

        async def build() -> None:
            parts = parts_of(workspace, world().service, http=True, signing_secret="")
            web_app(Bot(parts, AsyncWebClient(parts.bot_token)))

        with pytest.raises(ValueError, match="signing secret"):
            asyncio.run(build())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/slack/events", 405),
        ("PUT", "/slack/events", 405),
        ("POST", "/metrics", 405),
        ("POST", "/readyz", 405),
        ("DELETE", "/healthz", 405),
        ("GET", "/", 404),
        ("GET", "/slack/install", 404),
        ("GET", "/../etc/passwd", 404),
        ("GET", "/docs", 404),
    ],
)
def test_there_are_four_endpoints_and_no_more(office: Office, method: str, path: str, status: int) -> None:
    """Each with its own methods."""
    assert office.bot.web.request(method, path).status_code == status


@pytest.mark.parametrize("path", ["/slack/events", "/metrics", "/readyz", "/nothing"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused_before_it_is_read(office: Office, path: str, chunked: bool) -> None:
    """Whether it says its length or not, at every address."""
    body = b"x" * (MAX_BYTES + 1)
    content: Any = iter([body]) if chunked else body
    assert office.bot.web.post(path, content=content).status_code == 413


def test_who_sends_all_of_a_large_body_first_is_answered(office: Office) -> None:
    """Most clients listen only then; the connection is not cut under them."""
    size, where = 20 * MAX_BYTES, httpx2.URL(office.bot.url)
    head = f"POST /slack/events HTTP/1.1\r\nhost: tocsin\r\ncontent-length: {size}\r\n\r\n"
    with socket.create_connection((where.host, where.port), timeout=30) as client:
        client.sendall(head.encode() + b"x" * size)
        assert client.makefile("rb").readline().startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    """408 after the time that it has."""
    sent: list[Message] = []

    async def never() -> Message:
        return await asyncio.Future[Message]()

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(*_: Any) -> None:
        raise AssertionError("it has no body to look at")

    asyncio.run(Limits(app, timeout=0.0)({"type": "http", "headers": []}, never, send))
    assert sent[0]["status"] == 408


def test_who_asks_how_we_are_learns_nothing_else(office: Office) -> None:
    """Counts only: no title, no person, no id, no secret, no address."""
    office.declare(title=MARKER, impact=MARKER)
    found = "".join(office.bot.web.get(path).text for path in ("/metrics", "/readyz", "/healthz"))
    secrets = (office.workspace.bot_token, office.workspace.signing_secret, office.workspace.app_token)
    people = [*office.world.company.people, *(p.slack for p in office.world.company.people.values())]
    known = {MARKER, "INC-", "U0", "C0", "127.0.0.1", *secrets}
    assert not [word for word in known if word in found]
    assert not [name for name in people if name and re.search(rf"\b{name}\b", found)]
    assert "tocsin_open_incidents" in found


# Who may --------------------------------------------------------------------------------------------------------------


def payload(kind: str, who: str, team: str, **more: Any) -> str:
    """An interaction as Slack sends it."""
    sender = {"id": who, "team_id": team, "username": "x", "name": "x"}
    body = {"type": kind, "user": sender, "team": {"id": team}, "trigger_id": "1.2.3", "api_app_id": "A1", "token": "t"}
    return urlencode({"payload": json.dumps(body | more)})


def pressed(who: str, team: str, action_id: str, value: str) -> str:
    action = {"type": "button", "action_id": action_id, "block_id": "b", "value": value, "action_ts": "1"}
    where = {"type": "message", "channel_id": "C0GENERAL1", "message_ts": "1.1"}
    message = {"ts": "1.1", "text": "", "blocks": []}
    return payload("block_actions", who, team, actions=[action], container=where, message=message)


def told(event: Json, team: str) -> str:
    """An event as Slack sends it."""
    return json.dumps({"type": "event_callback", "team_id": team, "api_app_id": "A1", "event_id": "E1", "event": event})


def submitted(who: str, team: str, view: Json) -> str:
    """A form with every field filled in."""
    state = {
        b["block_id"]: {b["element"]["action_id"]: _answer(b["element"])} for b in view["blocks"] if "element" in b
    }
    return payload("view_submission", who, team, view={**view, "id": "V1", "hash": "h", "state": {"values": state}})


def _answer(element: Json) -> Json:
    match element["type"]:
        case "static_select":
            return {"type": "static_select", "selected_option": element["options"][0]}
        case "checkboxes":
            return {"type": "checkboxes", "selected_options": []}
        case "multi_users_select":
            return {"type": "multi_users_select", "selected_users": [user("mei")]}
        case kind:
            return {"type": kind, "value": "x"}


def moves_form(office: Office, incident: Incident, move: Move) -> Json:
    parts = office.bot.bot.deps
    context = FormContext(incident, parts.policy, parts.roles, Roster(), services=tuple(parts.company.services))
    return move_modal(move, context, FormState())


def attempts(office: Office, incident: Incident, who: str, team: str) -> dict[str, list[str]]:
    """Handler -> bodies that reach it: every verb, button, form, shortcut and tab there is."""
    parts = office.bot.bot.deps
    declare = declare_modal(parts, FormState(), Draft("T", "P1"))
    press = {m: ButtonValue.of(m, incident, {"communicate": "1:approved", "lead": "scribe"}.get(m, "")) for m in Move}
    direct = {"type": "message", "channel_type": "im", "channel": "D1", "user": who, "text": "help", "ts": "1.1"}
    picked = {"type": "static_select", "action_id": "pick_severity", "block_id": "severity", "action_ts": "1"}
    home = {"type": "app_home_opened", "user": who, "tab": "home", "channel": "D1", "event_ts": "1"}
    message = {"channel": {"id": "C0GENERAL1", "name": "g"}, "message_ts": "1.1", "message": {"text": "x", "ts": "1.1"}}
    place = {"type": "message", "channel": "C0GENERAL1"}
    pin = {"user": who, "channel_id": "C0GENERAL1", "item": {**place, "message": {"ts": "1.1"}}, "event_ts": "1"}
    reaction = {"user": who, "reaction": "pushpin", "item": {**place, "ts": "1.1"}, "event_ts": "1"}
    form = {**declare, "id": "V1", "hash": "h", "state": {"values": {}}}
    shift = ShiftValue("primary", office.world.clock())
    state = FormState(incident=incident.id).encode()
    written = modal(review_form.CALLBACK, "Review", "Save", [text_field("cause", "Cause")], state)
    noted = action_item_modal(incident, FormState(incident=incident.id), "x")
    planned = maintenance_modal(StatusPage(title="Shop"), "T", office.world.clock(), FormState())
    return {
        "commands.on_command": [command(office, f"{v} {incident.id} x", who, team) for v in (*VERBS, "nonsense")],
        "submissions.on_declare": [submitted(who, team, declare)],
        "submissions.on_move": [submitted(who, team, moves_form(office, incident, m)) for m in FORMS],
        "submissions.on_severity": [
            payload("block_actions", who, team, actions=[picked], view=form, container={"type": "view"})
        ],
        "submissions.on_details": [
            payload(
                "block_actions",
                who,
                team,
                actions=[{"type": "button", "action_id": "more_details", "block_id": "more", "action_ts": "1"}],
                view=form,
                container={"type": "view"},
            )
        ],
        "Duplicates(access, perform).on_join": [
            payload(
                "block_actions",
                who,
                team,
                actions=[
                    {"type": "button", "action_id": "same_problem", "block_id": f"same-{incident.id}"}
                    | {"value": incident.id, "action_ts": "1"}
                ],
                view=form,
                container={"type": "view"},
            )
        ],
        "submissions.on_search": [
            payload("block_suggestion", who, team, action_id="search", block_id="service", value="", view=form)
        ],
        "commands.on_say": [pressed(who, team, "say-list", "list")],
        "commands.on_message": [told(direct, team)],
        "shortcuts_menu.on_declare": [
            payload("shortcut", who, team, callback_id="declare_incident", action_ts="1"),
            pressed(who, team, "declare_incident", "x"),
        ],
        "shortcuts_menu.on_message": [
            payload("message_action", who, team, callback_id="declare_from_message", **message)
        ],
        "buttons.on_press": [pressed(who, team, move, p.encode()) for move, p in press.items()],
        "oncall.on_action": [
            pressed(who, team, oncall.ANSWER, AnswerValue("primary", office.world.clock(), "dana").encode()),
            pressed(who, team, oncall.TAKE, shift.encode()),
            pressed(who, team, f"{oncall.TICK}_1", "x"),
        ],
        "Home(access, oncall, me).on_opened": [told(home, team)],
        "noted.on_pin_added": [told({"type": "pin_added", **pin}, team)],
        "noted.on_pin_removed": [told({"type": "pin_removed", **pin}, team)],
        "noted.on_reaction_added": [
            told({"type": "reaction_added", **reaction, "reaction": name}, team) for name in REACTIONS
        ],
        "noted.on_reaction_removed": [
            told({"type": "reaction_removed", **reaction, "reaction": name}, team) for name in REACTIONS
        ],
        "me.on_test": [pressed(who, team, f"{oncall.TRY}mail", "x")],
        "submissions.on_maintenance": [submitted(who, team, planned)],
        "submissions.on_review": [submitted(who, team, written)],
        "submissions.on_action_item": [submitted(who, team, noted)],
        "item_notes.on_shortcut": [
            payload("message_action", who, team, callback_id="action_item_from_message", **message)
        ],
    }


def registered() -> set[str]:
    """The handlers that the bot registers, as bot/app.py writes them."""
    calls = [n for n in ast.walk(ast.parse((ROOT / "bot" / "app.py").read_text())) if isinstance(n, ast.Call)]
    made = [c for c in calls if isinstance(c.func, ast.Call) and ast.unparse(c.func).startswith("app.")]
    return {ast.unparse(c.args[0]) for c in made}


@pytest.mark.parametrize(
    ("who", "team"),
    [
        pytest.param(user("gus"), "T0EXAMPLE1", id="a guest"),
        pytest.param("U0STRANGE1", OTHER_TEAM, id="from a connected workspace"),
        pytest.param("U0TOCSIN01", "T0EXAMPLE1", id="a bot"),
        pytest.param("U0NOBODY01", "T0EXAMPLE1", id="unknown to Slack"),
        pytest.param(user("frank"), "T0EXAMPLE1", id="left"),
    ],
)
def test_whoever_is_no_member_is_turned_away_at_every_handler(office: Office, who: str, team: str) -> None:
    """Each attempt is in the audit log, and nothing was changed, opened or told."""
    office.world.service.company = office.world.service.company.model_copy(update={"actions": (BY_HAND,)})
    incident = office.declare()
    tries = attempts(office, incident, who, team)
    assert registered() == {*tries, "buttons.on_other"}  # that one only acknowledges a link
    count = sum(map(len, tries.values()))
    shown = len(opened(office))
    with capture_logs() as logged:
        for body in (b for bodies in tries.values() for b in bodies):
            assert post(office, body, signed(office, body)).status_code == 200, body
        refused = eventually(lambda: found if len(found := audits(logged)) >= count else None)
    assert {(r["person"], r["team"]) for r in refused} == {(who, team)}
    assert len(opened(office)) == shown
    assert office.incident(incident.id) == incident
    assert office.world.store.oncall_state().overrides == ()


def test_incidents_are_changed_where_permission_is_asked() -> None:
    """Nothing in the bot hands the service an event but what lets people in or turns them away first."""
    changes = {"service.declare", "service.handle"}
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "bot").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in changes
    }
    assert found == {"bot/handlers/perform.py"}


def opened(office: Office) -> list[Json]:
    return [*calls(office.workspace, "views.open"), *calls(office.workspace, "views.update")]


def audits(logged: Any) -> list[Json]:
    return [dict(line) for line in logged if line["event"] == "refused"]


# Redis ------------------------------------------------------------------------------------------------------------


EVIL = [
    pytest.param(["os.system", None, ["exit"], {}], {}, id="any function"),
    pytest.param(["workers.jobs.unbind", None, [], {}], {}, id="a function of ours that is no job"),
    pytest.param(["workers.jobs.deliver.__globals__", None, [], {}], {}, id="something inside of one"),
    pytest.param(["format", "{0}", ["x"], {}], {}, id="a method of a value"),
    pytest.param(
        ["workers.jobs.deliver", None, [[]], {}],
        {"success_callback_name": "test_security.ran", "failure_callback_name": "test_security.ran"},
        id="a callback",
    ),
]
seen_running: list[str] = []


def work_off(parts: Works) -> None:
    """Let real workers do what is on the queues; they take the signals of their process, which is ours here."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    jobs.bind(parts.context)
    try:
        for name in QUEUES:
            worker = QueueWorker(name, parts.redis, lambda: None, threading.Event())
            worker.work(burst=True, logging_level="WARNING")
    finally:
        jobs.unbind()
        for number, handler in kept.items():
            signal.signal(number, handler)


def ran(*_: Any) -> None:
    """What a job in Redis would like to have called."""
    seen_running.append("it ran")


@pytest.mark.parametrize(("data", "fields"), [*EVIL, pytest.param(["test_security.ran", None, [], {}], {}, id="ours")])
def test_who_writes_to_redis_runs_no_code(data: list[Any], fields: Json) -> None:
    """RQ imports whatever function a job names; ours runs its own and no other, and goes on to the next job."""
    with redis_of("valkey") as redis:
        parts = works(redis)
        for number in (1, 2):
            task = Task(f"evil-{number}", "normal", "deliver", ([],))
            packed = {"data": zlib.compress(json.dumps(data).encode()), **fields}
            redis.hset(task.key, mapping=job_hash(task, JobStatus.QUEUED) | packed)
            redis.rpush(task.queue_key, task.id)
        work_off(parts)
        assert not redis.exists("rq:queue:normal")
    assert seen_running == []


def test_redis_holds_json_and_plain_text() -> None:
    """A whole incident long: nothing pickled, and each job is a function of ours with ids."""
    found: dict[str, bytes] = {}
    with sandbox.server.running() as workspace, redis_of("valkey") as redis:
        parts = works(redis, workspace)
        parts.declare("P0", title=MARKER)
        for _ in range(8):
            for name in names(redis.keys("rq:job:*")):
                found[name] = raw(redis.hget(name, "data") or b"")
            parts.run()
            for key in map(raw, redis.keys("*")):
                readable(redis, key).encode()
                _plain(redis, key)
            parts.clock.push(minutes=15)
    assert len(found) > 20
    for data in found.values():
        name, instance, arguments, named = json.loads(zlib.decompress(data))
        assert (name in FUNCTIONS, instance, named) == (True, None, {})
        assert all(re.fullmatch(r"[\w-]+", text) for text in _leaves(arguments))
        assert MARKER not in str(arguments)


def _plain(redis: Any, key: bytes) -> None:
    """Every value is text, and what looks like JSON is JSON."""
    texts: list[bytes] = []
    if redis.type(key) == b"string":
        texts = [redis.get(key)]
    elif redis.type(key) == b"hash":
        texts = [v for f, v in redis.hgetall(key).items() if f != b"data"]
    for text in texts:
        decoded = str(text, "utf-8")
        assert not decoded.startswith(("{", "[")) or json.loads(decoded), key


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


def test_a_document_that_cannot_be_read_is_told_without_its_words(loud: pytest.CaptureFixture[str]) -> None:
    """Not by RQ's record of the failure, nor by the logs; the id is what an operator needs."""
    with redis_of("valkey") as redis:
        parts = works(redis)
        incident = parts.declare("P0", title=MARKER, description=MARKER, security=True)
        key = f"tocsin:incident:{incident.id}"
        records = (key, "tocsin:search")  # the search reads the words of incidents, and keeps them as the record does
        redis.set(key, raw(redis.get(key) or b"").replace(b'"investigating"', f'"{MARKER}"'.encode()))
        work_off(parts)
        kept = {k: readable(redis, k.encode()) for k in names(redis.keys("*")) if k not in records}
    heard = loud.readouterr()
    assert any(name.startswith("rq:results:") and "ValidationError" in text for name, text in kept.items())
    assert not [name for name, text in kept.items() if MARKER in text]
    assert MARKER not in heard.out + heard.err


# Calendars of others ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["http://127.0.0.1:{port}/inside", "http://[::1]:{port}/inside", "http://169.254.1.1/"])
def test_a_calendars_server_cannot_send_us_around_in_our_network(to: str) -> None:
    """What the configuration names is fetched, wherever it is; what its server names must be public."""
    with paging_service() as outside:
        port = outside.url.rpartition(":")[2]
        outside.sends_to = to.format(port=port)
        with pytest.raises(FeedProblem, match="not public"):
            fetch(f"http://localhost:{port}/calendar")
    assert outside.asked == ["/calendar"]


# Secrets ----------------------------------------------------------------------------------------------------------

SECRETS = {
    "bot token": "xoxb-recognisable-bot-token",
    "smtp password": "recognisable-smtp-password",
    "pagerduty key": "recognisablepagerdutykey00000000",
    "redis password": "recognisable-redis-password",
    "signing secret": "recognisable-signing-secret",
}


def test_no_secret_is_in_a_log_an_error_or_redis(loud: pytest.CaptureFixture[str]) -> None:
    """Wrong tokens, refused logins and lost connections, without the logs being told what the secrets are."""
    login = f"mailer:{SECRETS['smtp password']}"
    with (
        sandbox.server.running() as workspace,
        redis_of("valkey") as redis,
        mail_server(login=login) as smtp,
        paging_service() as paging,
    ):
        parts = works(redis, replace(workspace, bot_token=SECRETS["bot token"]))
        ways = OtherWays(page=(Via.MAIL, Via.PAGERDUTY))
        parts.service.company = parts.service.company.model_copy(
            update={"other_ways": ways, "templates": {"handover": "{{"}}
        )
        mail = MailClient(smtp.url, "tocsin@example.com")
        service = PagerDutyClient(SECRETS["pagerduty key"], paging.url)
        parts.context = through(parts.context, mail=mail, pagerduty=service)
        smtp.refusing["AUTH"], paging.status = "535 no", 401
        incident = parts.declare("P0")
        parts.run_for(3)
        away = SlackClient(SECRETS["bot token"], "http://127.0.0.1:9/", redis)
        parts.context = through(parts.context, slack=away, pagerduty=PagerDutyClient("k", "http://127.0.0.1:9/"))
        parts.run_for(3)
        with running_bot(workspace, world().service, connected=False, bot_token=SECRETS["bot token"]) as bot:
            failed = repr(eventually(lambda: bot.failure))
        troubles = parts.now(incident).troubles
        kept = "".join(readable(redis, key) for key in map(raw, redis.keys("*")))
    heard = loud.readouterr()
    assert len(set(troubles.values())) >= 2
    assert any(SECRETS["pagerduty key"] in event for event in paging.bodies)  # there it belongs
    for place in (heard.out + heard.err, kept, failed):
        assert not [name for name, secret in SECRETS.items() if secret in place]
    assert "operator action needed" in heard.err


WRONG = {
    "SLACK_BOT_TOKEN": "xapp-recognisable-bot-token",
    "SLACK_APP_TOKEN": "recognisable-app-token",
    "SLACK_SIGNING_SECRET": "xoxb-recognisable-signing-secret",
    "SMTP_URL": "http://recognisable-user:recognisable-smtp-password@127.0.0.1",
    "PAGERDUTY_ROUTING_KEY": "recognisable-key",
    "PAGERDUTY_URL": "ftp://recognisable:password@127.0.0.1/",
}


@pytest.mark.parametrize("verb", ["bot", "worker", "doctor", "list", "oncall"])
@pytest.mark.parametrize("server", ["here", "nowhere", "nonsense"])
def test_no_secret_is_in_what_a_command_says(verb: str, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything wrong at once: the variables are named, their values are not."""
    addresses = {
        "here": f"redis://:recognisable-redis-password@127.0.0.1:{valkey().port}/0",
        "nowhere": "redis://recognisable:recognisable-redis-password@127.0.0.1:1/0",
        "nonsense": "http://:recognisable-redis-password@127.0.0.1",
    }
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in {**WRONG, "REDIS_URL": addresses[server]}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(os.path.dirname(__file__))
    result = CliRunner().invoke(main, [verb])
    assert result.exit_code != 0
    assert "recognisable" not in result.output + repr(result.exception)
