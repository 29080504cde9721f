"""Exports of PagerDuty's REST API: users, schedules of both models, overrides, escalation policies, services.

https://developer.pagerduty.com/api-reference. One file or several, each as the API answered (`{"users": […]}`), or one
object with all of them.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

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
from tocsin.imports.recurrence import Repeated, layers, parse_rule, problems, until_of

SOURCE = "PagerDuty"
DAY = timedelta(days=1)
PARTS = ("users", "schedules", "overrides", "escalation_policies", "services")


def read(path: Path) -> Export:
    """Read an export. Raises ImportFault."""
    export = Export(SOURCE)
    parts: dict[str, list[Json]] = {part: [] for part in PARTS}
    for name, document in reading.documents(path):
        if not isinstance(document, dict):
            raise ImportFault(
                f'{name} is no answer of PagerDuty\'s API: it begins with an object like {{"users": […]}}'
            )
        for part in PARTS:
            parts[part] += reading.items(document.get(part), f"{name}: {part}")
        if isinstance(document.get("schedule"), dict):
            parts["schedules"].append(document["schedule"])
    if not (parts["users"] or parts["schedules"]):
        raise ImportFault(f"{path} has neither users nor schedules of PagerDuty")
    for user in parts["users"]:
        _member(export, user)
    for schedule in parts["schedules"]:
        _schedule(export, schedule)
    for override in parts["overrides"]:
        _override(export, override)
    for policy in parts["escalation_policies"]:
        _escalation(export, policy)
    export.services = tuple(reading.text(service, "name", "summary") for service in parts["services"])
    return export


def _member(export: Export, user: Json) -> None:
    name, phone = reading.text(user, "name", "summary"), ""
    for method in reading.items(user.get("contact_methods"), f"person {name}: contact_methods"):
        kind, address = reading.text(method, "type"), reading.text(method, "address")
        if kind.startswith(("phone_contact", "sms_contact")) and not method.get("blacklisted"):
            phone = phone or reading.phone(f"+{reading.text(method, 'country_code') or '1'}{address}")
        elif kind.startswith(("push_notification", "whatsapp")):
            what = f"person {name}: {kind.partition('_contact')[0]}"
            export.note(Verdict.DROPPED, what, "set `pushover` or `ntfy` instead")
    member = Member(reading.text(user, "id"), name, reading.text(user, "email"), phone)
    export.members[member.id] = member
    export.note(Verdict.KEPT, f"person {name}")
    if user.get("notification_rules"):
        why = "the order and delays of their notifications are those of `notify`"
        export.note(Verdict.APPROXIMATED, f"person {name}: notification rules", why)


def _people(export: Export, references: Iterator[Json], where: str) -> Iterator[tuple[str, ...]]:
    """Yield each place in turn; somebody deleted leaves an empty one, so that the turns of the others stay."""
    for reference in references:
        key = reading.text(reference, "id", "user_id")
        if key in export.members:
            yield (key,)
        else:
            if reading.text(reference, "type") != "empty_member":
                why = "the export has no such user; their shifts are empty"
                export.note(Verdict.DROPPED, f"{where}: {reading.text(reference, 'summary') or key or 'somebody'}", why)
            yield ()


def _schedule(export: Export, data: Json) -> None:
    name, key = reading.text(data, "name", "summary"), reading.text(data, "id")
    where = f"schedule {name}"
    zone = reading.zone(reading.text(data, "time_zone"), where)
    if "rotations" in data:
        planned = tuple(_shift_based(export, data, zone, where))
    else:
        found = reading.items(data.get("schedule_layers"), f"{where}: schedule_layers")
        # The API's first is the one on top: https://support.pagerduty.com/main/docs/schedule-basics
        numbered = zip(range(len(found), 0, -1), found, strict=True)
        planned = tuple(layer for level, entry in numbered if (layer := _layer(export, entry, level, zone, where)))
    schedule = Schedule(key, name, zone, planned, rendered=tuple(_rendered(data, where)))
    export.schedules[key] = schedule
    export.note(Verdict.KEPT, where)
    for override in reading.items(data.get("overrides"), f"{where}: overrides"):
        _override(export, {**override, "schedule": {"id": key}})


def _layer(export: Export, data: Json, level: int, zone: str, where: str) -> SourceLayer | None:
    name = reading.text(data, "name") or str(level)
    where = f"{where}, layer {name}"
    ends = reading.instant(data.get("end"), f"{where}: end")
    users = (u["user"] if isinstance(u.get("user"), dict) else u for u in reading.items(data.get("users"), where))
    places = tuple(_people(export, users, where))
    if not any(places):
        export.note(Verdict.DROPPED, where, "nobody is in it")
        return None
    begins = reading.needed(reading.instant(data.get("start"), f"{where}: start"), f"{where}: start")
    start = reading.instant(data.get("rotation_virtual_start"), f"{where}: rotation_virtual_start") or begins
    every = reading.seconds(data, "rotation_turn_length_seconds", where)
    hours = tuple(_restrictions(data, where))
    return SourceLayer(name, places, start, every, zone, begins, ends, hours, level)


def _restrictions(data: Json, where: str) -> Iterator[WeeklyHours]:
    for entry in reading.items(data.get("restrictions"), f"{where}: restrictions"):
        starts = reading.clock(entry.get("start_time_of_day"), f"{where}: start_time_of_day")
        length = reading.seconds(entry, "duration_seconds", where)
        if reading.text(entry, "type") == "weekly_restriction":
            day = reading.number(entry, "start_day_of_week", where)
            if not 1 <= day <= 7:
                raise ImportFault(f"{where}: start_day_of_week is {day}; Monday is 1, Sunday 7")
            yield WeeklyHours(day - 1, starts, length)
        else:
            yield from (WeeklyHours(day, starts, length) for day in WEEKDAYS)


def _shift_based(export: Export, data: Json, zone: str, where: str) -> Iterator[SourceLayer]:
    """The schedules of 2026: rotations of events, each repeated by a recurrence rule."""
    for rotation in reading.items(data.get("rotations"), f"{where}: rotations"):
        for event in reading.items(rotation.get("events"), f"{where}: events"):
            yield from _event(export, event, zone, f"{where}, event {reading.text(event, 'name')}")
    for shift in reading.items(data.get("custom_shifts"), f"{where}: custom_shifts"):
        yield from _event(export, {**shift, "recurrence": []}, zone, f"{where}, custom shift")


def _event(export: Export, event: Json, zone: str, where: str) -> Iterator[SourceLayer]:
    starts, ends = (_moment(event.get(name), zone, f"{where}: {name}") for name in ("start_time", "end_time"))
    own_zone = reading.text(event["start_time"], "time_zone") if isinstance(event.get("start_time"), dict) else ""
    strategy = event.get("assignment_strategy")
    strategy = strategy if isinstance(strategy, dict) else {}
    members = reading.items(strategy.get("members") or event.get("members"), where)
    places = tuple(_people(export, iter(members), where))
    if "every_member" in reading.text(strategy, "type"):
        places = (tuple(person for place in places for person in place),)
    limits = [reading.instant(event.get(name), f"{where}: {name}") for name in ("effective_since", "effective_until")]
    rules = [str(line) for line in event.get("recurrence") or []]
    rule = next((parse_rule(line, where) for line in rules if line.startswith("RRULE")), {})
    if not any(places):
        export.note(Verdict.DROPPED, where, "nobody is in it")
        return
    each = max(1, reading.number(strategy, "shifts_per_member", where, default=1))
    until = min((at for at in (limits[1], until_of(rule, where)) if at), default=None)
    shift_zone = reading.zone(own_zone or zone, where)
    shift = Repeated(reading.text(event, "name"), starts, ends, shift_zone, rule, places, each, 0, limits[0], until)
    found = layers(shift)
    if len(rules) > 1:
        export.note(Verdict.APPROXIMATED, where, "single dates that are left out or added (EXDATE, RDATE) are not kept")
    for problem in problems(shift):
        export.note(Verdict.APPROXIMATED, where, problem)
    if not found:
        export.note(Verdict.DROPPED, where, f"a layer cannot say {';'.join(rules)} of this length")
    yield from found


def _moment(value: Any, zone: str, where: str) -> datetime:
    if isinstance(value, dict):
        zone = reading.zone(reading.text(value, "time_zone") or zone, where)
        value = value.get("date_time")
    return reading.needed(reading.instant(value, where, zone), where)


def _rendered(data: Json, where: str) -> Iterator[Span]:
    final = data.get("final_schedule")
    entries = final.get("rendered_schedule_entries") or final.get("entries") if isinstance(final, dict) else None
    for entry in reading.items(entries, f"{where}: final_schedule"):
        user = entry.get("user") if isinstance(entry.get("user"), dict) else {}
        starts, ends = (reading.instant(entry.get(name), f"{where}: final_schedule") for name in ("start", "end"))
        if starts and ends:
            yield Span((reading.text(user or {}, "id"),), starts, ends)


def _override(export: Export, data: Json) -> None:
    of = data.get("schedule") if isinstance(data.get("schedule"), dict) else {}
    key, where = reading.text(of or {}, "id"), f"override {reading.text(data, 'id')}"
    user = data.get("user") if isinstance(data.get("user"), dict) else {}
    person = reading.text(user or {}, "id")
    starts, ends = (reading.instant(data.get(name), f"{where}: {name}") for name in ("start", "end"))
    if key not in export.schedules or person not in export.members or not starts or not ends:
        export.note(Verdict.DROPPED, where, "its schedule, its person or its time is missing")
        return
    schedule = export.schedules[key]
    export.schedules[key] = replace(schedule, overrides=(*schedule.overrides, Span((person,), starts, ends)))
    export.note(Verdict.KEPT, where)


def _escalation(export: Export, data: Json) -> None:
    name = reading.text(data, "name", "summary")
    after, steps = timedelta(0), []
    for n, rule in enumerate(reading.items(data.get("escalation_rules"), f"escalation policy {name}"), start=1):
        where = f"escalation policy {name}, rule {n}"
        targets = reading.items(rule.get("targets"), where)
        people = tuple(k for t in targets if (k := reading.text(t, "id")) in export.members)
        schedules = tuple(k for t in targets if (k := reading.text(t, "id")) in export.schedules)
        if missing := len(targets) - len(people) - len(schedules):
            export.note(Verdict.DROPPED, where, f"{missing} of its targets are not in the export")
        if "round_robin" in str(rule.get("escalation_rule_assignment_strategy")):
            export.note(Verdict.APPROXIMATED, where, "round robin there; here everybody of the rule is paged")
        steps += [Step(after, people, schedules)] if people or schedules else []
        after += timedelta(minutes=reading.number(rule, "escalation_delay_in_minutes", where, default=30))
    key = reading.text(data, "id") or name
    export.escalations[key] = Escalation(key, name, tuple(steps), reading.number(data, "num_loops", name), after)
