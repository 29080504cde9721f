"""A real Bolt app against the local workspace, over Socket Mode and over signed HTTP."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
import uvicorn
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.server import RunningWorkspace, running
from sandbox.setup import Setup
from tests.support.http import web
from tests.support.waiting import WITHIN
from tests.support.workspace import PATIENT

DANA, OMAR = "U0DANA0001", "U0OMAR0001"
GENERAL = "C0GENERAL1"
Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def form(callback_id: str = "declare", **fields: Any) -> Json:
    title = {"type": "plain_text_input", "action_id": "text", "max_length": 20}
    block = {"type": "input", "block_id": "title", "label": plain("Title"), "element": title}
    kick = {"type": "button", "action_id": "kick", "text": plain("Kick"), "value": "v"}
    blocks = [block, {"type": "actions", "block_id": "row", "elements": [kick]}]
    shown = {"type": "modal", "callback_id": callback_id, "title": plain("Declare"), "submit": plain("Go")}
    return {**shown, "blocks": blocks, **fields}


CARD = {
    "type": "actions",
    "block_id": "card",
    "elements": [{"type": "button", "action_id": "ack", "text": plain("Acknowledge"), "value": "INC-1"}],
}


def listening(app: AsyncApp, heard: list[Json]) -> AsyncApp:
    """Register listeners that answer in every way that Slack knows, and write down what they heard."""

    @app.command("/incident")
    async def on_command(ack: Any, body: Json, client: AsyncWebClient, respond: Any) -> None:
        heard.append(body)
        word = body["text"]
        if word == "text":
            await ack("as text")
        elif word == "public":
            await ack(text="for all", response_type="in_channel")
        elif word != "silence":
            await ack()
        if word == "form":
            await client.views_open(trigger_id=body["trigger_id"], view=form(notify_on_close=True))
        if word == "later":
            await respond("later on")

    @app.view("declare")
    async def on_submit(ack: Any, body: Json) -> None:
        heard.append(body)
        word = body["view"]["state"]["values"]["title"]["text"]["value"]
        answers: dict[str, Json] = {
            "errors": {"response_action": "errors", "errors": {"title": "Too vague"}},
            "update": {"response_action": "update", "view": form("other")},
            "push": {"response_action": "push", "view": form()},
            "clear": {"response_action": "clear"},
            "broken": {"response_action": "update", "view": {"type": "modal"}},
            "astray": {"response_action": "errors", "errors": {"row": "not an input"}},
        }
        await ack(**answers.get(word, {}))

    @app.view_closed("declare")
    async def on_close(ack: Any, body: Json) -> None:
        heard.append(body)
        await ack()

    async def on_anything(ack: Any, body: Json) -> None:
        heard.append(body)
        await ack()

    for action in ("ack", "kick"):
        app.action(action)(on_anything)
    app.shortcut("declare_incident")(on_anything)
    app.shortcut("declare_from_message")(on_anything)

    @app.event("app_home_opened")
    async def on_home(event: Json, client: AsyncWebClient) -> None:
        home = {"type": "home", "blocks": [{"type": "divider"}]}
        await client.views_publish(user_id=event["user"], view=home)
        heard.append(event)

    return app


def bolt(workspace: RunningWorkspace) -> AsyncApp:
    client = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
    return AsyncApp(client=client, signing_secret=workspace.signing_secret)


@contextlib.asynccontextmanager
async def over_socket(workspace: RunningWorkspace, heard: list[Json]) -> AsyncIterator[None]:
    handler = AsyncSocketModeHandler(listening(bolt(workspace), heard), workspace.app_token)
    await handler.connect_async()  # type: ignore[no-untyped-call]
    await until(lambda: connections(workspace) == 1)
    try:
        yield
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


@contextlib.asynccontextmanager
async def over_http(workspace: RunningWorkspace, heard: list[Json]) -> AsyncIterator[None]:
    handler = AsyncSlackRequestHandler(listening(bolt(workspace), heard))

    async def endpoint(request: Request) -> Response:
        return await handler.handle(request)

    listener = socket.create_server(("127.0.0.1", 0))
    routes = [Route("/slack/events", endpoint, methods=["POST"])]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_config=None))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await until(lambda: server.started)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/slack/events"
    web.post(f"{workspace.url}/control/app", json={"request_url": address})
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True  # without waiting for listeners that answer nothing
        await serving


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that happens elsewhere; the test fails by its timeout."""
    async with asyncio.timeout(WITHIN):
        while not true():  # noqa: ASYNC110 - it happens in another thread
            await asyncio.sleep(0.01)


def connections(workspace: RunningWorkspace) -> int:
    return int(web.get(f"{workspace.url}/control/state").json()["app"]["connections"])


class Someone:
    """A person at the page."""

    def __init__(self, workspace: RunningWorkspace, user: str = DANA) -> None:
        self.user = user
        limits = httpx2.Limits(max_keepalive_connections=0)  # the workspace closes one that idled, and none of ours
        self._http = httpx2.AsyncClient(
            base_url=workspace.url, trust_env=False, verify=False, timeout=WITHIN, limits=limits
        )

    async def does(self, what: str, **body: Any) -> Json:
        answer: Json = (await self._http.post(f"/ui/{what}", json={"as": self.user, **body})).json()
        return answer

    async def sees(self, what: str, **query: Any) -> list[Json]:
        answer = (await self._http.get(f"/ui/{what}", params={"as": self.user, **query})).json()
        rows: list[Json] = answer[what]
        return rows

    async def command(self, word: str) -> Json:
        return await self.does("command", channel=GENERAL, command="/incident", text=word)

    async def form(self) -> str:
        """Open the form and give its id."""
        assert (await self.command("form"))["ok"]
        async with asyncio.timeout(WITHIN):
            while not (rows := await self.sees("views")):  # noqa: ASYNC110 - the app opens it
                await asyncio.sleep(0.01)
        return str(rows[-1]["id"])

    async def submits(self, view_id: str, title: str) -> Json:
        values = {"title": {"text": {"type": "plain_text_input", "value": title}}}
        return await self.does("submit", view_id=view_id, state={"values": values})


TRANSPORTS = {"socket": over_socket, "http": over_http}


@pytest.fixture(params=TRANSPORTS)
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[tuple[RunningWorkspace, Someone, list[Json]]]:
    """A workspace, a person in it, and what the app hears; once over each transport."""
    heard: list[Json] = []
    with running(setup=PATIENT) as workspace:
        async with TRANSPORTS[request.param](workspace, heard):
            yield workspace, Someone(workspace), heard


Stage = tuple[RunningWorkspace, Someone, list[Json]]


async def test_commands(stage: Stage) -> None:
    """A command arrives with its fields; what the app answers is shown to the person, or to all."""
    _, dana, heard = stage
    assert await dana.command("page @omar <now>") == {"ok": True}
    body = heard[-1]
    assert (body["command"], body["text"]) == ("/incident", f"page <@{OMAR}|omar> &lt;now&gt;")
    assert (body["user_id"], body["channel_id"], body["channel_name"]) == (DANA, GENERAL, "general")
    for word in ("text", "public", "later"):
        assert await dana.command(word) == {"ok": True}
    shown: list[Json] = []
    async with asyncio.timeout(WITHIN):
        while len(shown) < 3:
            shown = await dana.sees("messages", channel=GENERAL)
    assert [(row["text"], row.get("ephemeral", False)) for row in shown] == [
        ("as text", True),
        ("for all", False),
        ("later on", True),
    ]


async def test_unknown_command(stage: Stage) -> None:
    """Slackbot says that there is no such command."""
    _, dana, _ = stage
    answer = await dana.does("command", channel=GENERAL, command="/nope", text="")
    assert answer == {"ok": False, "error": "/nope is not a valid command."}


async def test_forms(stage: Stage) -> None:
    """A form is refused by its inputs, then by the app, and closes when it is taken."""
    _, dana, heard = stage
    view = await dana.form()
    assert await dana.submits(view, "") == {
        "ok": False,
        "errors": {"title": "Please complete this required field."},
    }
    too_long = "Please enter at most 20 characters."
    assert await dana.submits(view, "x" * 21) == {"ok": False, "errors": {"title": too_long}}
    assert await dana.submits(view, "errors") == {"ok": False, "errors": {"title": "Too vague"}}
    for word in ("broken", "astray"):
        assert (await dana.submits(view, word))["error"].startswith("We had some trouble")
    assert [row["id"] for row in await dana.sees("views")] == [view]
    assert await dana.submits(view, "fine") == {"ok": True}
    assert await dana.sees("views") == []
    assert heard[-1]["view"]["callback_id"] == "declare"


async def test_forms_over_forms(stage: Stage) -> None:
    """Forms are pushed, three deep at most, and all cleared at once."""
    _, dana, _ = stage
    bottom = await dana.form()
    for _ in range(2):
        top = (await dana.sees("views"))[-1]["id"]
        assert await dana.submits(top, "push") == {"ok": True}
    rows = await dana.sees("views")
    assert [row["previous_view_id"] for row in rows] == [None, rows[0]["id"], rows[1]["id"]]
    assert {row["root_view_id"] for row in rows} == {bottom}
    assert not (await dana.submits(rows[-1]["id"], "push"))["ok"]
    assert await dana.submits(rows[-1]["id"], "clear") == {"ok": True}
    assert await dana.sees("views") == []


async def test_updated_forms_keep_what_was_typed(stage: Stage) -> None:
    """An update in answer to a submission replaces the form under the same id."""
    _, dana, _ = stage
    view = await dana.form()
    assert await dana.submits(view, "update") == {"ok": True}
    (row,) = await dana.sees("views")
    assert (row["id"], row["callback_id"]) == (view, "other")
    assert row["state"]["values"]["title"]["text"]["value"] == "update"


async def test_closing_is_told(stage: Stage) -> None:
    """The app hears of a closed form when it asked for that."""
    _, dana, heard = stage
    view = await dana.form()
    await dana.does("close", view_id=view)
    await until(lambda: heard[-1]["type"] == "view_closed" if "type" in heard[-1] else False)
    assert (heard[-1]["view"]["id"], heard[-1]["is_cleared"]) == (view, False)


async def test_clicks(stage: Stage) -> None:
    """A click carries what it was on, where, and who clicked; it works in messages and in forms."""
    workspace, dana, heard = stage
    slack = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
    ts = (await slack.chat_postMessage(channel=GENERAL, text="card", blocks=[CARD]))["ts"]
    click = {"block_id": "card", "action_id": "ack", "type": "button"}
    on_message = {"type": "message", "channel": GENERAL, "message_ts": ts}
    assert await dana.does("action", container=on_message, action=click) == {"ok": True}
    body = heard[-1]
    assert (body["actions"][0]["value"], body["user"]["id"], body["message"]["ts"]) == ("INC-1", DANA, ts)
    assert (body["container"]["channel_id"], body["channel"]["name"]) == (GENERAL, "general")
    gone = await dana.does("action", container=on_message, action={**click, "action_id": "gone"})
    assert gone == {"ok": False, "error": "That element is not there any more."}
    view = await dana.form()
    typed = {"values": {"title": {"text": {"type": "plain_text_input", "value": "half"}}}}
    in_form = {"type": "view", "view_id": view}
    kick = {"block_id": "row", "action_id": "kick", "type": "button"}
    await dana.does("action", container=in_form, action=kick, state=typed)
    assert heard[-1]["view"]["state"]["values"]["title"]["text"]["value"] == "half"


def options(*values: str) -> list[Json]:
    return [{"text": plain(value), "value": value} for value in values]


CHOICES: list[tuple[Json, Json]] = [
    ({"type": "checkboxes", "options": options("a", "b")}, {"selected_options": options("b")}),
    ({"type": "radio_buttons", "options": options("a", "b")}, {"selected_option": options("b")[0]}),
    ({"type": "static_select", "options": options("a", "b")}, {"selected_option": options("b")[0]}),
    ({"type": "users_select", "initial_user": DANA}, {"selected_user": OMAR}),
    ({"type": "multi_users_select"}, {"selected_users": [DANA, OMAR]}),
    ({"type": "datepicker", "placeholder": plain("When")}, {"selected_date": "2026-11-21"}),
]


@pytest.mark.parametrize(("element", "chosen"), CHOICES, ids=lambda given: given.get("type"))
@pytest.mark.parametrize("block", ["section", "actions"])
async def test_choices_in_messages(stage: Stage, block: str, element: Json, chosen: Json) -> None:
    """A choice beside a section or in an actions block is told, with what every other element holds."""
    workspace, dana, heard = stage
    slack = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
    used = {**element, "action_id": "ack"}
    flags = {"type": "checkboxes", "action_id": "flags", "options": options("x", "y"), "initial_options": options("x")}
    asking: Json = {"type": "section", "text": plain("Who?"), "accessory": used}
    asking = asking if block == "section" else {"type": "actions", "elements": [used]}
    blocks: list[Json] = [{**asking, "block_id": "asked"}, {"type": "actions", "block_id": "kept", "elements": [flags]}]
    ts = (await slack.chat_postMessage(channel=GENERAL, text="card", blocks=blocks))["ts"]
    on_message = {"type": "message", "channel": GENERAL, "message_ts": ts}
    choice = {"block_id": "asked", "action_id": "ack", **chosen}
    assert await dana.does("action", container=on_message, action=choice) == {"ok": True}
    action = heard[-1]["actions"][0]
    told = {name: value for name, value in used.items() if name != "options"}
    assert action == {**told, **chosen, "block_id": "asked", "action_ts": action["action_ts"]}
    assert heard[-1]["state"]["values"] == {
        "asked": {"ack": {"type": element["type"], **chosen}},
        "kept": {"flags": {"type": "checkboxes", "selected_options": options("x")}},
    }


async def test_shortcuts(stage: Stage) -> None:
    """Global and message shortcuts reach the app, the latter with the message."""
    _, dana, heard = stage
    ts = (await dana.does("say", channel=GENERAL, text="Checkout is down"))["ts"]
    assert await dana.does("shortcut", callback_id="declare_incident") == {"ok": True}
    assert heard[-1]["type"] == "shortcut"
    await dana.does("shortcut", callback_id="declare_from_message", channel=GENERAL, message_ts=ts)
    assert (heard[-1]["type"], heard[-1]["message"]["text"]) == ("message_action", "Checkout is down")


async def test_home(stage: Stage) -> None:
    """Opening Home tells the app, which then publishes it."""
    _, dana, heard = stage
    assert await dana.does("home") == {"view": None}
    await until(lambda: bool(heard))
    view = (await dana.does("home"))["view"]
    assert (heard[0]["user"], view["blocks"][0]["type"]) == (DANA, "divider")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_app_that_does_not_answer(transport: str) -> None:
    """When its time is up the person hears that the app did not respond."""
    with running(setup=Setup(ack_seconds=0.2)) as workspace:
        async with TRANSPORTS[transport](workspace, []):
            answer = await Someone(workspace).command("silence")
    assert answer == {"ok": False, "error": "/incident failed because the app did not respond"}


async def test_nobody_there() -> None:
    """Without an app the command fails at once."""
    with running() as workspace:
        answer = await Someone(workspace).command("help")
    assert answer == {"ok": False, "error": '/incident failed with the error "dispatch_failed"'}
