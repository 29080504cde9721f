"""Optional surfaces: details are folded where Slack takes a container, and stand unfolded where it does not."""

from collections.abc import Iterator
from typing import Any

import pytest

from bot.render.blockkit import OPTIONAL, Message, folded, section, without
from bot.render.card import LATEST, TIMELINE, card
from escalation.incident.events.moves import Acknowledge
from escalation.storage.surfaces import KEY
from tests.support.company import user
from tests.support.story import Story
from tests.support.worker import SlackByClock, Works, redis_of, works_anew
from tocsin.doctor.redis_checks import surfaces_off
from workers.channels import Tag

CARD = Message("A card", [section("Head", "head"), *folded("Details", [section("A long story", "details")], "fold")])


@pytest.fixture
def parts(slack_by_clock: SlackByClock) -> Iterator[Works]:
    with redis_of("valkey") as redis:
        yield works_anew(redis, *slack_by_clock)


def posted(parts: Works, name: str = "one") -> dict[str, Any]:
    """Post the card into a channel, as a delivery of this name; gives what stands there."""
    channel = parts.channel("general")["id"]
    sent = parts.context.slack.post(channel, CARD, Tag(name, 0))
    return next(m for m in parts.messages() if m["ts"] == sent.ts)


def types(message: dict[str, Any]) -> list[str]:
    return [block["type"] for block in message["blocks"]]


def test_the_details_of_a_card_are_folded(parts: Works) -> None:
    """A card fits a screen; what it holds besides opens with a touch."""
    incident = parts.declare(description="A long story", service="checkout")
    parts.run()
    copy = parts.now(incident).card()
    assert copy
    [card] = [m for m in parts.messages() if m["ts"] == copy.ts and m["channel"] == copy.channel]
    assert types(card)[-2:] == ["container", "context"]
    assert list(surfaces_off(parts.redis)) == []


def test_the_timeline_is_folded_below_the_card(parts: Works) -> None:
    """The latest entries with who and when, and nobody is mentioned by it; unfolded it stands in the thread alone."""
    incident = parts.declare()
    parts.run()
    parts.service.handle(incident.id, Acknowledge(by=user("omar")))
    parts.run()
    now = parts.now(incident)
    copy = now.card()
    assert copy
    [shown] = [m for m in parts.messages() if m["ts"] == copy.ts and m["channel"] == copy.channel]
    timeline = shown["blocks"][-2]
    assert (timeline["title"]["text"], timeline["default_collapsed"]) == ("Timeline", True)
    assert "*Declared* by " in str(timeline["child_blocks"])
    named = card(now, (), names={person: f"Name of {person}" for person in now.people() | {user("omar")}})
    [words] = [str(block) for block in named.blocks if block["block_id"] == TIMELINE]
    assert f"*Acknowledged* by Name of {user('omar')}" in words
    assert "<@" not in words
    plain = without(named, OPTIONAL)
    assert "Details" not in str(plain.blocks)
    assert "*Declared* by" not in str(plain.blocks)


def test_a_card_of_many_entries_folds_the_latest() -> None:
    """One block, however long the incident was worked on, and where the rest is."""
    story = Story("P0").until(600)
    [timeline] = [b for b in card(story.incident, ()).blocks if b["block_id"] == TIMELINE]
    [lines] = timeline["child_blocks"]
    first, *rest = lines["text"]["text"].split("\n")
    assert "/incident web" in first
    assert len(rest) == LATEST


def test_where_slack_refuses_a_container_its_content_stands_unfolded(parts: Works) -> None:
    """The message goes out at once, later ones have none, and the doctor names it: it is no fault."""
    parts.fault("chat.postMessage", "error", error="invalid_blocks", times=1)
    assert types(posted(parts)) == types(posted(parts, "two")) == ["section", "section"]
    assert len([call for call in parts.calls("chat.postMessage") if call["error"]]) == 1
    [finding] = surfaces_off(parts.redis)
    assert (finding.state, "unfolded" in finding.what) == ("ok", True)
    assert parts.store.problems.current() == []


def test_an_update_is_unfolded_alike(parts: Works) -> None:
    """Slack may take a surface back while a card stands."""
    message = posted(parts)
    parts.fault("chat.update", "error", error="invalid_blocks", times=1)
    channel = parts.channel("general")["id"]
    parts.context.slack.update(channel, message["ts"], CARD)
    assert types(next(m for m in parts.messages() if m["ts"] == message["ts"])) == ["section", "section"]


def test_it_is_tried_again_a_day_later(parts: Works) -> None:
    """Slack hands new blocks out workspace by workspace."""
    parts.fault("chat.postMessage", "error", error="invalid_blocks", times=1)
    posted(parts)
    assert 86_000 < int(parts.redis.ttl(KEY + "container")) <= 86_400
    parts.redis.delete(KEY + "container")
    assert types(posted(parts, "two")) == ["section", "container"]
