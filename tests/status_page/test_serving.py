"""The page over HTTP, as the bot serves it: one real bot, whose folder is renewed by itself."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from bot.http.status import FromMemory, StatusFiles
from escalation.config.status_page import StatusPage
from escalation.status_page.files import render
from escalation.storage.public.folder import StatusFolder, write
from escalation.storage.public.log import PublicLog
from sandbox.server import RunningWorkspace
from tests.support.bot import BotAtWork, running_bot, world
from tests.support.waiting import eventually

PAGE = StatusPage(title="Shop status", components=("checkout",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "status"


@pytest.fixture
def bot(workspace: RunningWorkspace, folder: Path) -> Iterator[BotAtWork]:
    service = world().service
    status = StatusFolder(folder, PAGE, PublicLog(service.store.redis), service.store.problems)
    with running_bot(workspace, service, connected=False, status=status) as running:
        eventually(lambda: (folder / "summary.json").exists())
        yield running


def test_the_page_is_served_with_strong_etags(bot: BotAtWork) -> None:
    """Every file with its type; whoever has it gets 304; nothing beside the files."""
    for path, kind in (("", "text/html"), ("history/", "text/html"), ("feed.atom", "application/atom+xml")):
        answer = bot.web.get(f"/status/{path}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["cache-control"].startswith("public, max-age=")
        tag = answer.headers["etag"]
        assert not tag.startswith("W/")
        assert bot.web.get(f"/status/{path}", headers={"if-none-match": tag}).status_code == 304
    assert bot.web.get("/status/summary.json").json()["page"]["title"] == "Shop status"


@pytest.mark.parametrize("path", [".state", ".lock", "../spool", "%2e%2e/x", "history", "nothing.html", "a%00b.html"])
def test_nothing_else_is_served(bot: BotAtWork, path: str) -> None:
    """No hidden file, nothing outside the folder; a folder without its slash leads to it."""
    answer = bot.web.get(f"/status/{path}", follow_redirects=False)
    assert answer.status_code == (308 if path == "history" else 404)


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip, deflate, br", True), ("gzip;q=0.5", True), ("br", False), ("", False), ("gzip;q=0, br", False)],
)
def test_a_reader_who_takes_it_packed_gets_it_packed(bot: BotAtWork, accepted: str, packed: bool) -> None:
    """The words are the same, each form has an ETag of its own, and a cache is told that there are two."""
    plain = bot.web.get("/status/", headers={"accept-encoding": "identity"})
    answer = bot.web.get("/status/", headers={"accept-encoding": accepted})
    assert (answer.headers.get("content-encoding") == "gzip") is packed
    assert (int(answer.headers["content-length"]) < len(plain.content) / 2) is packed
    assert answer.text == plain.text
    assert answer.headers["vary"] == "accept-encoding"
    assert (answer.headers["etag"] != plain.headers["etag"]) is packed
    again = {"accept-encoding": accepted, "if-none-match": f'"x", {answer.headers["etag"]}'}
    assert bot.web.get("/status/", headers=again).status_code == 304


async def test_readers_are_answered_before_anything_else_of_the_app_is_asked(folder: Path) -> None:
    """What was looked up within the last second is sent from memory; all else goes on to the app."""
    write(folder, render(PAGE, [], datetime.now(UTC)), b"{}")
    files, passed_on = StatusFiles(folder), list[str]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed_on.append(f"{scope['method']} {scope['path']}")

    async def asked(path: str, method: str = "GET") -> int:
        sent = list[Message]()
        scope = {"type": "http", "method": method, "path": path, "headers": []}

        async def receive() -> Message:
            raise AssertionError("no body is waited for")

        async def send(message: Message) -> None:
            sent.append(message)

        await FromMemory(app, files)(scope, receive, send)
        return int(sent[0]["status"]) if sent else 0

    assert await asked("/status/") == 0
    assert files.find("")
    assert await asked("/status/") == await asked("/status/", "HEAD") == 200
    assert [await asked(p) for p in ("/status/fresh", "/status/subscribe", "/alerts/grafana", "/healthz")] == [0] * 4
    assert await asked("/status/", "POST") == 0
    assert len(passed_on) == 6


def test_where_nobody_can_subscribe_by_mail_the_address_says_what_there_is(bot: BotAtWork) -> None:
    """Without a mail server the page offers no mail, and an old link leads to the feed."""
    answer = bot.web.get("/status/subscribe")
    assert answer.status_code == 200
    assert "No updates by mail here" in answer.text
    assert 'href="feed.atom"' in answer.text
    assert "Updates by mail" not in bot.web.get("/status/").text
    assert bot.web.post("/status/subscribe", data={"address": "ann@example.com"}).status_code == 405


def test_a_fresh_page_is_shown_as_it_is(bot: BotAtWork, folder: Path) -> None:
    """What would be said of an old one stands in comments."""
    write(folder, render(PAGE, [], datetime.now(UTC)), (folder / ".state").read_bytes())
    assert "out of date" not in without_comments(bot.web.get("/status/").text)


def without_comments(text: str) -> str:
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)


def test_a_stale_page_says_so_to_checks_and_readers(bot: BotAtWork, folder: Path) -> None:
    """200 while it can be relied on, 503 after; a cache may keep it no longer than it holds."""
    now, state = datetime.now(UTC), (folder / ".state").read_bytes()  # by the bot's clock, which stands still
    write(folder, render(PAGE, [], now), state)
    assert bot.web.get("/status/fresh").status_code == 200
    write(folder, render(PAGE, [], now - timedelta(minutes=6)), state)
    assert bot.web.get("/status/fresh").status_code == 503
    stale = bot.web.get("/status/")
    assert stale.headers["cache-control"] == "public, max-age=0"
    assert "<strong>This page is out of date.</strong>" in without_comments(stale.text)
