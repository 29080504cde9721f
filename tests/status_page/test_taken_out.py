"""`tocsin check` and the doctor foretell that planned maintenance left the configuration."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from escalation.status_page.maintenance import PlannedWindow
from escalation.storage.public.maintenance import PlannedMaintenance
from escalation.storage.store import Store
from tests.cli.test_cli import CONFIG, tocsin
from tests.cli.test_cli import data as data
from tests.cli.test_cli import here as here
from tests.cli.test_cli import store as store
from tocsin.config import loader
from tocsin.doctor.command import config_findings

NOW = datetime.now(UTC)


def configured(*windows: tuple[str, float, float]) -> Path:
    """A configuration with a status page and windows: title, and hours from now to their start and end."""
    rows = [
        f"    - {{title: {title}, starts: '{at(starts)}', ends: '{at(ends)}'}}\n" for title, starts, ends in windows
    ]
    page = "status_page:\n  title: Shop status\n"
    path = Path("c.yml")
    path.write_text(CONFIG + page + ("  maintenance:\n" if rows else "") + "".join(rows))
    return path


def at(hours: float) -> str:
    return (NOW + timedelta(hours=hours)).isoformat(timespec="seconds")


def runs(store: Store, path: Path) -> None:
    """Have a process run with a configuration."""
    page = loader.load(path).company.status_page
    assert page
    PlannedMaintenance(store.redis).follow(page.maintenance, datetime.now(UTC), NOW)


@pytest.mark.parametrize(
    ("title", "starts", "ends", "foretold"),
    [("New racks", 5, 7, True), ("New racks", -1, 7, True), ("Old racks", -9, -7, False)],
)
def test_check_foretells_that_maintenance_taken_out_will_be_cancelled(
    store: Store, title: str, starts: float, ends: float, foretold: bool
) -> None:
    """Compared with what the running instance announced: all that is ahead or in progress, nothing that is over."""
    runs(store, configured((title, starts, ends), ("Kept", 8, 9)))
    assert "maintenance" not in tocsin("check", "c.yml").output
    path = configured(("Kept", 8, 9))
    result = tocsin("check", "c.yml")
    assert result.exit_code == 0
    assert (f"maintenance {title}" in result.output) is foretold
    assert ("will be cancelled" in result.output) is foretold
    assert len(json.loads(tocsin("check", "c.yml", "--json").output)["running"]) == foretold
    warned = [f for f in config_findings(path) if f.about == "maintenance"]
    assert [f.state for f in warned] == ["warning"] * foretold
    assert all(f.remedy for f in warned)


def test_check_says_nothing_of_maintenance_that_was_cancelled_or_planned_in_slack(store: Store) -> None:
    """It is cancelled already, or none of the configuration's."""
    runs(store, configured(("New racks", 5, 7)))
    plans = PlannedMaintenance(store.redis)
    [gone] = plans.taken_out((), datetime.now(UTC))
    store.redis.hset("tocsin:public:maintenance", gone.id, gone.planned(NOW).model_dump_json(exclude_defaults=True))
    planned = plans.plan(gone.window.model_copy(update={"title": "By hand"}), "UOMAR", "k", NOW)
    assert isinstance(planned, PlannedWindow)
    configured()
    assert "maintenance" not in tocsin("check", "c.yml").output


def test_check_foretells_the_cancellation_of_maintenance_that_moves(store: Store) -> None:
    """Another start is another window: the former one is cancelled as visibly as it was announced."""
    runs(store, configured(("New racks", 5, 7)))
    configured(("New racks", 6, 7))
    assert "maintenance New racks" in tocsin("check", "c.yml").output
