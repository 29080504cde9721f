"""`tocsin replay`: the past by a changed policy, for people and for scripts."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from click.testing import CliRunner, Result

from escalation.incident.events.moves import Acknowledge
from escalation.storage.store import Store
from tests.support.incidents import RESOLVE
from tests.support.story import SHIPPED, Story
from tocsin.cli import main
from tocsin.config.settings import Environment
from tocsin.run import embedded


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder that is being served, with one P1 of two days ago that climbed to its third tier."""
    folder = tmp_path_factory.mktemp("replay")
    embedded.start(folder)
    client = redis.Redis.from_url(embedded.url(folder))
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    story = Story("P1", start=start).until(200).do(Acknowledge(by="UONCALL")).until(230).do(RESOLVE)
    Store(client, lambda pipe, changes: None).declare("20241218", "", lambda _: story.incident)
    yield folder
    client.shutdown(nosave=True)


@pytest.fixture(autouse=True)
def served(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_DATA", str(data))


def tocsin(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def changed_policy(folder: Path) -> Path:
    """The first policy, whose P1 escalates in half the time."""
    policy: dict[str, Any] = yaml.safe_load((SHIPPED / "kars.yml").read_text())
    for checkpoint in policy["severities"]["P1"]["checkpoints"]:
        if checkpoint.get("page"):
            checkpoint["after"] = f"{int(checkpoint['after'].removesuffix('h')) * 30}m"
    path = folder / "new.yml"
    path.write_text(yaml.safe_dump(policy | {"name": "new"}, sort_keys=False))
    return path


def test_the_policy_it_had_makes_no_difference() -> None:
    """It says so in one line, and how many incidents were replayed."""
    found = tocsin("replay", "--policy", "kars")
    assert found.exit_code == 0, found.output
    assert "1 incident of the last 90d by the policy kars: no page differs." in found.output
    assert "Not replayed" not in found.output


def test_a_faster_policy_shows_who_is_paged_earlier(tmp_path: Path) -> None:
    """A table per severity, and one of the people for whom something differs."""
    found = tocsin("replay", "--policy", str(changed_policy(tmp_path)))
    assert "1 differs (INC-" in found.output
    assert "SEVERITY\tPAGES\tMORE\tFEWER\tEARLIER\tLATER\tREPEATS\tAT NIGHT" in found.output
    assert "PERSON\t" in found.output
    assert "UBACKUP\t1\t–\t–\t1 by 30m" in found.output


def test_scripts_get_numbers(tmp_path: Path) -> None:
    """Counts, ids and lengths in seconds."""
    data = json.loads(tocsin("replay", "--policy", str(changed_policy(tmp_path)), "--json").output)
    assert (data["policy"], data["replayed"], data["last_seconds"]) == ("new", 1, 90 * 86400.0)
    assert data["severities"]["P1"]["earlier"]
    assert all(isinstance(seconds, float) for seconds in data["severities"]["P1"]["earlier"])


def test_nothing_in_the_period_is_said() -> None:
    """An hour ago there was none."""
    assert tocsin("replay", "--policy", "kars", "--last", "1h").output.startswith(
        "No incidents to replay in the last 1h"
    )


@pytest.mark.parametrize("policy", ["missing.yml", "nobody-knows"])
def test_a_policy_that_cannot_be_read_is_an_error_of_one_line(policy: str) -> None:
    """With its file, and exit code 1."""
    found = tocsin("replay", "--policy", policy)
    assert found.exit_code == 1
    assert "cannot be read" in found.output
