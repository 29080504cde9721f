"""Exports of Opsgenie and Jira Service Management: lists of the API, or the files of its configuration backup.

https://docs.opsgenie.com/docs/schedule-api, …/schedule-rotation-api, …/escalation-api, …/user-api
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
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
    Override,
    Schedule,
    SourceLayer,
    Step,
    Verdict,
    WeeklyHours,
)
from tocsin.imports.reading import Json

SOURCE = "Opsgenie"
DAY = timedelta(days=1)
LENGTHS = {"hourly": timedelta(hours=1), "daily": DAY, "weekly": 7 * DAY}
MINUTES = {"minutes": 1, "hours": 60, "days": 24 * 60}
LISTS = {"data", "users", "schedules", "escalations", "overrides", "services"}
WHOLE = {"username", "rotations", "rules", "members"}  # of an object that has lists of its own
# The files of https://github.com/opsgenie/opsgenie-configuration-backup: one object, and a list that belongs to it.
WRAPPED = {"user": "notificationRuleList", "schedule": "scheduleOverrideList", "team": "routingRuleList"}
BELONGS = {"user": "notificationRules", "schedule": "overrides", "team": "routingRules"}
CONDITIONS = {"if-not-acked": "acknowledged", "if-not-closed": "resolved"}


def read(path: Path) -> Export:
    """Read an export. Objects are told apart by what they hold, wherever they stand in it. Raises ImportFault."""
    export = Export(SOURCE)
    found = [item for name, document in reading.documents(path) for item in _objects(document, name)]
    for item in found:
        if "username" in item:
            _member(export, item)
    for item in found:
        if "timezone" in item and ("rotations" in item or {"name", "enabled"} <= item.keys()):
            _schedule(export, item)
    for item in found:
        if _is_escalation(item):
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
    elif wrapped := next((name for name in WRAPPED if _wraps(document, name)), ""):
        more = document.get(WRAPPED[wrapped])
        yield document[wrapped] | ({BELONGS[wrapped]: more} if more else {})
    elif WHOLE & document.keys() or not LISTS & document.keys():
        yield document
    else:
        for key in sorted(document.keys() & LISTS):
            yield from _objects(document[key], name)


def _is_escalation(item: Json) -> bool:
    rules = item.get("rules")
    return isinstance(rules, list) and all(isinstance(rule, dict) and "recipient" in rule for rule in rules)


def _wraps(document: Json, name: str) -> bool:
    return isinstance(document.get(name), dict) and not {"id", "alias", "rules"} & document.keys()


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
    if user.get("blocked") is True:
        why = "is blocked there, so nobody was notified in their shifts; here they are paged: take them out"
        export.note(Verdict.APPROXIMATED, where, why)
    export.note(Verdict.KEPT, where, "" if phone or not numbers else "without a usable phone number")
    if user.get("notificationRules"):
        why = "the order and delays of their notifications are those of `notify`"
        export.note(Verdict.APPROXIMATED, f"{where}: notification rules", why)


def _schedule(export: Export, data: Json) -> None:
    name = reading.text(data, "name")
    where = f"schedule {name}"
    if data.get("enabled") is False:
        export.note(Verdict.DROPPED, where, "it is switched off")
        return
    if "rotations" not in data:
        why = "it stands here without its rotations: ask the API for them, `GET /v2/schedules?expand=rotation`"
        export.note(Verdict.DROPPED, where, why)
        return
    zone = reading.zone(reading.text(data, "timezone"), where)
    layers = []
    for n, rotation in enumerate(reading.items(data["rotations"], f"{where}: rotations"), start=1):
        label = reading.text(rotation, "name") or str(n)
        if rotation.get("enabled") is False:
            export.note(Verdict.DROPPED, f"{where}, rotation {label}", "it is switched off")
        else:
            layers.append(_layer(export, rotation, zone, f"{where}, rotation {label}", label))
    id = reading.text(data, "id") or name
    export.schedules[id] = Schedule(id, name, zone, tuple(layer for layer in layers if layer))
    export.note(Verdict.KEPT, where)
    for override in reading.items(data.get("overrides"), f"{where}: overrides"):
        _override(export, {**override, "_parent": {"id": id}})


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
    id, every = reading.text(rotation, "id") or name, length * LENGTHS[kind]
    return SourceLayer(name, places, start, every, zone, begins=start, ends=ends, hours=hours, id=id)


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
            yield from (WeeklyHours(day, _time(starts), (ends - starts) % DAY or DAY) for day in WEEKDAYS)
        return
    for entry in reading.items(data.get("restrictions"), f"{where}: restrictions"):
        first, last = (weekday(reading.text(entry, name)) for name in ("startDay", "endDay"))
        if first is None or last is None:
            raise ImportFault(f"{where}: a restriction names no weekday")
        starts, ends = _clock(entry, "start", where), _clock(entry, "end", where)
        length = ((last - first) % 7) * DAY + ends - starts
        yield WeeklyHours(first, _time(starts), length if length > timedelta(0) else length + 7 * DAY)


def _clock(data: Any, name: str, where: str) -> timedelta:
    """Return a time of day as the time since midnight; 24:00 is the end of a day."""
    if not isinstance(data, dict):
        raise ImportFault(f"{where}: a restriction has no hours")
    hour, minute = reading.number(data, f"{name}Hour", where), reading.number(data, f"{name}Min", where)
    if not (0 <= hour < 24 and 0 <= minute < 60) and (name, hour, minute) != ("end", 24, 0):
        raise ImportFault(f"{where}: {hour}:{minute:02d} is no time of day")
    return timedelta(hours=hour, minutes=minute)


def _time(since_midnight: timedelta) -> time:
    return (datetime(1, 1, 1, tzinfo=UTC) + since_midnight).time()


def _override(export: Export, data: Json) -> None:
    where = f"override {reading.text(data, 'alias')}"
    parent = data.get("_parent") or data.get("_parentEntity") or data.get("schedule") or {}
    named = reading.text(parent, "id", "name")
    schedule = next((s for s in export.schedules.values() if named in (s.id, s.name)), None)
    user = data["user"] if isinstance(data["user"], dict) else {"type": str(data["user"])}
    member = export.members.get(reading.text(user, "id")) or export.members.get(reading.text(user, "username"))
    starts, ends = (reading.instant(data.get(name), f"{where}: {name}") for name in ("startDate", "endDate"))
    nobody = reading.text(user, "type") == "none"
    if schedule is None or not (member or nobody) or not starts or not ends:
        export.note(Verdict.DROPPED, where, "its schedule, its person or its time is missing")
        return
    named_rotations = [reading.text(r, "id", "name") for r in reading.items(data.get("rotations"), where)]
    layers = frozenset(layer.id for layer in schedule.layers if {layer.id, layer.name} & set(named_rotations))
    if named_rotations and not layers:
        export.note(Verdict.DROPPED, where, "its rotations are not in the export")
        return
    override = Override((member.id,) if member else (), starts, ends, layers)
    if any(o.starts < ends and starts < o.ends for o in schedule.overrides):
        why = "it overlaps another one; Opsgenie does not say which of them counts: here both are on call"
        export.note(Verdict.APPROXIMATED, where, why)
    export.schedules[schedule.id] = replace(schedule, overrides=(*schedule.overrides, override))
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
    delay = delay if isinstance(delay, dict) else {}
    unit = reading.text(delay, "timeUnit").lower() or "minutes"
    if unit not in MINUTES:
        raise ImportFault(f"{where}: its delay is in '{unit}'; there are {', '.join(MINUTES)}")
    after = timedelta(minutes=reading.number(delay, "timeAmount", where) * MINUTES[unit])
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
