"""`tocsin slo` and `/incident slo`: the objective, whether it was kept, and the figures, for people and for scripts."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner, Result

from bot.handlers.commands import report_lines, slo_lines
from escalation.errors import Refused
from escalation.slo import Objective, Record, RecordKind, encode, percent, report, seconds
from escalation.storage.canary import Canary
from escalation.storage.store import LEDGER
from escalation.text import text
from sandbox.server import running
from tests.support.bot import World, parts_of, world
from tests.support.story import START
from tocsin.cli import main
from tocsin.config.settings import Environment
from tocsin.run import embedded

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder that is being served."""
    folder = tmp_path_factory.mktemp("slo")
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
    return CliRunner().invoke(main, ["slo", *arguments])


def pages(*late: float, ago: timedelta = HOUR, now: datetime | None = None) -> list[Record]:
    """Pages that were due so long ago, each accepted so many seconds late."""
    due = ((now or datetime.now(UTC)) - ago).timestamp()
    decided = [Record(RecordKind.DECIDED, f"e{n}", "page", due, due) for n in range(len(late))]
    return decided + [Record(RecordKind.ACCEPTED, f"e{n}", "page", due, due + s) for n, s in enumerate(late)]


def test_the_times_of_the_canary_are_part_of_it(client: "redis.Redis") -> None:
    """How many arrived and how long they took, for people and for scripts."""
    for took in (1.0, 2.0, 9.0):
        departed = datetime.now(UTC) - HOUR
        Canary(client).arrived(departed.timestamp(), departed + timedelta(seconds=took))
    assert "Canary: 3 arrived; p50 2.00 s, max 9.00 s." in tocsin().output
    assert [round(took, 3) for took in json.loads(tocsin("--json").output)["canary"]] == [1.0, 2.0, 9.0]


def test_no_data_is_said_plainly(client: "redis.Redis") -> None:
    """And is no failure."""
    result = tocsin()
    assert result.exit_code == 0
    assert "99.9 % of all pages are accepted within 2 seconds of their due time." in result.output
    assert "No data: nobody was paged in the last 30 days. 0 lost, 0 doubled, 0 early." in result.output


def test_a_kept_objective(client: "redis.Redis") -> None:
    """A table with the kinds of what happened."""
    client.xadd(LEDGER, {"r": encode(pages(0.25, 0.5))})
    result = tocsin("--last", "7d")
    assert result.exit_code == 0
    assert "Target met: 100 % on time (2 pages in the last 7 days)." in result.output
    assert "pages in Slack\t2\t100 %\t250 ms\t500 ms\t500 ms" in result.output


def test_a_missed_objective_is_an_exit_code(client: "redis.Redis") -> None:
    """So that cron can tell."""
    client.xadd(LEDGER, {"r": encode(pages(0.25, 65.0))})
    result = tocsin()
    assert result.exit_code == 1
    assert "Target missed: 50 % on time (2 pages" in result.output
    assert "1 minute 5 seconds" in result.output


def test_what_is_longer_ago_does_not_count(client: "redis.Redis") -> None:
    """`--last` says how far to look."""
    client.xadd(LEDGER, {"r": encode(pages(9.0))})
    assert "No data" in tocsin("--last", "30m").output
    assert tocsin("--last", "yesterday").exit_code == 2


def test_the_configuration_sets_the_objective(
    client: "redis.Redis", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`objective: {within, share}`."""
    (tmp_path / "tocsin.yml").write_text(
        "policy: kars\npeople: {dana: {slack: U0DANA0001}}\nroles: {on_call: dana}\n"
        "objective: {within: 10s, share: 50}\n"
    )
    monkeypatch.setenv("TOCSIN_CONFIG", str(tmp_path / "tocsin.yml"))
    client.xadd(LEDGER, {"r": encode(pages(9.0, 11.0))})
    result = tocsin()
    assert result.exit_code == 0
    assert "50 % of all pages are accepted within 10 seconds" in result.output


def test_the_figures_as_json(client: "redis.Redis") -> None:
    """Seconds and per cent."""
    client.xadd(LEDGER, {"r": encode(pages(0.25, 9.0))})
    client.zadd("tocsin:alarms", {"c:INC-20241218-001:x-1": 1.0})
    result = tocsin("--json")
    found = json.loads(result.output)
    assert result.exit_code == 1
    assert (found["met"], found["share"], found["pages"], found["lost"], found["doubled"]) == (False, 50.0, 2, 1, 0)
    assert found["objective"] == {"within": 2.0, "share": 99.9}
    (row,) = found["kinds"]
    assert (row["kind"], row["count"], row["in_time"]) == ("pages in Slack", 2, 1)
    assert row["most"] == pytest.approx(9.0, abs=0.001)


def test_a_long_ledger_is_read_to_its_end(client: "redis.Redis") -> None:
    """A thousand entries at a time."""
    due = (datetime.now(UTC) - HOUR).timestamp()
    with client.pipeline(transaction=False) as pipe:
        for n in range(2500):
            pipe.xadd(LEDGER, {"r": encode([Record(RecordKind.FIRED, f"c{n}", "policy", due, due)])})
        pipe.execute()
    (row,) = json.loads(tocsin("--json").output)["kinds"]
    assert (row["kind"], row["count"]) == ("checkpoints", 2500)


# In Slack ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def behind() -> World:
    return world()


def said(behind: World, typed: str = "") -> str:
    with running() as workspace:
        return text(slo_lines(parts_of(workspace, behind.service), typed))


def test_the_answer_in_slack(behind: World) -> None:
    """The objective, the verdict, and a line for each kind."""
    behind.redis.xadd(LEDGER, {"r": encode(pages(0.25, 9.0, now=behind.clock.now))})
    lines = said(behind).splitlines()
    assert lines[0].startswith("Objective: 99.9 %")
    assert lines[1].startswith("Target missed: 50 % on time (2 pages in the last 30 days).")
    assert lines[2] == "pages in Slack: 2, 50 % in time; p50 250 ms, p99 9.00 s, max 9.00 s"


def test_the_time_may_follow(behind: World) -> None:
    """`/incident slo 7d`."""
    assert "in the last 7 days" in said(behind, "7d")
    with pytest.raises(Refused, match="slo 7d"):
        said(behind, "lately")


def test_no_data_in_slack(behind: World) -> None:
    """In a sentence."""
    assert "No data: nobody was paged" in text(report_lines(report([], Objective(), START - HOUR, START)))


@pytest.mark.parametrize(
    ("share", "shown"), [(99.9, "99.9"), (99.89999, "99.899"), (100.0, "100"), (0.0, "0"), (200 / 3, "66.666")]
)
def test_a_share_is_never_rounded_up(share: float, shown: str) -> None:
    """What missed the objective must not read as if it had not."""
    assert percent(share) == shown


@pytest.mark.parametrize(("length", "shown"), [(0.0123, "12 ms"), (1.256, "1.26 s"), (250.0, "4 minutes 10 seconds")])
def test_lengths_as_people_read_them(length: float, shown: str) -> None:
    """Milliseconds, seconds, then words."""
    assert seconds(length) == shown
