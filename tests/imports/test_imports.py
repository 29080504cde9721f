"""Imports from other tools: what is read, what becomes of it, and the proof that both calendars say the same."""

import json
import shutil
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from escalation.config.policy import Severity
from tocsin.cli import main
from tocsin.config import loader

EXPORTS = Path(__file__).parents[1] / "data" / "import"
SOURCES = ("opsgenie", "pagerduty", "grafana-oncall")


def run(source: str, file: Path, folder: Path, *options: str) -> Result:
    """`tocsin import`, as somebody types it."""
    return CliRunner().invoke(main, ["import", source, str(file), "--to", str(folder / "tocsin.yml"), *options])


def export(source: str) -> Any:
    return json.loads((EXPORTS / f"{source}.json").read_text())


def changed(tmp_path: Path, data: Any) -> Path:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize("source", SOURCES)
def test_an_export_becomes_a_configuration_that_holds(source: str, tmp_path: Path) -> None:
    """It is valid, and both calendars agree over two months and the next clock change."""
    result = run(source, EXPORTS / f"{source}.json", tmp_path)
    assert result.exit_code == 0, result.output
    assert "Both calendars say the same for 60 days" in result.output
    loaded = loader.load(tmp_path / "tocsin.yml")
    assert set(loaded.company.people) >= {"ana", "ben"}
    assert len(loaded.policy.severities[Severity.P0].tiers) >= 2
    assert not list(tmp_path.glob(".import-*"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("opsgenie", "dropped: schedule Second line, rotation All: team Customs: only people have turns here"),
        ("opsgenie", "dropped: escalation Harbour escalation, rule 4: team Customs is neither"),
        ("opsgenie", "approximated: escalation Harbour escalation, rule 2: notifies `next` there"),
        ("pagerduty", "dropped: schedule Primary, layer Weekends: Dan Left: the export has no such user"),
        ("pagerduty", "dropped: schedule Primary, layer Empty: nobody is in it"),
        ("pagerduty", "dropped: schedule Shifts, event Inventory: a layer cannot say RRULE:FREQ=MONTHLY"),
        ("pagerduty", "approximated: schedule Shifts, event Office: a date that is left out"),
        ("pagerduty", "dropped: escalation Other: a company has one policy"),
        ("grafana-oncall", "dropped: schedule Calendar: it is a calendar: give a rotation `ical: https://calendar"),
        ("grafana-oncall", "dropped: person chi: has neither an e-mail address nor a Slack id"),
        ("grafana-oncall", "dropped: escalation chain Default, step 4 (notify_whole_channel): a page goes to people"),
    ],
)
def test_what_is_not_kept_is_named(source: str, said: str, tmp_path: Path) -> None:
    """With the object and the reason."""
    assert said in run(source, EXPORTS / f"{source}.json", tmp_path).output


def test_contact_methods_come_along(tmp_path: Path) -> None:
    """Telephone numbers in international form, and Slack ids where the export has them."""
    for source, key, value in (
        ("opsgenie", "phone", "+4915112345678"),
        ("pagerduty", "phone", "+4915112345678"),
        ("grafana-oncall", "slack", "U0ANA"),
    ):
        run(source, EXPORTS / f"{source}.json", tmp_path, "--force")
        assert yaml.safe_load((tmp_path / "tocsin.yml").read_text())["people"]["ana"][key] == value


def test_escalation_rules_become_tiers_and_checkpoints(tmp_path: Path) -> None:
    """Delays count from the beginning, and all steps begin anew as often as the source says."""
    run("pagerduty", EXPORTS / "pagerduty.json", tmp_path)
    policy = loader.load(tmp_path / "tocsin.yml").policy.severities[Severity.P0]
    assert [tier.roles for tier in policy.tiers] == [("primary",), ("shifts", "chi")]
    pages = [(str(c.after), [p.tier for p in c.page]) for c in policy.checkpoints]
    assert pages == [("15m", [2]), ("35m", [1]), ("50m", [2])]
    assert policy.at_once == (1,)


def test_the_first_layer_of_a_legacy_schedule_is_on_top(tmp_path: Path) -> None:
    """The API lists the one that wins first."""
    run("pagerduty", EXPORTS / "pagerduty.json", tmp_path)
    layers = loader.load(tmp_path / "tocsin.yml").company.rotations["primary"].layers
    weekends, week = layers[0], layers[1]
    assert weekends.level > week.level
    assert [str(hours) for hours in weekends.hours] == ["Friday 18:00 - Monday 08:00"]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("cut", range(1, 20))
def test_an_export_that_was_cut_off_writes_nothing(source: str, cut: int, tmp_path: Path) -> None:
    """The file is named, and no half configuration stands there."""
    raw = (EXPORTS / f"{source}.json").read_bytes()
    path = tmp_path / "export.json"
    path.write_bytes(raw[: len(raw.rstrip()) * cut // 20])
    result = run(source, path, tmp_path)
    assert result.exit_code == 1
    assert "was cut off" in result.output
    assert not (tmp_path / "tocsin.yml").exists()


def _zone(data: Any) -> None:
    data["schedules"][0]["timezone"] = "Mars/Olympus"


def _no_users(data: Any) -> None:
    data["users"] = data["schedules"] = []


def _type(data: Any) -> None:
    data["schedules"][0]["rotations"][0]["type"] = "fortnightly"


def _hours(data: Any) -> None:
    data["schedules"][0]["rotations"][1]["timeRestriction"]["restriction"]["startHour"] = 29


def _text(data: Any) -> None:
    data["schedules"] = "none"


def _date(data: Any) -> None:
    data["schedules"][0]["rotations"][0]["startDate"] = "soon"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_zone, "schedule Primary: 'Mars/Olympus' is not a time zone"),
        (_no_users, "has neither users nor schedules of Opsgenie"),
        (_type, "schedule Primary, rotation Office: 'fortnightly' is no type of rotation"),
        (_hours, "schedule Primary, rotation Nights: 29:00 is no time of day"),
        (_text, "holds something else than objects"),
        (_date, "schedule Primary, rotation Office: startDate is 'soon', which is no date with a time"),
    ],
)
def test_what_cannot_be_read_is_named(spoil: Any, said: str, tmp_path: Path) -> None:
    """With its place in the export; nothing is written."""
    data = export("opsgenie")
    spoil(data)
    result = run("opsgenie", changed(tmp_path, data), tmp_path)
    assert result.exit_code == 1
    assert said in result.output
    assert not (tmp_path / "tocsin.yml").exists()


@pytest.mark.parametrize("source", SOURCES)
def test_the_export_of_another_tool_is_refused(source: str, tmp_path: Path) -> None:
    """Rather than read as an empty one."""
    for other in (s for s in SOURCES if s != source):
        data = {"alerts": [], "from": other}
        result = run(source, changed(tmp_path, data), tmp_path)
        assert result.exit_code == 1
        assert "has neither users nor schedules" in result.output


def test_a_backup_in_an_archive_or_folder_is_read(tmp_path: Path) -> None:
    """As Opsgenie's configuration backup writes it: a file for each object."""
    data, folder = export("opsgenie"), tmp_path / "backup"
    for part in ("users", "schedules", "escalations"):
        (folder / part).mkdir(parents=True)
        for n, entry in enumerate(data[part]):
            (folder / part / f"{n}.json").write_text(json.dumps(entry))
    archive = Path(shutil.make_archive(str(tmp_path / "backup"), "zip", folder))
    assert zipfile.is_zipfile(archive)
    outputs = [run("opsgenie", path, tmp_path, "--force", "--json").output for path in (folder, archive)]
    whole = run("opsgenie", EXPORTS / "opsgenie.json", tmp_path, "--force", "--json").output
    assert outputs[0] == outputs[1]
    assert sorted(json.loads(outputs[0])["kept"]) == sorted(json.loads(whole)["kept"])
    archive.write_bytes(archive.read_bytes()[:400])
    assert run("opsgenie", archive, tmp_path, "--force").exit_code == 1


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    """Unless somebody asks for it."""
    (tmp_path / "tocsin.yml").write_text("mine")
    result = run("opsgenie", EXPORTS / "opsgenie.json", tmp_path)
    assert "exists already" in result.output
    assert (tmp_path / "tocsin.yml").read_text() == "mine"


def test_a_calendar_that_says_something_else_is_found(tmp_path: Path) -> None:
    """The source's own calculation is compared too: an hour in which it names somebody else is a difference."""
    data = export("pagerduty")
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=3)
    wrong = [{"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat(), "user": {"id": "PC"}}]
    monday = start + timedelta(days=(7 - start.weekday()) % 7 + 1)  # a Tuesday: the week's layer holds
    wrong[0] |= {"start": monday.isoformat(), "end": (monday + timedelta(hours=1)).isoformat()}
    data["schedules"][0]["final_schedule"] = {"rendered_schedule_entries": wrong}
    result = run("pagerduty", changed(tmp_path, data), tmp_path)
    assert result.exit_code == 1
    assert "Chi Tan by PagerDuty's own calculation" in result.output
    assert (tmp_path / "tocsin.yml").exists()
