"""`tocsin report` and `tocsin verify`: the figures of a period, for people and for scripts."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result

from escalation.figures.observation import Observation, encode, text_of
from escalation.figures.words import MEAN_HIDES
from escalation.incident.events.moves import Acknowledge, Resolve
from escalation.storage.indexes import ALL, FIGURES
from escalation.storage.store import Store
from tests.support.story import Story
from tocsin.cli import main
from tocsin.config.settings import Environment
from tocsin.run import embedded

HOUR = timedelta(hours=1)
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder that is being served."""
    folder = tmp_path_factory.mktemp("report")
    embedded.start(folder)
    yield folder
    redis.Redis.from_url(embedded.url(folder)).shutdown(nosave=True)


@pytest.fixture
def client(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "redis.Redis":
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_DATA", str(data))
    found = redis.Redis.from_url(embedded.url(data))
    found.flushall()
    return found


def tocsin(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def keep(
    client: "redis.Redis", n: int = 1, *, ago: timedelta = HOUR, minutes: float = 30, **more: object
) -> Observation:
    """Store an incident that was paged at once, acknowledged after two minutes, and resolved."""
    at = (datetime.now(UTC) - ago).timestamp()
    facts: dict[str, Any] = {
        "severity": "P1",
        "first_severity": "P1",
        "status": "resolved",
        "service": "checkout",
        "first_page": at,
        "acknowledged": at + 120,
        "resolved": at + 60 * minutes,
        "acknowledged_in_time": True,
    } | more
    seen = Observation(id=f"INC-20261129-{n:03d}", declared=at, **facts)
    client.zadd(ALL, {seen.id: at})
    client.hset(FIGURES, seen.id, encode(seen))
    return seen


def test_a_report_says_what_each_time_is_and_what_was_left_out(client: "redis.Redis") -> None:
    """Title, counts, a row for each time, the definitions with the reasons, and the promises."""
    keep(client)
    keep(client, 2, acknowledged=None, acknowledged_in_time=None)
    keep(client, 3, drill=True)
    said = tocsin("report").output
    assert "2 incidents: 2 P1 (left out: 1 drill)." in said
    assert "Time to acknowledge (MTTA)\tP1\t1\t2m\t2m\t2m\t2m" in said
    assert "from the first page to the first acknowledgement. Left out: never acknowledged (1)." in said
    assert "Acknowledged in time: 1 of 1 (100 %)" in said
    assert "No trend: that takes 10 incidents" in said
    assert "mean" not in said


def test_a_report_has_everybodys_time_on_call(client: "redis.Redis") -> None:
    """A row for each person, whoever was on call least first; not for a single service."""
    said = tocsin("report").output
    assert "PERSON\tON CALL\tNIGHTS\tWEEKENDS\tPAGES\tAT NIGHT\tIN INCIDENTS" in said
    assert "Least on call first: " in said
    load = json.loads(tocsin("report", "--json").output)["load"]
    assert sum(person["minutes"] for person in load) == 30 * 1440
    assert json.loads(tocsin("report", "--json", "--service", "checkout").output)["load"] == []


def test_means_are_shown_on_request_with_what_they_hide(client: "redis.Redis") -> None:
    """Beside p50 and max, never alone."""
    keep(client)
    said = tocsin("report", "--mean").output
    assert "\tMEAN" in said
    assert "One long incident moves the mean" in said


def test_where_the_policy_asks_for_means_its_reports_show_them(
    client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unasked, with what they hide; those of a policy that does not ask leave them out."""
    keep(client)
    assert "\tMEAN" not in tocsin("report").output
    monkeypatch.setenv("TOCSIN_CONFIG", str(EXAMPLES / "beauty.yml"))
    said = tocsin("report").output
    assert "\tMEAN" in said
    assert MEAN_HIDES in said


def test_nothing_to_report_is_said(client: "redis.Redis") -> None:
    """In a sentence, with exit code 0; an earlier incident does not count."""
    keep(client, ago=timedelta(days=40))
    result = tocsin("report")
    assert result.exit_code == 0
    assert "No incidents." in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "yesterday"), "Not a day or a time: yesterday"),
        (("--from", "2026-11-02", "--to", "2026-11-01"), "--from has to be before --to"),
        (("--service", "chekout"), "There is no service called chekout"),
    ],
)
def test_a_wrong_period_or_service_is_explained(client: "redis.Redis", arguments: tuple[str, ...], words: str) -> None:
    """With what to write instead."""
    result = tocsin("report", *arguments)
    assert result.exit_code == 1
    assert words in result.output


def test_json_has_definitions_and_seconds(client: "redis.Redis") -> None:
    """For scripts."""
    keep(client, minutes=10)
    found = json.loads(tocsin("report", "--json").output)
    assert found["definitions"]["mtta"]["from"] == "the first page"
    assert {row["measure"]: row["most"] for row in found["times"]}["mttr"] == pytest.approx(600)


def test_csv_has_a_line_for_each_incident(client: "redis.Redis") -> None:
    """Of a private one neither service nor team; what is left out of a time is empty."""
    keep(client)
    keep(client, 2, private=True, team="backend", acknowledged=None)
    rows = list(csv.DictReader(io.StringIO(tocsin("report", "--csv").output)))
    assert [row["service"] for row in rows] == ["checkout", "private"]
    assert [row["mtta_seconds"] for row in rows] == ["120.000", ""]
    assert "backend" not in str(rows)


def test_verify_finds_a_figure_that_does_not_follow(client: "redis.Redis") -> None:
    """Exit code 1 and the incident, where what is stored differs from its timeline."""
    story = Story("P1").until(4).do(Acknowledge(by="UONCALL")).until(9)
    closed = story.do(Resolve(by="UONCALL", summary="a", resolution="b")).incident
    Store(client, lambda pipe, changes: None).declare("20241218", "", lambda new_id: closed)
    assert tocsin("verify", "--figures").output.splitlines()[-1].startswith("Figures: every time follows")
    changed = json.loads(text_of(client.hget(FIGURES, closed.id) or b""))
    client.hset(FIGURES, closed.id, json.dumps(changed | {"acknowledged": changed["acknowledged"] + 0.002}))
    result = tocsin("verify", "--figures")
    assert result.exit_code == 1
    assert f"{closed.id}: Time to acknowledge (MTTA) is 240.002 s, by its timeline 240.000 s" in result.output


def test_an_incident_closed_by_an_earlier_build_is_in_the_figures(client: "redis.Redis") -> None:
    """It has no record among the figures, and is read whole."""
    closed = Story("P1").until(9).do(Resolve(by="UONCALL", summary="a", resolution="b")).incident
    store = Store(client, lambda pipe, changes: None)
    store.declare("20241218", "", lambda new_id: closed)
    client.delete(FIGURES)
    assert [seen.id for seen in store.observations(closed.declared_at)] == [closed.id]
