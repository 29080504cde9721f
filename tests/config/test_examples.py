"""docs/writing-a-policy.md and docs/examples/: the files load and check clean, and what the page claims happens so."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
import yaml
from click.testing import CliRunner

from escalation.config.business_time import Calendar, parse_wait
from escalation.config.company import Company
from escalation.config.policy import Policy
from escalation.oncall.coverage import gaps
from escalation.oncall.schedule import EMPTY_STATE, on_call_at
from escalation.times import format_duration, parse_duration
from tocsin.cli import main
from tocsin.config import loader
from tocsin.config.settings import EXAMPLE_CONFIG, Environment

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
HARBOUR = EXAMPLES / "harbour.yml"
PAGE = (ROOT / "docs" / "writing-a-policy.md").read_text(encoding="utf-8")
CONFIGURATIONS = [EXAMPLE_CONFIG, HARBOUR, EXAMPLES / "beauty.yml"]
# What the page leaves out of its tables.
REMINDERS = ("review_due", "repeated", "update_due", "silence", "overdue", "phase", "monitored")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No variables of ours, no server to be found, and a day on which the holidays of 2026 are known."""
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("TOCSIN_CONFIG", str(HARBOUR))
    monkeypatch.setenv("TOCSIN_DATA", str(tmp_path))
    with time_machine.travel(datetime(2026, 11, 2, tzinfo=UTC), tick=False):
        yield


def tocsin(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.stdout


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading."""
    lines = PAGE.split(f"{heading}\n", 1)[1].split("\n|", 1)[1].split("\n\n", 1)[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("file", CONFIGURATIONS, ids=[file.stem for file in CONFIGURATIONS])
def test_an_example_checks_clean(file: Path) -> None:
    """Not even a warning."""
    assert tocsin("check", str(file)) == (0, f"{file} is fine.\n")


@pytest.mark.parametrize("file", CONFIGURATIONS, ids=[file.stem for file in CONFIGURATIONS])
def test_an_example_has_somebody_in_every_tier_all_the_time(file: Path) -> None:
    """A year without a gap."""
    loaded, start = loader.load(file), datetime(2026, 11, 1, tzinfo=UTC)
    assert gaps(loaded.company, loaded.policy, EMPTY_STATE, start, start + timedelta(days=365)) == ()


def test_what_the_page_calls_fine_is_fine() -> None:
    """Its last words."""
    assert "$ tocsin check docs/examples/harbour.yml\ndocs/examples/harbour.yml is fine.\n" in PAGE


def test_the_rotation_on_the_page_is_the_one_of_the_file() -> None:
    """Taken as it stands."""
    (shown,) = re.findall(r"```yaml\n(rotations:.*?)```", PAGE, re.DOTALL)
    asked = yaml.safe_load(shown)["rotations"]["sun"]
    found = loader.load(HARBOUR).company.rotations["sun"]
    assert found == type(found)(**asked, test_page=False)


@pytest.mark.parametrize("row", rows("### 2. Who is on call: following the sun"), ids=lambda row: row[0])
def test_the_sun_is_followed_as_the_page_says(row: list[str]) -> None:
    """From the instant in the table on, and not a second earlier."""
    company = loader.load(HARBOUR).company
    at = datetime.fromisoformat(row[0]).replace(tzinfo=BERLIN).astimezone(UTC)
    assert on_call_at("sun", company, EMPTY_STATE, at) == (row[1],)
    assert on_call_at("sun", company, EMPTY_STATE, at - timedelta(seconds=1)) != (row[1],)


def test_nobody_of_harbour_works_at_night() -> None:
    """Each turn lies between six in the morning and nine in the evening where its person lives."""
    company = loader.load(HARBOUR).company
    at = datetime(2026, 1, 5, 7, tzinfo=UTC)
    while at.year == 2026:
        (person,) = on_call_at("sun", company, EMPTY_STATE, at)
        zone = ZoneInfo("Pacific/Auckland") if person in ("aroha", "tane") else BERLIN
        covers = person == "tane" and f"{at:%Y-%m-%d}" >= "2026-12-27"  # for Kai, who is away
        assert covers or 6 <= at.astimezone(zone).hour < 21, (person, at)
        at += timedelta(hours=1)


@pytest.mark.parametrize(
    ("heading", "severity"),
    [("### 3. A P1 escalates", "P1"), ("### 4. A P2 waits for the office", "P2"), ("### 5. A P3 is a ticket", "P3")],
)
def test_a_simulation_runs_as_the_page_says(heading: str, severity: str) -> None:
    """The command as it is printed there, and the table under it, row by row."""
    (command,) = re.findall(rf"`(tocsin simulate {severity} [^`]*--service[^`]*)`", " ".join(PAGE.split()))
    code, output = tocsin(*shlex.split(command)[1:], "--json")
    assert code == 0
    assert [shown(row) for row in json.loads(output)["rows"] if told(row)] == rows(heading)


def told(row: dict[str, Any]) -> bool:
    """Reminders are left out, and checkpoints whose page or notice is the next row."""
    return row["kind"] not in REMINDERS and not (row["kind"] == "checkpoint" and ":" not in row["what"])


def shown(row: dict[str, Any]) -> list[str]:
    after = format_duration(timedelta(seconds=row["after_seconds"]))
    reached = row["people"] or ([row["by"]] if row["by"] else row["places"])
    return [f"+{after}", row["what"], ", ".join(reached), row["why"]]


@pytest.mark.parametrize("written", [w for row in rows("## Durations and business time") for w in row[0].split(" · ")])
def test_each_way_to_write_a_time_is_one(written: str) -> None:
    """The first row is a duration too."""
    wait = parse_wait(written.strip("`"))
    assert wait == parse_wait(str(wait))
    if not wait.counts_business and wait.length:
        assert parse_duration(written.strip("`")) == wait.length


def test_business_hours_are_counted_as_the_page_says() -> None:
    """A Friday at 16:00, with an hour left, makes four hours Monday noon."""
    friday = datetime(2026, 11, 20, 16, tzinfo=UTC)
    assert Calendar().after(friday, parse_wait("4 business hours")) == datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_public_holidays_of_the_country_are_days_off() -> None:
    """Last year's, this year's and those of five years ahead; a day that the file names itself keeps its name."""
    closed = loader.load(HARBOUR).company.calendar.closed
    assert {day.year for day in closed} == set(range(2025, 2032))
    assert (closed[date(2026, 12, 25)], closed[date(2026, 12, 24)]) == ("Christmas Day", "Christmas Eve")
    assert date(2026, 10, 31) in closed  # Reformation Day: in Hamburg, and not in all of Germany


def test_the_example_of_beauty_has_every_contact_of_its_document() -> None:
    """Addresses and vendors, each where people look for it."""
    contacts = loader.load(EXAMPLES / "beauty.yml").company.contacts
    assert contacts.hotline
    assert (contacts.hotline.email, contacts.hotline.slack) == ("oncall@beauty-ai-precision.com", "@oncall-engineer")
    addresses = [str(c.email).split("@")[0] for c in (*contacts.technical, *contacts.business)]
    assert addresses == ["engineering.manager", "devops", "dba", "ceo", "cto", "product", "customersuccess"]
    assert [c.name for c in contacts.vendors.values()] == [
        "AWS Support",
        "Supabase Support",
        "Security monitoring vendor",
        "Stripe Support",
    ]


def test_every_role_of_beauty_is_held() -> None:
    """And every one of KARS in the example company."""
    for file in CONFIGURATIONS:
        loaded = loader.load(file)
        assert roles_without(loaded.company, loaded.policy) == set()


def roles_without(company: Company, policy: Policy) -> set[str]:
    return {role for role in policy.roles if not company.roles.get(role) and not company.follows_service(role)}
