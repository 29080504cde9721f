"""How the local workspace reaches the app: envelopes, retries, cut sockets, signed requests, triggers."""

import asyncio
import contextlib

import aiohttp
import httpx2
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier

from sandbox.server import RunningWorkspace, running
from sandbox.setup import Setup
from tests.support.clock import PushedClock
from tests.support.waiting import WITHIN
from tests.support.workspace import DANA, GENERAL, MODAL, Json, post


class App:
    """A bare Socket Mode app: it acknowledges when it is told to."""

    def __init__(self, workspace: RunningWorkspace) -> None:
        self._workspace = workspace

    async def __aenter__(self) -> "App":
        slack = WebClient(token=self._workspace.app_token, base_url=self._workspace.api_url)
        address = (await asyncio.to_thread(slack.apps_connections_open, app_token=self._workspace.app_token))["url"]
        self._session = aiohttp.ClientSession()
        self.socket = await self._session.ws_connect(address)
        self.hello = await self.receive()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def receive(self) -> Json:
        message: Json = await self.socket.receive_json(timeout=WITHIN)
        return message

    async def acknowledge(self, envelope: Json, payload: Json | None = None) -> None:
        await self.socket.send_json({"envelope_id": envelope["envelope_id"], "payload": payload})


async def command(workspace: RunningWorkspace) -> Json:
    fields = {"as": DANA, "channel": GENERAL, "command": "/incident", "text": "declare"}
    return await asyncio.to_thread(post, workspace, "/ui/command", **fields)


async def test_envelopes_go_round(workspace: RunningWorkspace) -> None:
    """With several connections each gets its turn; the first word on each is hello."""
    async with App(workspace) as one, App(workspace) as two:
        assert (one.hello["type"], two.hello["num_connections"]) == ("hello", 2)
        for app in (one, two, one):
            asking = asyncio.create_task(command(workspace))
            envelope = await app.receive() if app is not None else {}
            assert (envelope["type"], envelope["accepts_response_payload"]) == ("slash_commands", True)
            await app.acknowledge(envelope, {"text": "done"})
            assert await asking == {"ok": True}


async def test_redelivery(workspace: RunningWorkspace) -> None:
    """The same payload can be sent once more."""
    async with App(workspace) as app:
        asking = asyncio.create_task(command(workspace))
        first = await app.receive()
        await app.acknowledge(first)
        await asking
        assert await asyncio.to_thread(post, workspace, "/control/redeliver", n=1) == {"ok": True, "sent": 1}
        again = await app.receive()
    assert (again["payload"], again["envelope_id"] != first["envelope_id"]) == (first["payload"], True)


async def test_events_are_repeated(clock: PushedClock) -> None:
    """An event nobody acknowledges comes again after one minute and after five, the same event each time."""
    with running(clock=clock.seconds, setup=Setup(ack_seconds=0.05)) as workspace:
        rows = await unacknowledged(workspace, clock)
    assert [row["retry_attempt"] for row in rows] == [0, 1, 2, 3]
    assert len({row["payload"]["event_id"] for row in rows}) == 1


async def unacknowledged(workspace: RunningWorkspace, clock: PushedClock) -> list[Json]:
    async with App(workspace) as app:
        await asyncio.to_thread(post, workspace, "/ui/home", **{"as": DANA})
        first = await app.receive()
        second = await app.receive()
        clock.push(seconds=60)
        third = await app.receive()
        clock.push(seconds=240)
        return [first, second, third, await app.receive()]


async def test_sockets_can_be_cut_and_refused(workspace: RunningWorkspace, clock: PushedClock) -> None:
    """A reset ends the connection; while refusing, no new address is given."""
    async with App(workspace) as app:
        assert (await asyncio.to_thread(post, workspace, "/control/sockets", action="refuse", seconds=30))["ok"]
        assert (await app.socket.receive(timeout=WITHIN)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)
    slack = WebClient(base_url=workspace.api_url)
    with pytest.raises(SlackApiError, match="internal_error"):
        slack.apps_connections_open(app_token=workspace.app_token)
    clock.push(seconds=31)
    assert slack.apps_connections_open(app_token=workspace.app_token)["ok"]


async def test_a_silent_socket(workspace: RunningWorkspace) -> None:
    """In silence the connection is open but mute; what was held back comes at its end."""
    async with App(workspace) as app:
        await asyncio.to_thread(post, workspace, "/control/sockets", action="silence", seconds=0.3)
        asking = asyncio.create_task(command(workspace))
        envelope = await app.receive()
        await app.acknowledge(envelope)
        assert await asking == {"ok": True}


async def test_a_polite_refresh(workspace: RunningWorkspace) -> None:
    """Slack asks for a new connection before it drops one."""
    async with App(workspace) as app:
        await asyncio.to_thread(post, workspace, "/control/sockets", action="refresh")
        message = await app.receive()
    assert (message["type"], message["reason"]) == ("disconnect", "refresh_requested")


async def opened(workspace: RunningWorkspace) -> str:
    """A trigger_id that is good now."""
    async with App(workspace) as app:
        asking = asyncio.create_task(command(workspace))
        envelope = await app.receive()
        await app.acknowledge(envelope)
        await asking
    return str(envelope["payload"]["trigger_id"])


async def test_triggers(workspace: RunningWorkspace, clock: PushedClock) -> None:
    """A trigger works once, for three seconds, and can be expired on demand."""
    slack = WebClient(token=workspace.bot_token, base_url=workspace.api_url)

    def error(trigger: str) -> str:
        with pytest.raises(SlackApiError) as refused:
            slack.views_open(trigger_id=trigger, view=MODAL)
        return str(refused.value.response["error"])

    used = await opened(workspace)
    view = slack.views_open(trigger_id=used, view=MODAL)["view"]
    assert error(used) == "exchanged_trigger_id"
    late = await opened(workspace)
    clock.push(seconds=3.5)
    assert error(late) == "expired_trigger_id"
    expired = await opened(workspace)
    await asyncio.to_thread(post, workspace, "/control/triggers", expire=True)
    assert error(expired) == "expired_trigger_id"
    changed = slack.views_update(view_id=view["id"], view=MODAL, hash=view["hash"])["view"]
    assert changed["hash"] != view["hash"]
    with pytest.raises(SlackApiError, match="hash_conflict"):
        slack.views_update(view_id=view["id"], view=MODAL, hash=view["hash"])


async def test_patience_can_be_set_and_ended(workspace: RunningWorkspace, clock: PushedClock) -> None:
    """For a machine that is busy with other things; `null` is Slack's three seconds again."""
    slack = WebClient(token=workspace.bot_token, base_url=workspace.api_url)
    await asyncio.to_thread(post, workspace, "/control/app", trigger_seconds=60, ack_seconds=0.05)
    patient = await opened(workspace)
    clock.push(seconds=59)
    assert slack.views_open(trigger_id=patient, view=MODAL)["ok"]
    async with App(workspace):  # which acknowledges nothing
        assert await command(workspace) == {"ok": False, "error": "/incident failed because the app did not respond"}
    await asyncio.to_thread(post, workspace, "/control/app", trigger_seconds=None, ack_seconds=None)
    late = await opened(workspace)
    clock.push(seconds=4)
    with pytest.raises(SlackApiError, match="expired_trigger_id"):
        slack.views_open(trigger_id=late, view=MODAL)


async def test_response_urls(workspace: RunningWorkspace, clock: PushedClock) -> None:
    """A response_url works five times, and for half an hour."""
    async with App(workspace) as app:
        addresses = []
        for _ in range(2):
            asking = asyncio.create_task(command(workspace))
            envelope = await app.receive()
            await app.acknowledge(envelope)
            await asking
            addresses.append(envelope["payload"]["response_url"])
    async with httpx2.AsyncClient(trust_env=False, verify=False) as http:
        used = [(await http.post(addresses[0], json={"text": str(n)})).status_code for n in range(6)]
        clock.push(seconds=1801)
        late = (await http.post(addresses[1], json={"text": "late"})).json()
    assert (used, late["error"]) == ([200] * 5 + [404], "expired_url")


async def test_signed_requests(workspace: RunningWorkspace) -> None:
    """Over HTTP the signature is Slack's, and refused events carry the number of the retry."""
    seen: list[tuple[dict[str, str], str]] = []

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        seen.append((headers, (await reader.readexactly(int(headers["content-length"]))).decode()))
        writer.write(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(app, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/slack/events"
    await asyncio.to_thread(post, workspace, "/control/app", request_url=address, signing_secret="s3cret")
    answer = await command(workspace)
    await asyncio.to_thread(post, workspace, "/ui/home", **{"as": DANA})
    async with asyncio.timeout(WITHIN):
        while len(seen) < 3:  # noqa: ASYNC110 - the workspace sends
            await asyncio.sleep(0.01)
    server.close()
    assert answer == {"ok": False, "error": '/incident failed with the error "http_service_error"'}
    (form, body), (event, _), (again, _) = seen
    verifier = SignatureVerifier("s3cret")
    expected = verifier.generate_signature(timestamp=form["x-slack-request-timestamp"], body=body)
    assert (form["x-slack-signature"], "command=%2Fincident" in body) == (expected, True)
    assert ("x-slack-retry-num" in event, again["x-slack-retry-num"]) == (False, "1")


async def test_subscribed_events(workspace: RunningWorkspace, slack: WebClient) -> None:
    """The app hears of joins, mentions, messages and changed people when it subscribed to them."""
    async with App(workspace) as app:

        async def event() -> Json:
            envelope = await app.receive()
            await app.acknowledge(envelope)
            heard: Json = envelope["payload"]["event"]
            return heard

        await asyncio.to_thread(slack.conversations_join, channel=GENERAL)
        joined = [await event() for _ in range(2)]
        fields = {"as": DANA, "channel": GENERAL, "text": "@tocsin help"}
        await asyncio.to_thread(post, workspace, "/ui/say", **fields)
        said = [await event() for _ in range(2)]
        await asyncio.to_thread(post, workspace, f"/control/users/{DANA}", deleted=True)
        changed = await event()
    assert {row["type"] for row in joined} == {"message", "member_joined_channel"}
    assert [(row["type"], row["text"]) for row in said] == [
        ("message", "<@U0TOCSIN01> help"),
        ("app_mention", "<@U0TOCSIN01> help"),
    ]
    assert (changed["type"], changed["user"]["deleted"]) == ("user_change", True)


@pytest.mark.parametrize("reason", ["too_many_websockets", "link_disabled"])
async def test_a_connection_that_slack_ends_at_once(workspace: RunningWorkspace, reason: str) -> None:
    """An open connection is told why it ends, and each new one instead of a greeting, until the time is over."""
    async with App(workspace) as app:
        await asyncio.to_thread(post, workspace, "/control/sockets", action=reason, seconds=60)
        assert (await app.receive())["reason"] == reason
    async with App(workspace) as refused:
        assert (refused.hello["type"], refused.hello["reason"]) == ("disconnect", reason)
        assert (await refused.socket.receive(timeout=WITHIN)).type is aiohttp.WSMsgType.CLOSE
    await asyncio.to_thread(post, workspace, "/control/clock", advance=61)
    async with App(workspace) as app:
        assert app.hello["type"] == "hello"


async def test_the_eleventh_connection_is_one_too_many(workspace: RunningWorkspace) -> None:
    """Slack takes ten of an app; the next is told so as soon as it is accepted."""
    async with contextlib.AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(App(workspace)) for _ in range(11)]
    assert [app.hello["type"] for app in apps] == ["hello"] * 10 + ["disconnect"]
    assert apps[-1].hello["reason"] == "too_many_websockets"
