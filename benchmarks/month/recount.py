"""Every figure of a month again, from the exported record alone: it shares no code with `escalation`.

Written the plain way, an incident after another and a minute after another, so that it can be read beside
docs/figures.md and docs/on-call-pay.md.
"""

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

Json = dict[str, Any]
MINUTE = timedelta(minutes=1)
OPENING = ", moved to the next opening"


@dataclass(frozen=True)
class Record:
    """An exported record: incidents' documents, and the state of on call. `zones`: where people live, by member id."""

    incidents: list[Json]
    duty: Json
    zones: dict[str, str]

    @classmethod
    def of(cls, file: Path, zones: dict[str, str]) -> "Record":
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        values = {line["key"]: next(v for k, v in line.items() if k != "key") for line in lines if "key" in line}
        incidents = [v for key, v in sorted(values.items()) if key.startswith("tocsin:incident:")]
        duty = values.get("tocsin:duty") or "{}"
        return cls(incidents, json.loads(duty) if isinstance(duty, str) else duty, zones)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


# Incidents -----------------------------------------------------------------------------------------------------------


def times(one: Json) -> dict[str, float]:
    """The times of a closed incident, in seconds: those that it has."""
    if one["status"] not in ("resolved", "cancelled"):
        return {}
    entries = [(e["kind"], instant(e["at"]), e["fields"]) for e in one["timeline"]]
    resolved = max((at for kind, at, _ in entries if kind == "resolved"), default=None)
    if one["status"] != "resolved":
        resolved = None
    ends = {
        "root_cause": min((at for kind, at, _ in entries if kind == "root_cause"), default=None),
        "fix": max((at for kind, at, _ in entries if kind == "fix_applied"), default=None) if resolved else None,
        "tell": next((at for kind, at, said in entries if heard(one, kind, said)), None),
        "mttr": resolved,
    }
    declared = instant(one["declared_at"])
    found = {name: (at - declared).total_seconds() for name, at in ends.items() if at}
    found |= impact(entries, declared)
    paged = min((at for kind, at, _ in entries if kind == "paged"), default=None)
    acknowledged = min((at for kind, at, _ in entries if kind == "acknowledged"), default=None)
    if paged and acknowledged and acknowledged >= paged:
        found["mtta"] = (acknowledged - paged).total_seconds()
    return found


def impact(entries: list[tuple[str, datetime, Json]], declared: datetime) -> dict[str, float]:
    """The times of the impact: its beginning, detection and end hold as they were stated last."""
    said = {
        name: instant(at)
        for kind, _, says in entries
        if kind in ("declared", "times")
        for name, at in says.items()
        if name in ("began", "detected", "ended") and at
    }
    spans = {
        "detect": (said.get("began"), said.get("detected")),
        "declare": (said.get("detected"), declared),
        "mitigate": (said.get("began"), said.get("ended")),
    }
    return {
        name: (end - start).total_seconds() for name, (start, end) in spans.items() if start and end and end >= start
    }


def heard(one: Json, kind: str, said: Json) -> bool:
    """True for an entry by which customers or the public heard of it."""
    outside = {str(c["n"]): c for c in one["communications"] if c["plan"]["audience"] in ("customers", "social")}
    if said.get("n") not in outside:
        return False
    by_hand = [means for means in said.get("through", "").split(", ") if means]
    by_itself = len(outside[said["n"]]["through"]) > len(by_hand)
    return {
        "sent": True,
        "communication": by_itself and said.get("state") != "waiting",
        "communicated": said.get("answer") == "published" or (by_itself and said.get("answer") == "approved"),
    }.get(kind, False)


def figures(record: Record, since: datetime, until: datetime, zone: str) -> Json:
    """The figures of what was declared in a period, under the names of `tocsin report --json`."""
    period = [i for i in record.incidents if since <= instant(i["declared_at"]) < until]
    cancelled = [i for i in period if i["status"] == "cancelled" and not i["drill"]]
    twice = [i for i in cancelled if last(i, "cancelled")["fields"].get("duplicate_of")]
    counted = [i for i in period if i["status"] != "cancelled" and not i["drill"]]
    pages = [(p["person"], instant(p["at"])) for i in period if not i["drill"] for p in i["pages"]]
    hours = [(who, at.astimezone(ZoneInfo(record.zones.get(who, zone))).hour) for who, at in pages]
    left = {
        "drill": sum(i["drill"] for i in period),
        "duplicate": len(twice),
        "false alarm": len(cancelled) - len(twice),
    }
    sources, false = Counter[str](), Counter[str]()
    for one in period:
        if not one["drill"] and one["status"] in ("resolved", "cancelled") and one not in twice:
            sources[source(one)] += 1
            false[source(one)] += one["status"] == "cancelled"
    resolved = [i for i in counted if i["status"] == "resolved"]
    causes = Counter(i["cause_category"] for i in counted if i["cause_category"])
    return {
        "severities": dict(Counter(i["severity"] for i in counted)),
        "left_out": {why: n for why, n in left.items() if n},
        "open": sum(i["status"] not in ("resolved", "cancelled") for i in counted),
        "reopened": sum(any(e["kind"] == "reopened" for e in i["timeline"]) for i in counted),
        "times": rows(counted),
        "acknowledged_in_time": share(acknowledged_in_time(i) for i in counted),
        "resolved_in_time": share(resolved_in_time(i) for i in resolved),
        "severity_kept": (sum(first_severity(i) == i["severity"] for i in resolved), len(resolved)),
        "promises_kept": promises(counted),
        "reviews_in_time": reviews(counted, until),
        "false_alarms": {name: (false[name], n) for name, n in sources.items()},
        "causes": dict(causes),
        "recurrences": dict(Counter(i["cause_category"] for i in counted if i["repeats"])),
        "pages_by_hour": [sum(hour == h for _, hour in hours) for h in range(24)],
        "pages_at_night": dict(Counter(who for who, hour in hours if hour >= 22 or hour < 7)),
    }


def rows(counted: list[Json]) -> dict[tuple[str, str], tuple[float, ...]]:
    """(time, severity) -> n, p50, p90, max, total, mean; p50 and p90 are times that did occur."""
    found: dict[tuple[str, str], list[float]] = {}
    for one in counted:
        for name, seconds in times(one).items():
            found.setdefault((name, "all"), []).append(seconds)
            found.setdefault((name, one["severity"]), []).append(seconds)
    return {key: summed(sorted(several)) for key, several in found.items()}


def summed(several: list[float]) -> tuple[float, ...]:
    n = len(several)
    p50, p90 = several[math.ceil(n * 0.5) - 1], several[math.ceil(n * 0.9) - 1]
    return (n, p50, p90, several[-1], math.fsum(several), math.fsum(several) / n)


def last(one: Json, kind: str) -> Json:
    return next(dict(e) for e in reversed(one["timeline"]) if e["kind"] == kind)


def source(one: Json) -> str:
    machine, _, title = str(one["reporter"]).partition(":")
    return title if machine == "machine" else "people"


def first_severity(one: Json) -> str:
    return str(next((f["severity"] for f in one["past"] if f.get("severity")), one["severity"]))


def share(answers: Iterable[bool | None]) -> tuple[int, int]:
    """So many of so many, of those to which it applies."""
    known = [answer for answer in answers if answer is not None]
    return sum(known), len(known)


def as_of(one: Json, entry: int, name: str) -> Any:
    """A value of the incident as it stood at an entry: decisions afterwards left what they replaced."""
    later = [former[name] for former in one["past"] if former["until"] >= entry and name in former]
    return later[0] if later else one[name]


def acknowledged_in_time(one: Json) -> bool | None:
    first = next((e for e in one["timeline"] if e["kind"] == "acknowledged"), None)
    if first:
        start, policy = as_of(one, first["n"], "sla_from"), as_of(one, first["n"], "policy")
        return instant(first["at"]) <= deadline(instant(start), policy["acknowledge_within"], one["calendar"])
    due = deadline(instant(one["sla_from"]), one["policy"]["acknowledge_within"], one["calendar"])
    return False if one["closed_at"] and instant(one["closed_at"]) > due else None


def resolved_in_time(one: Json) -> bool:
    due = deadline(instant(one["sla_from"]), one["policy"]["resolve_within"], one["calendar"])
    return instant(last(one, "resolved")["at"]) <= due


def deadline(start: datetime, wait: str, calendar: Json) -> datetime:
    """The end of a wait as policies write it: `15m`, `4 business hours`, `1 business day`, `24h, moved to the ...`."""
    number, _, unit = wait.removesuffix(OPENING).partition(" business ")
    at = start
    if unit.startswith("day"):
        sessions = hours_from(start, calendar)
        opens = max(start, next(sessions)[0]).astimezone(ZoneInfo(calendar["timezone"]))
        *_, (begins, _) = itertools.islice(sessions, int(number))
        at = datetime.combine(begins.astimezone(opens.tzinfo).date(), opens.time(), opens.tzinfo).astimezone(UTC)
    elif unit:
        length = int(number) * (timedelta(hours=1) if unit.startswith("hour") else MINUTE)
        for opens, closes in hours_from(start, calendar):
            at = max(opens, start)
            if length <= closes - at:
                break
            length -= closes - at
        at += length
    else:
        at = start + duration(number)
    return max(at, next(hours_from(at, calendar))[0]) if wait.endswith(OPENING) else at


def hours_from(at: datetime, calendar: Json) -> Iterator[tuple[datetime, datetime]]:
    """Yield the opening hours that end after an instant, in UTC."""
    zone, clock = ZoneInfo(calendar["timezone"]), calendar["hours"].split("-")
    day = at.astimezone(zone).date()
    while True:
        if f"{day:%A}" in calendar["days"] and day.isoformat() not in calendar["closed"]:
            opens, closes = (datetime.combine(day, time.fromisoformat(text), zone).astimezone(UTC) for text in clock)
            if closes > at:
                yield opens, closes
        day += timedelta(days=1)


def promises(counted: list[Json]) -> tuple[int, int]:
    """How many communications with a deadline kept it, and how many there were."""
    kept = total = 0
    for one in counted:
        deadlines = {e["n"]: e["fields"].get("deadline") for e in one["timeline"]}
        late = {e["fields"]["n"] for e in one["timeline"] if e["kind"] == "overdue" or sent_late(e)}
        for owed in one["communications"]:
            missed = str(owed["n"]) in late
            if owed["state"] == "declined" or (owed["state"] == "replaced" and not missed):
                continue
            if owed["due"] or deadlines[owed["entry"]]:
                total += 1
                kept += not missed
    return kept, total


def sent_late(entry: Json) -> bool:
    deadline = entry["kind"] == "sent" and entry["fields"].get("deadline")
    return bool(deadline) and instant(entry["at"]) > instant(deadline)


def reviews(counted: list[Json], until: datetime) -> tuple[int, int]:
    """How many reviews were held within two days of the resolution, of those held or due."""
    kept = total = 0
    for one in counted:
        rule = one["policy"]["review"]
        if one["resolution"] is None or rule is None:
            continue
        at = instant(one["resolution"]["at"])
        asked = rule["always"] or (rule["security"] and one["facts"]["security"])
        asked = asked or (rule["data_loss"] and one["facts"]["data_loss"]) or (rule["recurrence"] and one["repeats"])
        asked = asked or (rule["lasted"] and at - instant(one["declared_at"]) > duration(rule["lasted"]))
        if asked:
            due, held = at + duration(rule["within"]), one["reviewed"] and instant(one["reviewed"]["at"])
            if held or due <= until:
                total += 1
                kept += bool(held and held <= due)
    return kept, total


def duration(text: str) -> timedelta:
    """A duration as policies write it: `48h`, `1d12h`, `1w`."""
    units = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
    return timedelta(seconds=sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)([wdhms])", text)))


# On call -------------------------------------------------------------------------------------------------------------


def on_call(record: Record, config: Json, since: datetime, until: datetime) -> Iterator[tuple[datetime, str]]:
    """Yield each minute with whoever was on call in it: the plan, then absences, then overrides."""
    plan = config["rotations"]["primary"]
    zone, people = ZoneInfo(plan["timezone"]), plan["people"]
    begins = datetime.combine(date.fromisoformat(plan["first_shift"]), time(9), zone)
    at = since
    while at < until:
        local = at.astimezone(zone)
        # Whole weeks by the clock on the wall: handovers stay at nine when the clocks change.
        week = (local.replace(tzinfo=None) - begins.replace(tzinfo=None)) // timedelta(weeks=1)
        n = week % len(people)
        while any(a["person"] == people[n] and covers(a, at) for a in record.duty.get("away", ())):
            n = (n + 1) % len(people)
        who = people[n]
        for override in record.duty.get("overrides", ()):
            who = override["person"] if covers(override, at) else who
        yield at, who
        at += MINUTE


def covers(piece: Json, minute: datetime) -> bool:
    """True for a minute of a piece of time: one in which it begins is its own, one in which it ends is not."""
    starts, ends = (instant(piece[name]).replace(second=0, microsecond=0) for name in ("starts", "ends"))
    return bool(starts <= minute < ends)


def pay(record: Record, config: Json, holidays: dict[str, set[date]], since: datetime, until: datetime) -> Json:
    """Person -> minutes, nights, weekends, holidays, stipend and on-call pay of a period.

    `holidays`: zone -> its days off.
    """
    rates, people = config["pay"], config["rotations"]["primary"]["people"]
    found: dict[str, Json] = {who: dict.fromkeys(("minutes", "nights", "weekends", "holidays"), 0) for who in people}
    hours = [time.fromisoformat(text) for text in config["calendar"]["hours"].split("-")]
    money = {who: [Fraction(), Fraction()] for who in people}
    for at, who in on_call(record, config, since, until):
        zone = (
            config["offices"][office]["timezone"]
            if (office := config["people"][who].get("office"))
            else config["timezone"]
        )
        local = at.astimezone(ZoneInfo(zone))
        night = local.hour >= 22 or local.hour < 7
        weekend, holiday = local.weekday() >= 5, local.date() in holidays[zone]
        working = not weekend and not holiday and hours[0] <= local.time() < hours[1]
        row = found[who]
        row["minutes"] += 1
        row["nights"] += night
        row["weekends"] += weekend
        row["holidays"] += holiday
        held = ["working_hours" if working and "working_hours" in rates else "hour"]
        held += [name for name, is_so in (("night", night), ("weekend", weekend), ("holiday", holiday)) if is_so]
        sums = money[who]
        sums[0] += Fraction(str(rates["weekly_stipend"])) / 7 / length_of_day(local.date(), zone)
        sums[1] += max(Fraction(str(rates[name])) for name in held) / 60
    for who, (stipend, paid) in money.items():
        found[who] |= {"stipend": rounded(stipend, rates), "on_call": rounded(paid, rates)}
    return found


def length_of_day(day: date, zone: str) -> int:
    """Minutes of a local day: 1,380 when the clocks go forward."""
    first, then = (datetime.combine(d, time(), ZoneInfo(zone)).astimezone(UTC) for d in (day, day + timedelta(days=1)))
    return (then - first) // MINUTE


def rounded(amount: Fraction, rates: Json) -> Decimal:
    unit = Decimal(1).scaleb(-rates.get("decimals", 2))
    return (Decimal(amount.numerator) / Decimal(amount.denominator)).quantize(unit, ROUND_HALF_UP)
