"""Random exports of each vendor's shape: our calendar is the one that is reckoned from the raw export by itself."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from escalation.config.company import Company
from escalation.oncall.schedule import EMPTY_STATE, on_call_at
from tests.imports import independent
from tocsin.imports import grafana_oncall, opsgenie, pagerduty
from tocsin.imports.model import Verdict
from tocsin.imports.proof import differences, next_clock_change, spoken
from tocsin.imports.writing import written

Json = dict[str, Any]
NOW = datetime(2026, 10, 1, tzinfo=UTC)  # Berlin's clocks change on the 25th, New York's a week later
END = NOW + timedelta(days=60)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC")
PEOPLE = ("A", "B", "C", "D")
UNSURE = timedelta(hours=4)  # around a clock change: which of two hours of one name is meant, no vendor says


def _at(random: Random, first: datetime = datetime(2026, 1, 1, tzinfo=UTC), days: int = 250) -> datetime:
    return first + timedelta(days=random.randrange(days), hours=random.randrange(24), minutes=random.choice((0, 30)))


def _soon(random: Random) -> tuple[datetime, datetime]:
    start = _at(random, NOW, 50)
    return start, start + timedelta(hours=random.choice((3, 12, 50, 200)))


def _opsgenie(random: Random) -> Json:
    def restriction() -> Json | None:
        clock = {
            "startHour": random.randrange(24),
            "startMin": random.choice((0, 30)),
            "endHour": random.randrange(24),
            "endMin": 0,
        }
        if random.random() < 0.3:
            return None
        if random.random() < 0.4:
            return {"type": "time-of-day", "restriction": clock}
        days = independent.WEEKDAYS
        many = [
            {"startDay": random.choice(days), "endDay": random.choice(days), **clock, "startHour": random.randrange(24)}
            for _ in range(random.randrange(1, 5))
        ]
        return {"type": "weekday-and-time-of-day", "restrictions": many}

    def rotation(n: int) -> Json:
        kind, start = random.choice(("hourly", "daily", "weekly")), _at(random)
        takers = [
            {"type": "user", "id": random.choice(PEOPLE)},
            *({"type": "none"} for _ in range(random.randrange(2))),
        ]
        takers += [{"type": "user", "id": random.choice(PEOPLE)} for _ in range(random.randrange(3))]
        found = {
            "id": f"r{n}",
            "name": "Same",
            "type": kind,
            "length": random.choice((2, 3, 5, 12) if kind == "hourly" else (1, 2, 3)),
            "startDate": start.isoformat(),
            "participants": takers,
            "timeRestriction": restriction(),
        }
        return found | ({"endDate": _at(random, NOW, 50).isoformat()} if random.random() < 0.3 else {})

    def override(n: int, slot: int) -> Json:
        start = NOW + timedelta(days=12 * slot + random.randrange(4), hours=random.randrange(24))
        user = random.choice(({"type": "none"}, {"type": "user", "id": random.choice(PEOPLE)}))
        some = random.choice(([], [{"id": "r0"}], [{"id": "r0"}, {"id": "r1"}]))
        end = start + timedelta(hours=random.choice((3, 30, 190)))
        return {
            "alias": f"o{n}",
            "user": user,
            "startDate": start.isoformat(),
            "endDate": end.isoformat(),
            "rotations": some,
        }

    schedule = {
        "id": "S",
        "name": "Primary",
        "timezone": random.choice(ZONES),
        "enabled": True,
        "rotations": [rotation(n) for n in range(2 + random.randrange(2))],
        "overrides": [override(n, n) for n in range(random.randrange(5))],
    }
    return {
        "users": [{"id": p, "username": f"{p}@example.com", "fullName": "Sam Same"} for p in PEOPLE],
        "schedules": [schedule],
    }


def _pagerduty_users() -> list[Json]:
    return [{"id": p, "name": "Sam Same", "email": f"{p}@example.com"} for p in PEOPLE]


def _legacy(random: Random) -> Json:
    def layer(n: int) -> Json:
        start = _at(random)
        rules = [
            {
                "type": kind,
                "start_time_of_day": f"{random.randrange(24):02}:30:00",
                "duration_seconds": 3600 * random.choice((1, 9, 14, 23)),
            }
            | ({"start_day_of_week": random.randrange(1, 8)} if kind == "weekly_restriction" else {})
            for kind in random.choices(("daily_restriction", "weekly_restriction"), k=random.randrange(4))
        ]
        users = [{"user": {"id": random.choice((*PEOPLE, "GONE"))}} for _ in range(random.randrange(4))]
        end = _at(random, NOW, 50).isoformat() if random.random() < 0.3 else None
        return {
            "id": f"L{n}",
            "name": "Layer",
            "start": start.isoformat(),
            "end": end,
            "restrictions": rules,
            "users": users,
            "rotation_virtual_start": (start - timedelta(hours=random.randrange(400))).isoformat(),
            "rotation_turn_length_seconds": 3600 * random.choice((2, 7, 12, 24, 48, 168, 336)),
        }

    overrides = []
    for n in range(random.randrange(6)):
        start, end = _soon(random)
        user = {"id": random.choice(PEOPLE)}
        overrides.append({"id": f"O{n}", "start": start.isoformat(), "end": end.isoformat(), "user": user})
    schedule = {
        "id": "S",
        "name": "Primary",
        "time_zone": random.choice(ZONES),
        "overrides": overrides,
        "schedule_layers": [layer(n) for n in range(1 + random.randrange(4))],
    }
    return {"users": _pagerduty_users(), "schedules": [schedule]}


RULES = (
    ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", 9),
    ("FREQ=WEEKLY", 168),
    ("FREQ=WEEKLY;INTERVAL=2", 336),
    ("FREQ=WEEKLY;INTERVAL=2", 240),
    ("FREQ=WEEKLY;INTERVAL=3;BYDAY=SA,SU;WKST=SU", 12),
    ("FREQ=DAILY", 24),
    ("FREQ=DAILY;INTERVAL=3", 48),
    ("FREQ=DAILY;INTERVAL=2", 6),
    ("FREQ=HOURLY;INTERVAL=12", 12),
    ("FREQ=HOURLY;INTERVAL=8", 4),
    ("FREQ=DAILY;BYDAY=MO,WE,FR", 10),
    ("FREQ=DAILY;INTERVAL=2;BYDAY=MO,WE,SA", 6),
    ("FREQ=WEEKLY;BYDAY=FR;UNTIL=20261030T120000Z", 62),
    ("FREQ=DAILY;COUNT=300", 8),
    ("FREQ=WEEKLY;BYDAY=MO,TU", 36),
    ("FREQ=DAILY", 48),
)


def _shift_based(random: Random) -> Json:
    def event(n: int) -> Json:
        zone, (rule, hours) = random.choice(ZONES), random.choice(RULES)
        start = _at(random).replace(minute=0)
        wall = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        times = {
            f"{name}_time": {"date_time": at.replace(tzinfo=ZoneInfo(zone)).isoformat(), "time_zone": zone}
            for name, at in (("start", wall), ("end", wall + timedelta(hours=hours)))
        }
        everybody = random.random() < 0.3
        kind = f"{'every' if everybody else 'rotating'}_member_assignment_strategy"
        members = [{"type": "user_member", "user_id": random.choice(PEOPLE)} for _ in range(1 + random.randrange(3))]
        members += [] if everybody or random.random() < 0.5 else [{"type": "empty_member"}]
        left_out = [f"EXDATE:{wall.replace(month=11, day=day):%Y%m%dT%H%M%S}" for day in range(2, 9)]
        return {
            "id": f"E{n}",
            "name": "Event",
            **times,
            "effective_since": start.isoformat(),
            "effective_until": _at(random, NOW, 50).isoformat() if random.random() < 0.2 else None,
            "recurrence": [f"RRULE:{rule}", *(left_out if random.random() < 0.3 and hours <= 24 else [])],
            "assignment_strategy": {"type": kind, "shifts_per_member": random.randrange(1, 3), "members": members},
        }

    overrides, custom = [], []
    for n in range(random.randrange(4)):
        (start, end), member = _soon(random), {"type": "user_member", "user_id": random.choice(PEOPLE)}
        limits = {"start_time": start.isoformat(), "end_time": end.isoformat()}
        other = random.choice(({"type": "empty_member"}, {"type": "user_member", "user_id": random.choice(PEOPLE)}))
        overrides.append({"id": f"O{n}", **limits, "overridden_member": member, "overriding_member": other})
        (start, end) = _soon(random)
        limits = {"start_time": start.isoformat(), "end_time": end.isoformat()}
        custom.append({"id": f"C{n}", "type": "custom_shift", **limits, "assignments": [{"member": member}]})
    rotations = [{"id": f"R{n}", "events": [event(n)]} for n in range(1 + random.randrange(3))]
    schedule = {
        "id": "S",
        "type": "schedule_v3",
        "name": "Shifts",
        "time_zone": random.choice(ZONES),
        "rotations": rotations,
    }
    return {"users": _pagerduty_users(), "schedules": [schedule | {"overrides": overrides, "custom_shifts": custom}]}


DURATIONS = {"hourly": (2, 4, 12), "daily": (4, 10, 24), "weekly": (9, 24, 62, 168)}


def _grafana_oncall(random: Random) -> Json:
    web = random.random() < 0.4

    def shift(n: int) -> Json:
        kind = random.choice(("recurrent_event", "rolling_users", "rolling_users", "single_event", "override"))
        start = _at(random) if kind in ("recurrent_event", "rolling_users") else _soon(random)[0]
        found: Json = {
            "id": f"H{n}",
            "name": f"Shift {n}",
            "type": kind,
            "start": f"{start:%Y-%m-%dT%H:%M:%S}",
            "level": random.randrange(3),
            "time_zone": "UTC" if web else random.choice((None, *ZONES)),
            "users": random.sample(PEOPLE, 2),
            "duration": 3600 * 30,
        }
        if kind not in ("recurrent_event", "rolling_users"):
            return found
        frequency = random.choice(tuple(DURATIONS))
        interval = random.choice(
            (2, 4, 12) if frequency == "hourly" else (1, 2, 3)
        )  # no turn of ours is shorter than 2h
        days = (
            random.sample(["MO", "TU", "WE", "TH", "FR", "SA", "SU"], 3)
            if frequency != "hourly" and random.random() < 0.5
            else None
        )
        lengths = DURATIONS[frequency][: 2 if days else 4]
        hours = random.choice(
            lengths if days else (*lengths, interval * {"hourly": 1, "daily": 24, "weekly": 168}[frequency])
        )
        found |= {"frequency": frequency, "interval": interval, "by_day": days, "duration": 3600 * hours}
        found |= {"week_start": random.choice(("MO", "SU", None))} if frequency == "weekly" else {}
        found |= {"until": f"{_at(random, NOW, 50):%Y-%m-%dT%H:%M:%S}"} if random.random() < 0.3 else {}
        found |= (
            {"rotation_start": f"{_at(random, NOW, 50):%Y-%m-%dT%H:%M:%S}"}
            if random.random() < 0.3
            else {"rotation_start": found["start"]}
        )
        if kind == "rolling_users":
            groups = [random.sample(PEOPLE, random.randrange(3)) for _ in range(3)]
            found |= {"rolling_users": groups, "start_rotation_from_user_index": random.randrange(3)}
        return found

    shifts = [shift(n) for n in range(1 + random.randrange(4))]
    schedule = {
        "id": "S",
        "name": "Primary",
        "type": "web" if web else "calendar",
        "time_zone": random.choice(ZONES),
        "shifts": [s["id"] for s in shifts],
    }
    users = [{"id": p, "username": "same", "email": f"{p}@example.com"} for p in PEOPLE]
    return {"users": {"results": users}, "schedules": {"results": [schedule]}, "on_call_shifts": {"results": shifts}}


def _of_grafana(data: Json) -> independent.OnCall:
    shifts = {shift["id"]: shift for shift in data["on_call_shifts"]["results"]}
    return independent.grafana_oncall(data["schedules"]["results"][0], shifts, END)


VENDORS: dict[str, tuple[ModuleType, Callable[[Random], Json], Callable[[Json], independent.OnCall]]] = {
    "opsgenie": (opsgenie, _opsgenie, lambda data: independent.opsgenie(data["schedules"][0])),
    "pagerduty, layers": (pagerduty, _legacy, lambda data: independent.legacy(data["schedules"][0])),
    "pagerduty, shifts": (pagerduty, _shift_based, lambda data: independent.shift_based(data["schedules"][0], END)),
    "grafana-oncall": (grafana_oncall, _grafana_oncall, _of_grafana),
}


CHANGES = [at for zone in ZONES if (at := next_clock_change(zone, NOW))]


def _sure(at: datetime) -> bool:
    return all(abs(at - change) > UNSURE for change in CHANGES)


STEPS = (timedelta(0), timedelta(minutes=30), timedelta(hours=1, seconds=-1))
POINTS = [at for n in range(60 * 24) if _sure(at := NOW + n * timedelta(hours=1) + STEPS[n % 3])]


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(n, marks=pytest.mark.slow) for n in range(3, 20))])
@pytest.mark.parametrize("vendor", VENDORS)
def test_our_calendar_is_the_vendors(vendor: str, seed: int, tmp_path: Path) -> None:
    """For sixty days, over two clock changes, with people of one name: and the proof sees no difference either."""
    reader, made_up, by_itself = VENDORS[vendor]
    data = made_up(Random(f"{vendor} {seed}"))
    path = tmp_path / "export.json"
    path.write_text(json.dumps(data))
    export = reader.read(path)
    made = written(export, "kars", NOW)
    assert not [n for n in export.notes if n.verdict is Verdict.DROPPED and "a layer cannot" in n.why]
    company = Company.model_validate({**made.config, "policy": "kars"})
    found = [spoken(d) for d in differences(export, made, company, NOW, timedelta(days=60)) if _sure(d.starts)]
    assert found == []
    on_call, names = by_itself(data), {key: person for person, key in made.keys.items()}
    rotation = made.rotations.get("S")
    for at in POINTS:
        ours = on_call_at(rotation, company, EMPTY_STATE, at) if rotation else ()
        assert {names[key] for key in ours} == on_call(at), at
