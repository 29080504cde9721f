"""Exports of PagerDuty's REST API: users, schedules of both models, overrides, escalation policies, services.

https://developer.pagerduty.com/api-reference. One file or several, each as the API answered (`{"users": […]}`), or one
object with all of them.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tocsin.imports import reading
from tocsin.imports.model import (
    WEEKDAYS,
    Escalation,
    Export,
    ImportFault,
    Member,
    Override,
    Repeated,
    Schedule,
    SourceLayer,
    Span,
    Step,
    Verdict,
    WeeklyHours,
)
from tocsin.imports.reading import Json
from tocsin.imports.recurrence import ending, layers, parse_dates, parse_rule, problems, until_of

SOURCE = "PagerDuty"
DAY = timedelta(days=1)
LAYERED = {"schedule_layers", "rotations"}  # a list of schedules has neither
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
            found = reading.items(document.get(part), f"{name}: {part}")
            parts[part] += [{"file": name, **entry} for entry in found] if part == "overrides" else found
        if isinstance(document.get("schedule"), dict):
            parts["schedules"].append(document["schedule"])
    if not (parts["users"] or parts["schedules"]):
        raise ImportFault(f"{path} has neither users nor schedules of PagerDuty")
    for user in parts["users"]:
        _member(export, user)
    whole = {reading.text(schedule, "id") for schedule in parts["schedules"] if LAYERED & schedule.keys()}
    for schedule in parts["schedules"]:
        if LAYERED & schedule.keys() or reading.text(schedule, "id") not in whole:
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
    if not LAYERED & data.keys():
        why = "it stands here without its layers or rotations: ask the API for it by its id"
        export.note(Verdict.DROPPED, where, why)
        return
    zone = reading.zone(reading.text(data, "time_zone"), where)
    shifts: tuple[Repeated, ...] = ()
    if "rotations" in data:
        shifts = tuple(_shift_based(export, data, zone, where))
        planned = tuple(layer for shift in shifts for layer in layers(shift))
    else:
        found = reading.items(data.get("schedule_layers"), f"{where}: schedule_layers")
        # The API's first is the one on top: https://support.pagerduty.com/main/docs/schedule-basics
        numbered = zip(range(len(found), 0, -1), found, strict=True)
        planned = tuple(layer for level, entry in numbered if (layer := _layer(export, entry, level, zone, where)))
    schedule = Schedule(key, name, zone, planned, rendered=tuple(_rendered(data, where)), shifts=shifts)
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


def _shift_based(export: Export, data: Json, zone: str, where: str) -> Iterator[Repeated]:
    """The schedules of 2026: rotations of events, each repeated by a recurrence rule; and single custom shifts."""
    for rotation in reading.items(data.get("rotations"), f"{where}: rotations"):
        for event in reading.items(rotation.get("events"), f"{where}: events"):
            named = reading.text(event, "name") or reading.text(rotation, "name")
            yield from _event(export, event, zone, f"{where}, event {named}", not data.get("final_schedule"))
    for shift in reading.items(data.get("custom_shifts"), f"{where}: custom_shifts"):
        place = f"{where}, custom shift {reading.text(shift, 'id')}".rstrip()
        given = reading.items(shift.get("assignments"), place)
        members = [member for each in given if isinstance(member := each.get("member"), dict)]
        everybody = {"type": "every_member_assignment_strategy", "members": members or shift.get("members")}
        yield from _event(export, {**shift, "recurrence": [], "assignment_strategy": everybody}, zone, place, False)


def _event(export: Export, event: Json, zone: str, where: str, unproven: bool) -> Iterator[Repeated]:
    starts, ends = (_moment(event.get(name), zone, f"{where}: {name}") for name in ("start_time", "end_time"))
    own_zone = reading.text(event["start_time"], "time_zone") if isinstance(event.get("start_time"), dict) else ""
    zone = reading.zone(own_zone or zone, where)
    strategy = event.get("assignment_strategy")
    strategy = strategy if isinstance(strategy, dict) else {}
    members = reading.items(strategy.get("members") or event.get("members"), where)
    places = tuple(_people(export, iter(members), where))
    if "every_member" in reading.text(strategy, "type"):
        places = (tuple(person for place in places for person in place),)
    if not any(places):
        export.note(Verdict.DROPPED, where, "nobody is in it")
        return
    since, until = (reading.instant(event.get(f"effective_{n}"), f"{where}: effective_{n}") for n in ("since", "until"))
    given = event.get("recurrence") or []
    rules = [str(line) for line in (given if isinstance(given, list) else [given])]
    rule = next((parse_rule(line, where) for line in rules if line.startswith("RRULE")), {})
    each, name = max(1, reading.number(strategy, "shifts_per_member", where, default=1)), reading.text(event, "name")
    shift = Repeated(name, starts, ends, zone, rule, places, each, begins=since, id=reading.text(event, "id") or where)
    if not layers(shift):
        export.note(Verdict.DROPPED, where, f"a layer cannot say {';'.join(rules)} of this length")
        return
    last = ending(shift, until_of(rule, where, zone), int(rule.get("COUNT", "0")))
    left_out = [at for line in rules if line.startswith("EXDATE") for at in parse_dates(line, where, zone)]
    local = tuple(at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for at in left_out)
    shift = replace(shift, until=min((at for at in (until, last) if at), default=None), left_out=local)
    for problem in (*problems(shift), *_doubts(shift, rules, unproven)):
        export.note(Verdict.APPROXIMATED, where, problem)
    yield shift


def _doubts(shift: Repeated, rules: list[str], unproven: bool) -> Iterator[str]:
    """What PagerDuty's documentation leaves open, and what cannot be kept."""
    if any(line.startswith("RDATE") for line in rules):
        yield "single dates that are added (RDATE) are not kept"
    if len(shift.places) > 1 and shift.left_out:
        yield "a date that is left out (EXDATE) uses up its turn here; compare the turns after it"
    if len(shift.places) > 1 and unproven and shift.begins and shift.begins > shift.starts:
        yield "its turns are counted from start_time, not from effective_since; with final_schedule that is compared"


def _moment(value: Any, zone: str, where: str) -> datetime:
    if isinstance(value, dict):
        zone = reading.zone(reading.text(value, "time_zone") or zone, where)
        value = value.get("date_time")
    return reading.needed(reading.instant(value, where, zone), where)


def _rendered(data: Json, where: str) -> Iterator[Span]:
    final = data.get("final_schedule")
    final = final if isinstance(final, dict) else {}
    lists = ("rendered_schedule_entries", "computed_shift_assignments", "entries")  # of both models
    entries = next((final[name] for name in lists if final.get(name)), None)
    for entry in reading.items(entries, f"{where}: final_schedule"):
        user: Json = next((entry[name] for name in ("user", "member") if isinstance(entry.get(name), dict)), {})
        starts, ends = (
            reading.instant(entry.get(name) or entry.get(f"{name}_time"), f"{where}: final_schedule")
            for name in ("start", "end")
        )
        if starts and ends:
            yield Span(tuple(filter(None, [reading.text(user, "id", "user_id")])), starts, ends)


def _override(export: Export, data: Json) -> None:
    of = data.get("schedule") if isinstance(data.get("schedule"), dict) else {}
    named = (key for key in export.schedules if key in reading.text(data, "file"))  # the API's answer names none
    key, where = reading.text(of or {}, "id") or next(named, ""), f"override {reading.text(data, 'id')}"
    starts, ends = (
        reading.instant(data.get(name) or data.get(f"{name}_time"), f"{where}: {name}") for name in ("start", "end")
    )
    there, here = (
        data[name] if isinstance(data.get(name), dict) else {} for name in ("overridden_member", "overriding_member")
    )
    user = data["user"] if isinstance(data.get("user"), dict) else here
    person, replaced = reading.text(user, "id", "user_id"), reading.text(there, "id", "user_id")
    empty = not person and reading.text(here, "type") == "empty_member"
    if key not in export.schedules or not (person in export.members or empty) or not starts or not ends:
        export.note(Verdict.DROPPED, where, "its schedule, its person or its time is missing")
        return
    if there and replaced not in export.members:
        export.note(Verdict.DROPPED, where, "whom it replaces is not in the export")
        return
    schedule = export.schedules[key]
    overlaps = any(o.whole and o.starts < ends and starts < o.ends for o in schedule.overrides)
    if overlaps and not replaced:
        why = "it overlaps another one; the one made last counts there, here the one that stands later in the export"
        export.note(Verdict.APPROXIMATED, where, why)
    people, rank = (() if empty else (person,)), len(schedule.overrides) if not replaced else 0
    override = Override(people, starts, ends, instead_of=replaced, rank=rank)
    export.schedules[key] = replace(schedule, overrides=(*schedule.overrides, override))
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
