"""`tocsin pay`: a draft, then final, for people, spreadsheets and scripts."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from click.testing import CliRunner, Result

from escalation.records.retention import Retention
from escalation.storage.keeping.retention import remove
from escalation.storage.store import Store
from tests.pay.company import THREE
from tests.pay.test_retention import EARLY, lived
from tocsin.cli import main
from tocsin.config.settings import Environment
from tocsin.run import embedded

PERIOD = ("--from", "2026-10-19T00:00", "--to", "2026-10-26T00:00")
CONFIG: dict[str, Any] = {
    "policy": "kars",
    "timezone": "UTC",
    "people": {name: {"slack": f"U{name.upper()}"} for name in THREE},
    "roles": {"on_call": "rotation primary"},
    "rotations": {"primary": {"people": THREE, "first_shift": "2026-10-19"}},
    "pay": {"currency": "EUR", "weekly_stipend": 210, "night": "0.333"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder that is being served."""
    folder = tmp_path_factory.mktemp("pay")
    embedded.start(folder)
    yield folder
    redis.Redis.from_url(embedded.url(folder)).shutdown(nosave=True)


@pytest.fixture
def store(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_DATA", str(data))
    configure(monkeypatch, tmp_path, CONFIG)
    client = redis.Redis.from_url(embedded.url(data))
    client.flushall()
    return Store(client, lambda pipe, changes: None)


def configure(monkeypatch: pytest.MonkeyPatch, folder: Path, config: dict[str, Any]) -> None:
    (folder / "company.yml").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("TOCSIN_CONFIG", str(folder / "company.yml"))


def tocsin(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["pay", *arguments])


def rows(*arguments: str) -> dict[tuple[str, str], dict[str, str]]:
    found = csv.DictReader(io.StringIO(tocsin(*PERIOD, "--csv", *arguments).output))
    return {(row["person"], row["rotation"]): row for row in found}


def test_a_draft_has_every_column_of_the_pay(store: Store) -> None:
    """Minutes and money for payroll; hours, what was assumed and who did least for people."""
    dana = rows()["dana", "primary"]
    assert dana | {"minutes": "10080", "stipend": "210.00", "on_call": "20.98", "total": "230.98"} == dana
    assert dana | {"state": "draft", "currency": "EUR", "overtime": "0.00", "time_off": "0"} == dana
    shown = tocsin(*PERIOD).output
    assert "168:00" in shown
    assert "Least on call first: mei 0:00, omar 0:00, dana 168:00." in shown
    assert "each cell rounded half up to 0.01" in shown
    assert "was not recorded: it is taken from the schedule as it stands now" in shown
    assert "This is a draft" in shown


def test_a_final_report_stays_and_says_what_changed(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """New rates, or a late correction, change nothing that was paid: the difference is named."""
    assert "final since" in tocsin(*PERIOD, "--final").output
    assert "Nothing changed since" in tocsin(*PERIOD).output
    configure(monkeypatch, tmp_path, CONFIG | {"pay": {"currency": "EUR", "weekly_stipend": 70}})
    assert rows()["dana", "primary"]["total"] == "230.98"
    assert rows()["dana", "primary"]["state"] == "final"
    said = json.loads(tocsin(*PERIOD, "--json").output)
    changed = {(c["person"], c["field"]): (c["before"], c["after"]) for c in said["changed"]}
    assert changed["dana", "stipend"] == ("210.00", "70.00")
    assert "dana primary: stipend 210.00 -> 70.00" in tocsin(*PERIOD).output


def test_nothing_is_paid_twice(store: Store) -> None:
    """Neither the same period again nor one that shares time with it, until it is a draft again."""
    assert tocsin(*PERIOD, "--final").exit_code == 0
    again = tocsin(*PERIOD, "--final")
    assert (again.exit_code, "It is final since" in again.output) == (1, True)
    overlapping = tocsin("--from", "2026-10-25", "--to", "2026-10-30", "--final")
    assert (overlapping.exit_code, "shares time with this one" in overlapping.output) == (1, True)
    assert tocsin("--from", "2026-10-26", "--to", "2026-10-30", "--final").exit_code == 0
    assert "draft" in tocsin(*PERIOD, "--reopen").output
    assert tocsin(*PERIOD, "--reopen").exit_code == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (("--from", "someday"), "Not a day or a time"),
        (("--to", "2026-10-26"), "Give --from as well"),
        (("--from", "2026-10-26", "--to", "2026-10-19"), "--from has to be before --to"),
        (("--from", "2099-01-01"), "--from has to be before --to, and before now."),
        ((*PERIOD, "--reopen"), "There is no final report of exactly this period."),
    ],
)
def test_a_period_that_is_none_is_refused(store: Store, wrong: tuple[str, ...], says: str) -> None:
    """With what to write instead."""
    found = tocsin(*wrong)
    assert (found.exit_code, says in found.output) == (1, True)


def test_last_month_is_the_default(store: Store) -> None:
    """Its first to its last day, in the company's zone."""
    said = json.loads(tocsin("--json").output)
    start, end = (datetime.fromisoformat(said[name]) for name in ("since", "until"))
    assert (start.day, end.day) == (1, 1)
    assert end <= datetime.now(UTC)
    assert sum(row["minutes"] for row in said["rows"]) == (end - start) // timedelta(minutes=1)


def test_what_retention_removed_is_said_and_cannot_become_final(store: Store) -> None:
    """In the table and beside the CSV; a final report stays, and nothing is said to have changed in it."""
    service, now = lived(store.redis), EARLY[1] + timedelta(days=36)
    remove(service.store, Retention.model_validate({"oncall": "35d"}), now)
    early, both = (_days(EARLY[0], EARLY[1]), _days(EARLY[0], EARLY[1] + timedelta(days=21)))
    assert "What changed since it was marked as final is not known" in tocsin(*early).output
    assert "dana,primary" in tocsin(*early, "--csv").output
    assert "no hours before it are counted" in tocsin(*both).output
    assert "was removed, as `retention.oncall` says" in tocsin(*both, "--csv").stderr
    refused = tocsin(*both, "--final")
    assert refused.exit_code != 0
    assert "cannot be final" in refused.output


def _days(start: datetime, end: datetime) -> tuple[str, ...]:
    return ("--from", f"{start:%Y-%m-%dT%H:%M}", "--to", f"{end:%Y-%m-%dT%H:%M}")
