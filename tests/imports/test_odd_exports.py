"""Exports as vendors really write them, and odd ones: each is read rightly, or the report says what became of it."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from escalation.config.policy import Severity
from tests.imports.test_imports import EXPORTS, changed, export, run
from tocsin.cli import main
from tocsin.config import loader

Json = dict[str, Any]


def _checked(folder: Path) -> loader.Loaded:
    """Load what an import wrote, which `tocsin check` accepts."""
    checked = CliRunner().invoke(main, ["check", str(folder / "tocsin.yml")])
    assert checked.exit_code == 0, checked.output
    return loader.load(folder / "tocsin.yml")


def _backup(path: Path) -> None:
    """A ZIP archive as https://github.com/opsgenie/opsgenie-configuration-backup writes it."""
    data = export("opsgenie")
    rule = {"id": "n-1", "name": "New alert", "actionType": "create-alert", "enabled": True}
    override = data["schedules"][0].pop("overrides")[0] | {"_parent": {"id": "s-1", "name": "Primary", "enabled": True}}
    with zipfile.ZipFile(path, "w") as archive:
        for user in data["users"]:
            whole = {"user": user, "notificationRuleList": [rule]}
            archive.writestr(f"OpsGenieBackups/users/{user['username']}-{user['id']}.json", json.dumps(whole))
        for schedule in data["schedules"]:
            whole = {"schedule": schedule, "scheduleOverrideList": [override] if schedule["id"] == "s-1" else []}
            archive.writestr(f"OpsGenieBackups/schedules/{schedule['name']}.json", json.dumps(whole))
        for escalation in data["escalations"]:
            archive.writestr(f"OpsGenieBackups/escalations/{escalation['name']}.json", json.dumps(escalation))
        team = {"id": "t-9", "name": "Customs", "members": [{"user": {"id": "u-1"}, "role": "admin"}]}
        archive.writestr("OpsGenieBackups/teams/Customs-t-9.json", json.dumps({"team": team, "routingRuleList": []}))


def test_a_real_backup_of_opsgenie_is_read(tmp_path: Path) -> None:
    """Its files wrap each object with a list of what belongs to it; notification rules are named in the report."""
    _backup(tmp_path / "backup.zip")
    result = run("opsgenie", tmp_path / "backup.zip", tmp_path)
    assert result.exit_code == 0, result.output
    assert "approximated: person Ana Ruiz: notification rules" in result.output
    company = _checked(tmp_path).company
    assert set(company.people) == {"ana", "ben", "chi"}
    assert company.people["ana"].phone == "+4915112345678"
    assert set(company.rotations) == {"primary", "second_line"}
    assert [str(layer.ends)[:10] for layer in company.rotations["primary"].layers if layer.ends] == ["2026-12-26"]


def _mail_twice(data: Json) -> None:
    data["users"][1]["email"] = "ANA@harbour.example"


def _no_mail(data: Json) -> None:
    data["users"][1]["email"] = "ben at harbour"


def _endless(data: Json) -> None:
    data["escalation_policies"][0]["num_loops"] = 9
    data["escalation_policies"][0]["escalation_rules"][0]["escalation_delay_in_minutes"] = 300_000


def _listed_only(data: Json) -> None:
    del data["schedules"][0]["schedule_layers"]


def _listed_too(data: Json) -> None:
    data["schedules"].append({"id": "S1", "name": "Primary", "time_zone": "UTC"})


def _zero_end(data: Json) -> None:
    never = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-05:00", None)
    for layer, end in zip(data["schedules"][0]["schedule_layers"], never, strict=True):
        layer["end"] = end


def _added(data: Json) -> None:
    data["schedules"][1]["rotations"][0]["events"][0]["recurrence"].append("RDATE:20261226T090000")


def _overlapping(data: Json) -> None:
    data["overrides"].append({**data["overrides"][0], "id": "O2", "user": {"id": "PA"}})


def _first_mondays(data: Json) -> None:
    data["schedules"][1]["rotations"][0]["events"][2]["recurrence"] = ["RRULE:FREQ=MONTHLY;BYDAY=1MO"]


def _since(data: Json) -> None:
    data["schedules"][1]["rotations"][0]["events"][0]["effective_since"] = "2026-09-03T07:00:00Z"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            _mail_twice,
            "approximated: person Ben Holm: has the address of Ana Ruiz (ana@harbour.example): one person here",
        ),
        (_no_mail, "dropped: person Ben Holm: 'ben at harbour' is no e-mail address; without a Slack id"),
        (_endless, "approximated: escalation Harbour: its steps are repeated 0 times instead of 9"),
        (_listed_only, "dropped: schedule Primary: it stands here without its layers or rotations"),
        (_listed_too, "kept: schedule Primary"),
        (_zero_end, "kept: schedule Primary"),
        (_added, "approximated: schedule Shifts, event Office: single dates that are added (RDATE) are not kept"),
        (_overlapping, "approximated: override O2: it overlaps another one; the one made last counts there"),
        (_first_mondays, "dropped: schedule Shifts, event Inventory: a layer cannot say RRULE:FREQ=MONTHLY;BYDAY=1MO"),
        (_since, "approximated: schedule Shifts, event Office: its turns are counted from start_time"),
    ],
)
def test_an_odd_export_of_pagerduty_is_told_of(spoil: Callable[[Json], None], said: str, tmp_path: Path) -> None:
    """By name and reason, with a configuration that holds and a proof that agrees."""
    data = export("pagerduty")
    spoil(data)
    result = run("pagerduty", changed(tmp_path, data), tmp_path)
    assert result.exit_code == 0, result.output
    assert said in result.output
    _checked(tmp_path)


def test_of_overrides_that_overlap_the_later_counts(tmp_path: Path) -> None:
    """Only one person at a time is on call in a schedule of layers."""
    data = export("pagerduty")
    _overlapping(data)
    run("pagerduty", changed(tmp_path, data), tmp_path)
    layers = _checked(tmp_path).company.rotations["primary"].layers
    assert [layer.people for layer in sorted(layers, key=lambda layer: layer.level)][-2:] == [(("chi",),), (("ana",),)]


def test_a_person_and_a_schedule_of_one_name_are_two_roles(tmp_path: Path) -> None:
    """Both are paged, each where the export says so."""
    data = export("pagerduty")
    data["schedules"][0]["name"] = "Chi"
    run("pagerduty", changed(tmp_path, data), tmp_path)
    loaded = _checked(tmp_path)
    first, second = loaded.policy.severities[Severity.P0].tiers
    holders = {role: str(holder) for role, holder in loaded.company.roles.items()}
    assert len(holders) == 3
    assert set(first.roles).isdisjoint(second.roles)


def _grafana(shift: Json, **schedule: Any) -> Json:
    users = [{"id": p, "username": p, "email": f"{p}@example.com"} for p in ("ana", "ben", "chi")]
    whole = {
        "id": "S",
        "name": "Primary",
        "type": "calendar",
        "time_zone": "Europe/Berlin",
        "shifts": ["H"],
        **schedule,
    }
    return {"users": users, "schedules": [whole], "on_call_shifts": [{"id": "H", "name": "H", "level": 0, **shift}]}


TURNS: Json = {
    "type": "rolling_users",
    "start": "2026-06-01T09:00:00",
    "duration": 1209600,
    "frequency": "weekly",
    "interval": 2,
    "week_start": "MO",
    "rolling_users": [["ana"], ["ben"], ["chi"]],
    "start_rotation_from_user_index": 0,
}


def test_the_proof_says_that_something_was_dropped(tmp_path: Path) -> None:
    """It agrees on what was kept; where a shift has no counterpart it does not say that all is the same."""
    for shift, dropped in ((TURNS, False), ({**TURNS, "frequency": "monthly"}, True)):
        output = run("grafana-oncall", changed(tmp_path, _grafana(shift)), tmp_path, "--force").output
        assert ("clock changes, apart from what was dropped." in output) is dropped


def test_a_fortnight_is_one_turn(tmp_path: Path) -> None:
    """Not a shift that no layer can say."""
    result = run("grafana-oncall", changed(tmp_path, _grafana(TURNS)), tmp_path)
    assert result.exit_code == 0, result.output
    (layer,) = _checked(tmp_path).company.rotations["primary"].layers
    assert (layer.every.days, layer.people) == (14, (("ana",), ("ben",), ("chi",)))


def test_a_rule_that_no_layer_says_is_dropped_or_differs_visibly(tmp_path: Path) -> None:
    """The proof reckons with the source's own rule, not with what we made of it: summers only is a difference now."""
    data = _grafana({**TURNS, "duration": 604800, "interval": 1, "by_month": [6, 7, 8]})
    result = run("grafana-oncall", changed(tmp_path, data), tmp_path, "--days", "365d")
    assert result.exit_code == 1
    assert "approximated: schedule Primary, shift H: BYMONTH=6,7,8 has no counterpart here" in result.output
    assert "nobody by the rules of Grafana OnCall" in result.output


def test_overrides_of_a_calendar_are_named(tmp_path: Path) -> None:
    """They stand in a feed of their own, which the export does not hold."""
    data = _grafana(TURNS, ical_url_overrides="https://calendar.example/overrides.ics")
    said = "dropped: schedule Primary: overrides of https://calendar.example/overrides.ics"
    assert said in run("grafana-oncall", changed(tmp_path, data), tmp_path).output


def test_an_escalation_that_waits_first_pages_at_once(tmp_path: Path) -> None:
    """Said in the report: somebody is paged with every declaration here."""
    data = _grafana(TURNS) | {"escalation_chains": [{"id": "C", "name": "Chain"}]}
    data["escalation_policies"] = [
        {"id": "1", "escalation_chain_id": "C", "position": 0, "type": "wait", "duration": 300},
        {"id": "2", "escalation_chain_id": "C", "position": 1, "type": "notify_persons", "persons_to_notify": ["ana"]},
        {"id": "3", "escalation_chain_id": "C", "position": 2, "type": "wait", "duration": 600},
        {"id": "4", "escalation_chain_id": "C", "position": 3, "type": "notify_persons", "persons_to_notify": ["ben"]},
    ]
    result = run("grafana-oncall", changed(tmp_path, data), tmp_path)
    assert "approximated: escalation Chain: the first page that is kept comes after 5m there" in result.output
    policy = _checked(tmp_path).policy.severities[Severity.P0]
    assert (policy.at_once, [str(c.after) for c in policy.checkpoints]) == ((1,), ["15m"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "utf-32"])
def test_other_encodings_are_read(encoding: str, tmp_path: Path) -> None:
    """PowerShell writes UTF-16 unless told otherwise."""
    (tmp_path / "export.json").write_bytes((EXPORTS / "pagerduty.json").read_text().encode(encoding))
    assert run("pagerduty", tmp_path / "export.json", tmp_path).exit_code == 0


def _with_password(path: Path) -> None:
    _backup(path)
    raw = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.find(mark) + flags] |= 1
    path.write_bytes(raw)


def _spoiled(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", json.dumps(export("opsgenie")))
    raw = path.read_bytes()
    path.write_bytes(raw[:60] + b"\xff" * 30 + raw[90:])


@pytest.mark.parametrize(
    ("spoil", "said"), [(_with_password, "cannot be unpacked"), (_spoiled, "is a damaged archive")]
)
def test_an_archive_that_cannot_be_read_is_named(spoil: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    """In words, without a traceback."""
    spoil(tmp_path / "backup.zip")
    result = run("opsgenie", tmp_path / "backup.zip", tmp_path)
    assert (result.exit_code, said in result.output) == (1, True), result.output
    assert not (tmp_path / "tocsin.yml").exists()


@pytest.mark.parametrize("length", ["1e999", "NaN", "1" + "0" * 30, '"604800"', "true", "0"])
def test_a_number_that_means_nothing_is_named(length: str, tmp_path: Path) -> None:
    """Whatever JSON, or what is written for it, calls a number."""
    raw = (
        (EXPORTS / "pagerduty.json")
        .read_text()
        .replace('"rotation_turn_length_seconds": 604800', f'"rotation_turn_length_seconds": {length}')
    )
    (tmp_path / "export.json").write_text(raw)
    result = run("pagerduty", tmp_path / "export.json", tmp_path)
    assert result.exit_code == 1
    assert "schedule Primary, layer Weekends.rotation_turn_length_seconds is" in result.output


def test_overrides_in_a_file_of_their_own_find_their_schedule(tmp_path: Path) -> None:
    """PagerDuty's answer does not name it: the file does."""
    data, folder = export("pagerduty"), tmp_path / "export"
    folder.mkdir()
    overrides = [{key: value for key, value in o.items() if key != "schedule"} for o in data.pop("overrides")]
    (folder / "all.json").write_text(json.dumps(data))
    (folder / "overrides-S1.json").write_text(json.dumps({"overrides": overrides}))
    assert "kept: override O1" in run("pagerduty", folder, tmp_path).output


def _blocked(data: Json) -> None:
    data["users"][1]["blocked"] = True


def _off(data: Json) -> None:
    data["schedules"][0]["rotations"][1]["enabled"] = False


def _whole_days(data: Json) -> None:
    data["schedules"][0]["rotations"][0]["timeRestriction"]["restrictions"] = [
        {"startDay": "saturday", "startHour": 0, "startMin": 0, "endDay": "saturday", "endHour": 24, "endMin": 0}
    ]


def _hours_later(data: Json) -> None:
    data["escalations"][0]["rules"][1]["delay"] = {"timeAmount": 2, "timeUnit": "hours"}


def _bare(data: Json) -> None:
    del data["schedules"][1]["rotations"]


@pytest.mark.parametrize(
    ("spoil", "said", "written"),
    [
        (_blocked, "approximated: person Ben Holm: is blocked there", "ben@harbour.example"),
        (_off, "dropped: schedule Primary, rotation Nights: it is switched off", "Monday 09:00 - Friday 18:00"),
        (_whole_days, "kept: schedule Primary", "Saturday 00:00-00:00"),
        (_hours_later, "kept: escalation Harbour escalation", "after: 2h"),
        (_bare, "dropped: schedule Second line: it stands here without its rotations", "primary"),
    ],
)
def test_an_odd_export_of_opsgenie_is_told_of(
    spoil: Callable[[Json], None], said: str, written: str, tmp_path: Path
) -> None:
    """By name and reason, with a configuration that holds."""
    data = export("opsgenie")
    spoil(data)
    result = run("opsgenie", changed(tmp_path, data), tmp_path)
    assert result.exit_code == 0, result.output
    assert said in result.output
    _checked(tmp_path)
    assert written in (tmp_path / "tocsin.yml").read_text() + (tmp_path / "tocsin-policy.yml").read_text()
