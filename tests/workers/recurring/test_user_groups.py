"""User groups that follow a rotation, in the local workspace: who can be in them, and who hears if they are not."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.render.mrkdwn import plain
from bot.render.oncall import Board
from escalation.config.company import Company, Directory
from escalation.config.rotations import Shift
from escalation.oncall import overrides
from escalation.service import IncidentService
from tests.support.clock import PushedClock
from tests.support.company import user
from tests.support.story import kars
from tests.support.worker import Works, redis_of, works
from workers.recurring.oncall.user_groups import CHECKED_SECONDS, UserGroups
from workers.recurring.reminders import Reminders

NOW = datetime(2026, 10, 20, 12, tzinfo=UTC)
PEOPLE = ("dana", "omar", "mei")


def company(group: str) -> Company:
    rotation = {"people": list(PEOPLE), "ical": "https://cal.example/a.ics", "group": group}
    people = {key: {"slack": user(key)} for key in PEOPLE}
    return Company.model_validate({"policy": "kars", "people": people, "rotations": {"primary": rotation}})


@pytest.fixture
def parts(shared: Any) -> Iterator[Works]:
    """Dana and Omar on call together; the workspace has a group @oncall with Mei in it."""
    with redis_of("fakeredis") as redis:
        made = works(redis, shared, PushedClock(NOW), company("oncall"))
        made.control("reset")
        api = made.context.slack.groups._slack
        group = api.call("usergroups.create", name="oncall", handle="oncall")["usergroup"]["id"]
        api.call("usergroups.users.update", usergroup=group, users=user("mei"))
        plan = [Shift(person=p, starts=NOW - timedelta(days=1), ends=NOW + timedelta(days=9)) for p in PEOPLE[:2]]
        made.service.update_oncall(lambda state, _: overrides.record_feed(state, "primary", plan, NOW))
        yield made


def members(parts: Works) -> set[str]:
    api = parts.context.slack.groups._slack
    (group,) = [g for g in api.read("usergroups.list")["usergroups"] if g["handle"] == "oncall"]
    return set(api.read("usergroups.users.list", usergroup=group["id"])["users"])


def board(parts: Works) -> str:
    found = Board(parts.service.company, Directory(), parts.service.store.oncall_state(), parts.clock())
    return "\n".join(map(plain, found.rotations()))


def round_(parts: Works) -> None:
    UserGroups(parts.context).sync(parts.clock())
    Reminders(parts.context).send_due(parts.clock())
    parts.clock.push(seconds=CHECKED_SECONDS + 1)
    parts.redis.delete("tocsin:group:primary")


def posts(parts: Works) -> list[str]:
    return [m["text"] for m in parts.messages() if "User group" in m["text"]]


def test_the_group_follows_the_rotation(parts: Works) -> None:
    """All is well: nothing is said."""
    round_(parts)
    assert members(parts) == {user("dana"), user("omar")}
    assert "User group" not in board(parts)
    assert not parts.store.problems.current()


@pytest.mark.parametrize("change", [{"deleted": True}, None])
def test_the_valid_members_are_set_and_the_other_is_named(parts: Works, change: Any) -> None:
    """One who was deactivated, or whom Slack does not know, never keeps the others out."""
    if change:
        parts.control(f"users/{user('omar')}", **change)
    else:
        people = {key: {"slack": user(key) if key != "omar" else "U0NOBODY1"} for key in PEOPLE}
        data = company("oncall").model_dump(mode="json", exclude_unset=True) | {"people": people}
        service = IncidentService(parts.store, Company.model_validate(data), kars(), parts.clock)
        parts = replace(parts, service=service, context=replace(parts.context, service=service))
    for _ in range(3):
        round_(parts)
    assert members(parts) == {user("dana")}
    why = "the account is deactivated" if change else "there is no such member"
    assert why in board(parts)
    assert "Left out: @" in board(parts)
    (post,) = posts(parts)
    assert why in post
    assert [p.key for p in parts.store.problems.current()] == ["group:primary"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("permission_denied", "does not let the app change user groups"),
        ("missing_scope", "lacks a scope"),
        ("plan_upgrade_required", "plan does not include"),
    ],
)
def test_a_lasting_refusal_is_said_until_it_ends(parts: Works, error: str, words: str) -> None:
    """In /incident oncall, in the register of faults, and once in the on-call channel."""
    parts.fault("usergroups.users.update", "error", error=error, times=None)
    for _ in range(3):
        round_(parts)
    assert words in board(parts)
    (post,) = posts(parts)
    assert words in post
    (problem,) = parts.store.problems.current()
    assert words in problem.text
    assert not problem.blocks
    parts.slack_back()
    round_(parts)
    assert "User group" not in board(parts)
    assert not parts.store.problems.current()
    assert members(parts) == {user("dana"), user("omar")}


def test_a_misspelt_handle_is_said(parts: Works) -> None:
    """With the key that sets it."""
    service = IncidentService(parts.store, company("onkall"), kars(), parts.clock)
    parts = replace(parts, service=service, context=replace(parts.context, service=service))
    round_(parts)
    assert "User group @onkall: Slack has no user group of that handle: correct rotations.primary.group" in board(parts)
    assert len(posts(parts)) == 1


def test_what_passes_is_no_news(parts: Works) -> None:
    """It is tried again with the next round."""
    parts.fault("usergroups.users.update", "error", error="internal_error", times=1)
    UserGroups(parts.context).sync(parts.clock())
    assert "User group" not in board(parts)
    UserGroups(parts.context).sync(parts.clock())
    assert members(parts) == {user("dana"), user("omar")}
