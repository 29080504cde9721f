"""The page over HTTP, as the bot serves it: one real bot, whose folder is renewed by itself."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

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
