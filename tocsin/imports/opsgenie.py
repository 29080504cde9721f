"""Exports of Opsgenie and Jira Service Management: lists of the API, or the files of its configuration backup.

https://docs.opsgenie.com/docs/schedule-api, …/schedule-rotation-api, …/escalation-api, …/user-api
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from typing import Any

from escalation.times import weekday
from tocsin.imports import reading
from tocsin.imports.model import (
    WEEKDAYS,
    Escalation,
    Export,
    ImportFault,
    Member,
    Schedule,
    SourceLayer,
    Span,
    Step,
    Verdict,
    WeeklyHours,
)
from tocsin.imports.reading import Json

SOURCE = "Opsgenie"
DAY = timedelta(days=1)
LENGTHS = {"hourly": timedelta(hours=1), "daily": DAY, "weekly": 7 * DAY}
LISTS = {"data", "users", "schedules", "escalations", "overrides", "services"}
WHOLE = {"username", "rotations", "rules"}  # of an object that has lists of its own
CONDITIONS = {"if-not-acked": "acknowledged", "if-not-closed": "resolved"}


def read(path: Path) -> Export:
    """Read an export. Objects are told apart by what they hold, wherever they stand in it. Raises ImportFault."""
    export = Export(SOURCE)
    found = [item for name, document in reading.documents(path) for item in _objects(document, name)]
    for item in found:
        if "username" in item:
            _member(export, item)
    for item in found:
        if "rotations" in item and "timezone" in item:
            _schedule(export, item)
    for item in found:
        if "rules" in item:
            _escalation(export, item)
        elif "startDate" in item and "user" in item and "alias" in item:
            _override(export, item)
        elif "isEnabled" in item or "tier" in item:
            export.services = (*export.services, reading.text(item, "name"))
    if not (export.members or export.schedules):
        raise ImportFault(f"{path} has neither users nor schedules of Opsgenie")
    return export


def _objects(document: Any, name: str) -> Iterator[Json]:
    """Yield users, schedules, escalations and overrides: one in a file, a list, or below `data` or their own name."""
    if isinstance(document, list):
        for entry in document:
            yield from _objects(entry, name)
    elif not isinstance(document, dict):
        raise ImportFault(f"{name} holds something else than objects")
    elif WHOLE & document.keys() or not LISTS & document.keys():
        yield document
    else:
        for key in sorted(document.keys() & LISTS):
            yield from _objects(document[key], name)


def _member(export: Export, user: Json) -> None:
    name = reading.text(user, "username")
    where = f"person {reading.text(user, 'fullName') or name}"
    contacts = reading.items(user.get("userContacts") or user.get("contacts"), f"{where}: contacts")
    numbers = [
        reading.phone("+" + reading.text(contact, "to").replace("-", "").lstrip("+"))
        for contact in contacts
        if reading.text(contact, "contactMethod", "method").lower() in ("sms", "voice")
    ]
    key, phone = reading.text(user, "id") or name, next(filter(None, numbers), "")
    member = Member(key, reading.text(user, "fullName") or name, name if "@" in name else "", phone)
    export.members[key] = export.members[name] = member
    export.note(Verdict.KEPT, where, "" if phone or not numbers else "without a usable phone number")


def _schedule(export: Export, data: Json) -> None:
    name = reading.text(data, "name")
    where = f"schedule {name}"
    zone = reading.zone(reading.text(data, "timezone"), where)
    layers = []
    for n, rotation in enumerate(reading.items(data["rotations"], f"{where}: rotations"), start=1):
        label = reading.text(rotation, "name") or str(n)
        layers.append(_layer(export, rotation, zone, f"{where}, rotation {label}", label))
    if data.get("enabled") is False:
        export.note(Verdict.DROPPED, where, "it is switched off")
        return
    id = reading.text(data, "id") or name
    export.schedules[id] = Schedule(id, name, zone, tuple(layer for layer in layers if layer))
    export.note(Verdict.KEPT, where)
    for override in reading.items(data.get("overrides"), f"{where}: overrides"):
        _override(export, {**override, "_parentEntity": {"id": id}})


def _layer(export: Export, rotation: Json, zone: str, where: str, name: str) -> SourceLayer | None:
    kind = reading.text(rotation, "type").lower()
    if kind not in LENGTHS:
        raise ImportFault(f"{where}: '{kind}' is no type of rotation; there are hourly, daily and weekly")
    length = reading.number(rotation, "length", where, default=1)
    if length < 1:
        raise ImportFault(f"{where}: its length is {length}")
    start = reading.needed(
        reading.instant(rotation.get("startDate"), f"{where}: startDate", zone), f"{where}: startDate"
    )
    places = tuple(_participant(export, p, where) for p in reading.items(rotation.get("participants"), where))
    if not any(places):
        export.note(Verdict.DROPPED, where, "nobody takes part in it")
        return None
    ends = reading.instant(rotation.get("endDate"), f"{where}: endDate", zone)
    hours = tuple(_restrictions(rotation.get("timeRestriction"), where))
    return SourceLayer(name, places, start, length * LENGTHS[kind], zone, begins=start, ends=ends, hours=hours)


def _participant(export: Export, data: Json, where: str) -> tuple[str, ...]:
    """Return the people of one place in turn: none for a place left empty."""
    kind, key = reading.text(data, "type"), reading.text(data, "id") or reading.text(data, "username")
    if kind == "none":
        return ()
    if kind != "user":
        named = reading.text(data, "name") or key
        export.note(
            Verdict.DROPPED, f"{where}: {kind} {named}", "only people have turns here; put its members in its place"
        )
        return ()
    member = export.members.get(key) or export.members.get(reading.text(data, "username"))
    if member is None:
        export.note(
            Verdict.DROPPED, f"{where}: user {reading.text(data, 'username') or key}", "the export has no such user"
        )
        return ()
    return (member.id,)


def _restrictions(data: Any, where: str) -> Iterator[WeeklyHours]:
    if not isinstance(data, dict):
        return
    if data.get("type") == "time-of-day":
        one = data.get("restriction")
        for entry in one if isinstance(one, list) else [one]:  # older backups have a list of one
            starts, ends = _clock(entry, "start", where), _clock(entry, "end", where)
            length = _until(starts, ends) or DAY
            yield from (WeeklyHours(day, starts, length) for day in WEEKDAYS)
        return
    for entry in reading.items(data.get("restrictions"), f"{where}: restrictions"):
        first, last = (weekday(reading.text(entry, name)) for name in ("startDay", "endDay"))
        if first is None or last is None:
            raise ImportFault(f"{where}: a restriction names no weekday")
        starts, ends = _clock(entry, "start", where), _clock(entry, "end", where)
        length = ((last - first) % 7) * DAY + _since_midnight(ends) - _since_midnight(starts)
        yield WeeklyHours(first, starts, length if length > timedelta(0) else length + 7 * DAY)


def _clock(data: Any, name: str, where: str) -> time:
    if not isinstance(data, dict):
        raise ImportFault(f"{where}: a restriction has no hours")
    hour, minute = reading.number(data, f"{name}Hour", where), reading.number(data, f"{name}Min", where)
    if not (0 <= hour <= 24 and 0 <= minute < 60):
        raise ImportFault(f"{where}: {hour}:{minute:02d} is no time of day")
    return time(hour % 24, minute)


def _since_midnight(at: time) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute)


def _until(starts: time, ends: time) -> timedelta:
    return (_since_midnight(ends) - _since_midnight(starts)) % DAY


def _override(export: Export, data: Json) -> None:
    where = f"override {reading.text(data, 'alias')}"
    parent = data.get("_parentEntity") or data.get("schedule") or {}
    named = reading.text(parent, "id", "name")
    schedule = next((s for s in export.schedules.values() if named in (s.id, s.name)), None)
    user = data["user"] if isinstance(data["user"], dict) else {}
    member = export.members.get(reading.text(user, "id")) or export.members.get(reading.text(user, "username"))
    starts, ends = (reading.instant(data.get(name), f"{where}: {name}") for name in ("startDate", "endDate"))
    if schedule is None or member is None or not starts or not ends:
        export.note(Verdict.DROPPED, where, "its schedule, its person or its time is missing")
        return
    if reading.items(data.get("rotations"), where) and len(schedule.layers) > 1:
        export.note(Verdict.APPROXIMATED, where, "it replaces everybody on call, not those of one rotation only")
    span = Span((member.id,), starts, ends)
    export.schedules[schedule.id] = replace(schedule, overrides=(*schedule.overrides, span))
    export.note(Verdict.KEPT, where)


def _escalation(export: Export, data: Json) -> None:
    name = reading.text(data, "name")
    steps = []
    for n, rule in enumerate(reading.items(data["rules"], f"escalation {name}: rules"), start=1):
        step = _step(export, rule, f"escalation {name}, rule {n}")
        steps += [step] if step else []
    repeat = data.get("repeat")
    repeat = repeat if isinstance(repeat, dict) else {}
    # https://docs.opsgenie.com/docs/escalations: it waits after the last step, then begins again
    last = max((step.after for step in steps), default=timedelta(0))
    wait = timedelta(minutes=reading.number(repeat, "waitInterval", name))
    id = reading.text(data, "id") or name
    export.escalations[id] = Escalation(id, name, tuple(steps), reading.number(repeat, "count", name), last + wait)


def _step(export: Export, rule: Json, where: str) -> Step | None:
    recipient = rule.get("recipient")
    recipient = recipient if isinstance(recipient, dict) else {}
    kind, names = reading.text(recipient, "type"), [reading.text(recipient, n) for n in ("id", "username", "name")]
    delay = rule.get("delay")
    after = timedelta(minutes=reading.number(delay, "timeAmount", where) if isinstance(delay, dict) else 0)
    if reading.text(rule, "notifyType") not in ("", "default"):
        export.note(Verdict.APPROXIMATED, where, f"notifies `{rule['notifyType']}` there; here those who are on call")
    unless = CONDITIONS.get(reading.text(rule, "condition"), "acknowledged")
    member = next((export.members[name] for name in names if name in export.members), None)
    if kind == "user" and member:
        return Step(after, people=(member.id,), unless=unless)
    schedule = next((s for s in export.schedules.values() if s.id in names or s.name in names), None)
    if kind == "schedule" and schedule:
        return Step(after, schedules=(schedule.id,), unless=unless)
    named = next(filter(None, reversed(names)), "somebody")
    export.note(
        Verdict.DROPPED, where, f"{kind or 'its recipient'} {named} is neither a person nor a schedule of the export"
    )
    return None
