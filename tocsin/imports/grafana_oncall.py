"""Exports of Grafana OnCall's API (`/api/v1/`): users, schedules, on-call shifts, escalation chains and policies.

https://grafana.com/docs/oncall/latest/oncall-api-reference/. One object with all of them, or a file for each, as the
API answered: `{"results": […]}` in a file that is called after what it holds (users.json, on_call_shifts.json).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from typing import Any
from zoneinfo import ZoneInfo

from tocsin.imports import reading
from tocsin.imports.model import Escalation, Export, ImportFault, Member, Repeated, Schedule, Span, Step, Verdict
from tocsin.imports.reading import Json
from tocsin.imports.recurrence import DAYS, checked_rule, ending, layers, occurrences, problems

SOURCE = "Grafana OnCall"
PARTS = ("users", "schedules", "on_call_shifts", "escalation_chains", "escalation_policies", "final_shifts")
OVERRIDES = 99  # the level of what was overridden by hand: above each level of a shift, which are 0 to 99
NOT_HERE = {
    "notify_whole_channel": "a page goes to people; the incidents channel sees every incident",
    "notify_user_group": "put the user group behind a role: `roles: {NAME: S012ABC}`",
    "notify_team_members": "put the team's members behind a role",
    "notify_if_time_from_to": "a policy has business time instead; see docs/writing-a-policy.md",
    "trigger_webhook": "see `actions`",
    "resolve": "people resolve; an alert's route may say `when_resolved: resolve`",
    "declare_incident": "each alert that is routed declares one",
}


def read(path: Path) -> Export:
    """Read an export. Raises ImportFault."""
    export = Export(SOURCE)
    parts = _parts(path)
    if not (parts["users"] or parts["schedules"]):
        raise ImportFault(f"{path} has neither users nor schedules of Grafana OnCall")
    for user in parts["users"]:
        _member(export, user)
    shifts = {reading.text(shift, "id"): shift for shift in parts["on_call_shifts"]}
    for schedule in parts["schedules"]:
        _schedule(export, schedule, shifts)
    for shift in parts["final_shifts"]:
        _rendered(export, shift)
    _escalations(export, parts["escalation_chains"], parts["escalation_policies"])
    return export


def _parts(path: Path) -> dict[str, list[Json]]:
    parts: dict[str, list[Json]] = {part: [] for part in PARTS}
    for name, document in reading.documents(path):
        if not isinstance(document, dict):
            raise ImportFault(
                f'{name} is no answer of Grafana OnCall\'s API, which is an object like {{"results": […]}}'
            )
        if "results" in document:
            part = PurePath(name).stem
            if part not in PARTS:
                raise ImportFault(f"{name}: call the file after what it holds: {', '.join(f'{p}.json' for p in PARTS)}")
            document = {part: document["results"]}
        for part in PARTS:
            found = document.get(part)
            found = found.get("results") if isinstance(found, dict) else found
            parts[part] += reading.items(found, f"{name}: {part}")
    return parts


def _member(export: Export, user: Json) -> None:
    slack = user.get("slack")
    slack = reading.text(slack[0] if isinstance(slack, list) and slack else slack or {}, "user_id")
    key, name = reading.text(user, "id"), reading.text(user, "name", "username")
    export.members[key] = Member(key, name, reading.text(user, "email"), slack=slack)
    export.note(Verdict.KEPT, f"person {name}", "its API exports no telephone numbers: add `phone`")


def _schedule(export: Export, data: Json, shifts: dict[str, Json]) -> None:
    key, name = reading.text(data, "id"), reading.text(data, "name")
    where = f"schedule {name}"
    kind = reading.text(data, "type")
    if kind == "ical":
        url = reading.text(data, "ical_url_primary")
        export.note(Verdict.DROPPED, where, f"it is a calendar: give a rotation `ical: {url or 'https://…'}`")
        return
    if url := reading.text(data, "ical_url_overrides"):
        export.note(Verdict.DROPPED, f"{where}: overrides of {url}", "enter those to come with /incident override")
    zone = reading.zone(reading.text(data, "time_zone"), where)
    found: list[Repeated] = []
    for reference in data.get("shifts") or []:
        if (shift := shifts.get(str(reference))) is None:
            export.note(Verdict.DROPPED, f"{where}: shift {reference}", "the export has no such shift")
        else:
            found += _shift(export, shift, zone, where, kind == "web")
    planned = tuple(layer for shift in found for layer in layers(shift))
    export.schedules[key] = Schedule(key, name, zone, planned, shifts=tuple(found))
    export.note(Verdict.KEPT, where)


def _shift(export: Export, data: Json, zone: str, where: str, web: bool) -> Iterator[Repeated]:
    name = reading.text(data, "name") or reading.text(data, "id")
    where, kind = f"{where}, shift {name}", reading.text(data, "type")
    # Web schedules store their shifts in UTC; the others in their own zone, else the schedule's.
    zone = reading.zone(reading.text(data, "time_zone") or zone, where)
    starts = reading.needed(reading.instant(data.get("start"), f"{where}: start", zone), f"{where}: start")
    length = reading.seconds(data, "duration", where)
    rolling = kind == "rolling_users"
    groups = data.get("rolling_users") if rolling else [data.get("users")]
    places = tuple(_people(export, group, where) for group in groups or [])
    if not any(places):
        export.note(Verdict.DROPPED, where, "nobody is in it")
        return
    first = reading.number(data, "start_rotation_from_user_index", where) % len(places)
    level = OVERRIDES if kind == "override" else reading.number(data, "level", where)
    rule, each = _rule(data, where) if kind in ("recurrent_event", "rolling_users") else {}, 1
    if rolling:
        each, rule = (int(rule["INTERVAL"]), rule | {"INTERVAL": "1"}) if _by_days(rule) else (0, rule)
        starts = _first_named(starts, rule, zone)
    local_end = starts.astimezone(ZoneInfo(zone)).replace(tzinfo=None) + length
    ends = local_end.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    id = reading.text(data, "id")
    shift = Repeated(name, starts, ends, zone, rule, places[first:] + places[:first], each, level, id=id)
    if not layers(shift):
        why = f"a layer cannot say {rule.get('FREQ', '').lower()} shifts of this length"
        export.note(Verdict.DROPPED, where, why)
        return
    for problem in problems(shift):
        export.note(Verdict.APPROXIMATED, where, problem)
    yield _limited(shift, data, where, web)


def _by_days(rule: dict[str, str]) -> bool:
    """Check for turns that pass on the days of the week that are named, each `interval` of them."""
    return rule["FREQ"] == "DAILY" and "BYDAY" in rule


def _first_named(starts: datetime, rule: dict[str, str], zone: str) -> datetime:
    """Return the start of the first turn: it begins on the first of its days in a week, if not on one of them."""
    local = starts.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    days = {DAYS.index(day) for day in rule.get("BYDAY", "").split(",") if day}
    if not days or local.weekday() in days:
        return starts
    first = DAYS.index(rule["WKST"])
    later = (min(days, key=lambda day: (day - first) % 7) - local.weekday()) % 7
    return (local + timedelta(days=later)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _limited(shift: Repeated, data: Json, where: str, web: bool) -> Repeated:
    """Return a shift from its `rotation_start` on, and `until` its end, which is in UTC.

    A shift made on the web is cut at both; one of the API is whole when it begins between them.
    """
    since = reading.instant(data.get("rotation_start"), f"{where}: rotation_start", shift.zone)
    until = reading.instant(data.get("until"), f"{where}: until")
    if shift.rule and not web:
        if since and since > shift.starts:
            whole = (span.starts for span in occurrences(shift, since + timedelta(weeks=60)) if span.starts >= since)
            since = next(whole, since)
        until = ending(shift, until)
    return replace(shift, begins=since, until=until, whole=not web) if shift.rule else shift


def _rule(data: Json, where: str) -> dict[str, str]:
    rule = {"FREQ": reading.text(data, "frequency").upper(), "WKST": reading.text(data, "week_start").upper() or "SU"}
    if rule["WKST"] not in DAYS:
        raise ImportFault(f"{where}: week_start is '{data['week_start']}', which is no day like MO")
    rule["INTERVAL"] = str(max(1, reading.number(data, "interval", where, default=1)))
    days = data.get("by_day") or []
    if not isinstance(days, list) or any(day not in DAYS for day in days):
        raise ImportFault(f"{where}: by_day is {days}, which are no days like MO")
    lists = {"BYDAY": days, "BYMONTH": data.get("by_month") or [], "BYMONTHDAY": data.get("by_monthday") or []}
    try:
        named = {name: ",".join(map(str, values)) for name, values in lists.items() if values}
    except TypeError:
        raise ImportFault(f"{where}: by_month and by_monthday are lists") from None
    return checked_rule(rule | named, where)


def _people(export: Export, group: Any, where: str) -> tuple[str, ...]:
    keys = [str(key) for key in group] if isinstance(group, list) else []
    for missing in (key for key in keys if key not in export.members):
        export.note(Verdict.DROPPED, f"{where}: user {missing}", "the export has no such user; their shifts are empty")
    return tuple(key for key in keys if key in export.members)


def _rendered(export: Export, data: Json) -> None:
    """A shift of `/schedules/{id}/final_shifts`: the export adds `schedule_id` to each."""
    key, person = reading.text(data, "schedule_id"), reading.text(data, "user_pk")
    starts, ends = (
        reading.instant(data.get(f"shift_{edge}"), f"final_shifts: shift_{edge}") for edge in ("start", "end")
    )
    if key in export.schedules and starts and ends:
        schedule = export.schedules[key]
        export.schedules[key] = replace(schedule, rendered=(*schedule.rendered, Span((person,), starts, ends)))


def _escalations(export: Export, chains: list[Json], policies: list[Json]) -> None:
    names = {reading.text(chain, "id"): reading.text(chain, "name") for chain in chains}
    by_chain: dict[str, list[Json]] = defaultdict(list)
    for policy in policies:
        by_chain[reading.text(policy, "escalation_chain_id")].append(policy)
    for key, steps in by_chain.items():
        name = names.get(key) or key
        ordered = sorted(steps, key=lambda step: reading.number(step, "position", name))
        export.escalations[key] = Escalation(key, name, tuple(_steps(export, ordered, f"escalation chain {name}")))


def _steps(export: Export, policies: list[Json], where: str) -> Iterator[Step]:
    after = timedelta(0)
    for n, policy in enumerate(policies, start=1):
        kind, place = reading.text(policy, "type"), f"{where}, step {n}"
        if kind == "wait":
            after += reading.seconds(policy, "duration", place)
        elif kind in ("notify_persons", "notify_person_next_each_time"):
            if kind == "notify_person_next_each_time":
                export.note(Verdict.APPROXIMATED, place, "one after the other there; here all of them are paged")
            field = "persons_to_notify" + ("" if kind == "notify_persons" else "_next_each_time")
            if people := _people(export, policy.get(field), place):
                yield Step(after, people=people)
        elif kind == "notify_on_call_from_schedule":
            schedule = reading.text(policy, "notify_on_call_from_schedule")
            if schedule in export.schedules:
                yield Step(after, schedules=(schedule,))
            else:
                export.note(Verdict.DROPPED, place, f"schedule {schedule} is not here")
        else:
            export.note(Verdict.DROPPED, f"{place} ({kind})", NOT_HERE.get(kind, "it has no counterpart"))
