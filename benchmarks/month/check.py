"""Compare every figure that Tocsin says of the month with the recount of its record."""

import csv
import json
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from benchmarks.month.documents import Commands
from benchmarks.month.recount import Record, figures, pay, times
from benchmarks.month.stage import Stage

Json = dict[str, Any]
HALF_A_MILLISECOND = 0.0005
SHARES = ("acknowledged_in_time", "resolved_in_time", "severity_kept", "promises_kept", "reviews_in_time")
SAME = ("severities", "left_out", "open", "reopened", "causes", "recurrences", "pages_by_hour", "pages_at_night")
CELLS = ("n", "p50", "p90", "most", "total", "mean")
ON_CALL = ("minutes", "nights", "weekends", "holidays")


def compare(stage: Stage, since: datetime, until: datetime) -> tuple[list[str], list[str]]:
    """What was compared, in words with counts, and what differs."""
    folder = stage.folder
    people = {p["id"]: p["tz"] for p in stage.look("control/state")["users"] if "tz" in p}
    record = Record.of(folder / "record.jsonl", people)
    told = json.loads((folder / "report.json").read_text())
    again = figures(record, since, until, stage.place.zone)
    wrong = [*_figures(told, again)]
    rows = list(csv.DictReader((folder / "report.csv").open()))
    seconds = {i["id"]: times(i) for i in record.incidents}
    wrong += [text for row in rows for text in _csv(row, seconds[row["id"]])]
    paid = json.loads((folder / "pay.json").read_text())
    counted = pay(record, stage.place.config, _days_off(stage), since, until)
    wrong += [*_pay(paid, counted)]
    verified = Commands(stage).run("verify", str(folder / "record.jsonl"), "--figures").strip().splitlines()
    said = [
        f"{len(record.incidents)} incidents, {sum(len(i['timeline']) for i in record.incidents)} entries of timelines",
        f"{sum(map(len, seconds.values()))} times of incidents, {len(again['times'])} rows of {len(CELLS)} figures,"
        f" {len(SAME) + len(SHARES) + len(again['false_alarms'])} counts and shares: recounted",
        f"{len(counted)} people's minutes, nights, weekends, holidays, stipend and pay: recounted",
        *verified,
    ]
    return said, wrong


def _figures(told: Json, again: Json) -> Iterator[str]:
    for name in SAME:
        if told[name] != again[name]:
            yield f"{name}: {told[name]}, recounted {again[name]}"
    for name in SHARES:
        if (told[name]["count"], told[name]["of"]) != again[name]:
            yield f"{name}: {told[name]}, recounted {again[name]}"
    false = {name: (share["count"], share["of"]) for name, share in told["false_alarms"].items()}
    if false != again["false_alarms"]:
        yield f"false alarms: {false}, recounted {again['false_alarms']}"
    rows = {(row["measure"], row["severity"]): tuple(row[name] for name in CELLS) for row in told["times"] if row["n"]}
    for key in sorted(rows.keys() | again["times"].keys()):
        one, other = rows.get(key), again["times"].get(key)
        if not one or not other or any(abs(a - b) > HALF_A_MILLISECOND for a, b in zip(one, other, strict=True)):
            yield f"{key}: {one}, recounted {other}"


def _csv(row: dict[str, str], seconds: dict[str, float]) -> Iterator[str]:
    for name in (column.removesuffix("_seconds") for column in row if column.endswith("_seconds")):
        shown = row[f"{name}_seconds"]
        if shown != (f"{seconds[name]:.3f}" if name in seconds else ""):
            yield f"{row['id']} {name} in CSV: {shown or 'nothing'}, recounted {seconds.get(name)}"


def _pay(told: Json, again: Json) -> Iterator[str]:
    rows = {row["person"]: row for row in told["rows"] if row["rotation"]}
    for person in sorted(rows.keys() | again.keys()):
        one, other = rows.get(person), again.get(person)
        if not one or not other:
            yield f"pay of {person}: {one}, recounted {other}"
            continue
        shown = {name: one[name] for name in ON_CALL} | {n: Decimal(one[n]) for n in ("stipend", "on_call")}
        if shown != other:
            yield f"pay of {person}: {shown}, recounted {other}"


def _days_off(stage: Stage) -> dict[str, set[date]]:
    company = stage.loaded.company
    calendars = (company.calendar, *company.offices.values())
    return {c.timezone: set(c.closed) for c in calendars}
