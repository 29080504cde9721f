"""Who is on call by an export, reckoned from its raw JSON as its vendor documents it: nothing of the importers is used.

Recurrences are expanded by dateutil, as Grafana OnCall does it: https://github.com/grafana/oncall,
engine/apps/schedules/models/custom_on_call_shift.py (`convert_to_ical`).
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr  # type: ignore[import-untyped]  # its stubs are a package of their own

Json = dict[str, Any]
Held = tuple[datetime, datetime, frozenset[str]]  # from, until, and who
OnCall = Callable[[datetime], frozenset[str]]
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY = timedelta(days=1)


def _utc(text: str, zone: str = "UTC") -> datetime:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def _wall(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def _real(wall: datetime, zone: str) -> datetime:
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def opsgenie(schedule: Json) -> OnCall:
    """All rotations are on call together; an override replaces those it names, or all."""
    zone = schedule["timezone"]

    def at(instant: datetime) -> frozenset[str]:
        active = [o for o in schedule.get("overrides", []) if _utc(o["startDate"]) <= instant < _utc(o["endDate"])]
        for override in active:
            if not override.get("rotations"):
                return frozenset([override["user"]["id"]] if override["user"]["type"] == "user" else [])
        found = {o["user"]["id"] for o in active if o["user"]["type"] == "user"}
        silent = {r["id"] for o in active for r in o["rotations"]}
        return frozenset(found).union(
            *(_rotation(r, zone, instant) for r in schedule["rotations"] if r["id"] not in silent)
        )

    return at


def _rotation(rotation: Json, zone: str, instant: datetime) -> set[str]:
    start, wall = _utc(rotation["startDate"]), _wall(instant, zone)
    if instant < start or (rotation.get("endDate") and instant >= _utc(rotation["endDate"])):
        return set()
    rule = rotation.get("timeRestriction")
    if rule and not any(begin <= _minute(wall) < end for begin, end in _weekly_minutes(rule)):
        return set()
    unit = {"hourly": timedelta(hours=1), "daily": DAY, "weekly": 7 * DAY}[rotation["type"]]
    turn = (wall - _wall(start, zone)) // (unit * rotation.get("length", 1))
    taker = rotation["participants"][turn % len(rotation["participants"])]
    return {taker["id"]} if taker["type"] == "user" else set()


def _minute(wall: datetime) -> float:
    return (wall.weekday() * 24 + wall.hour) * 60 + wall.minute + wall.second / 60


def _weekly_minutes(rule: Json) -> Iterator[tuple[float, float]]:
    """Minutes of a week, those of the week before and after included."""
    if rule["type"] == "time-of-day":
        one = rule["restriction"]
        days = [(d, one["startHour"], one["startMin"], d, one["endHour"], one["endMin"]) for d in range(7)]
    else:
        days = [
            (
                WEEKDAYS.index(r["startDay"]),
                r["startHour"],
                r["startMin"],
                WEEKDAYS.index(r["endDay"]),
                r["endHour"],
                r["endMin"],
            )
            for r in rule["restrictions"]
        ]
    for first, hour, minute, last, to_hour, to_minute in days:
        begin, end = (first * 24 + hour) * 60 + minute, (last * 24 + to_hour) * 60 + to_minute
        if end <= begin:
            end += 24 * 60 if rule["type"] == "time-of-day" else 7 * 24 * 60
        for week in (-1, 0, 1):
            yield begin + week * 7 * 24 * 60, end + week * 7 * 24 * 60


def legacy(schedule: Json) -> OnCall:
    """PagerDuty: one person at a time; the later override first, then the layer that stands first."""
    zone = schedule["time_zone"]

    def at(instant: datetime) -> frozenset[str]:
        for override in reversed(schedule.get("overrides", [])):
            if _utc(override["start"]) <= instant < _utc(override["end"]):
                return frozenset([override["user"]["id"]])
        for layer in schedule["schedule_layers"]:
            if found := _of_layer(layer, zone, instant):
                return frozenset(found)
        return frozenset()

    return at


def _of_layer(layer: Json, zone: str, instant: datetime) -> set[str]:
    if instant < _utc(layer["start"]) or (layer["end"] and instant >= _utc(layer["end"])) or not layer["users"]:
        return set()
    wall = _wall(instant, zone)
    if layer["restrictions"] and not any(_restricted(r, wall) for r in layer["restrictions"]):
        return set()
    seconds = (wall - _wall(_utc(layer["rotation_virtual_start"]), zone)).total_seconds()
    user = layer["users"][int(seconds // layer["rotation_turn_length_seconds"]) % len(layer["users"])]
    return set() if user["user"]["id"].startswith("GONE") else {user["user"]["id"]}


def _restricted(rule: Json, wall: datetime) -> bool:
    hour, minute, second = map(int, rule["start_time_of_day"].split(":"))
    for ago in range(9):
        start = (wall - ago * DAY).replace(hour=hour, minute=minute, second=second)
        named = rule["type"] == "daily_restriction" or start.isoweekday() == rule["start_day_of_week"]
        if named and start <= wall < start + timedelta(seconds=rule["duration_seconds"]):
            return True
    return False


def shift_based(schedule: Json, until: datetime) -> OnCall:
    """PagerDuty's schedules of 2026: every event's shift is on call; an override puts one in another's place."""
    held: list[Held] = []
    for rotation in schedule["rotations"]:
        for event in rotation["events"]:
            held += _event(event, until)
    for shift in schedule.get("custom_shifts", []):
        members = [a["member"]["user_id"] for a in shift["assignments"]]
        held.append((_utc(shift["start_time"]), _utc(shift["end_time"]), frozenset(members)))

    def at(instant: datetime) -> frozenset[str]:
        found = _those(held, instant)
        for override in schedule.get("overrides", []):
            if _utc(override["start_time"]) <= instant < _utc(override["end_time"]):
                there, here = override["overridden_member"]["user_id"], override["overriding_member"].get("user_id")
                found = frozenset(here if p == there else p for p in found if p != there or here)
        return found

    return at


def _event(event: Json, until: datetime) -> Iterator[Held]:
    zone = event["start_time"]["time_zone"]
    start, end = (_wall(_utc(event[f"{n}_time"]["date_time"]), zone) for n in ("start", "end"))
    strategy = event["assignment_strategy"]
    members = [m.get("user_id", "") for m in strategy["members"]]
    rules = [r for r in event["recurrence"] if r.startswith("RRULE")]
    left_out = {d for r in event["recurrence"] if r.startswith("EXDATE") for d in r.partition(":")[2].split(",")}
    rule, _, last = rules[0].partition(";UNTIL=")  # dateutil wants it in the zone of a start that has one
    for n, wall in enumerate(rrulestr(rule, dtstart=start)):
        if _real(wall, zone) >= until or (last and _real(wall, zone) > datetime.fromisoformat(last)):
            return
        turn = members[n // strategy.get("shifts_per_member", 1) % len(members)]
        people = members if strategy["type"].startswith("every") else [turn]
        begins, ends = _real(wall, zone), _real(wall + (end - start), zone)
        begins = max(begins, _utc(event["effective_since"]))
        ends = min(ends, _utc(event["effective_until"])) if event.get("effective_until") else ends
        if f"{wall:%Y%m%dT%H%M%S}" not in left_out:
            yield begins, ends, frozenset(filter(None, people))


def _those(held: list[Held], instant: datetime) -> frozenset[str]:
    return frozenset(person for starts, ends, people in held if starts <= instant < ends for person in people)


def grafana_oncall(schedule: Json, shifts: dict[str, Json], until: datetime) -> OnCall:
    """The highest level counts; overrides stand above all."""
    levels: dict[int, list[Held]] = {}
    for key in schedule["shifts"]:
        shift = shifts[key]
        level = 1000 if shift["type"] == "override" else shift.get("level", 0)
        levels.setdefault(level, []).extend(_shift(shift, schedule["time_zone"], schedule["type"] == "web", until))

    def at(instant: datetime) -> frozenset[str]:
        return next(
            (found for _, held in sorted(levels.items(), reverse=True) if (found := _those(held, instant))), frozenset()
        )

    return at


def _shift(shift: Json, zone: str, web: bool, until: datetime) -> Iterator[Held]:
    zone = shift.get("time_zone") or zone
    start, length = datetime.fromisoformat(shift["start"]), timedelta(seconds=shift["duration"])
    since = _utc(shift["rotation_start"], zone) if shift.get("rotation_start") else None
    last = _utc(shift["until"]) if shift.get("until") else None
    for wall, people in _who(shift, start):
        begins, ends = _real(wall, zone), _real(wall + length, zone)
        if begins >= until or (last and begins > last):
            return
        if web:
            begins, ends = max(filter(None, (begins, since))), min(filter(None, (ends, last)))
        elif since and begins < since and shift.get("frequency"):
            continue
        if begins < ends:
            yield begins, ends, people


def _who(shift: Json, start: datetime) -> Iterator[tuple[datetime, frozenset[str]]]:
    if not shift.get("frequency"):
        yield start, frozenset(shift["users"])
        return
    freq, interval, days = shift["frequency"].upper(), shift.get("interval") or 1, shift.get("by_day") or []
    more = f";BYDAY={','.join(days)}" if days else ""
    wkst = shift.get("week_start") or "SU"
    if shift["type"] == "recurrent_event":
        rule = rrulestr(f"RRULE:FREQ={freq};INTERVAL={interval};WKST={wkst}{more}", dtstart=start)
        yield from ((wall, frozenset(shift["users"])) for wall in rule)
        return
    first = shift["start_rotation_from_user_index"]
    queue = [frozenset(users) for users in (*shift["rolling_users"][first:], *shift["rolling_users"][:first])]
    start = _moved(start, days, wkst)
    base = rrulestr(
        f"RRULE:FREQ={freq};INTERVAL={1 if freq == 'DAILY' and days else interval};WKST={wkst}{more}", dtstart=start
    )
    if freq == "DAILY" and days:
        yield from ((wall, queue[n // interval % len(queue)]) for n, wall in enumerate(base))
        return
    yield from _merged(
        _first_of_each(base, freq, wkst, len(queue)),
        queue,
        f"FREQ={freq};INTERVAL={interval * len(queue)};WKST={wkst}{more}",
    )


def _moved(start: datetime, days: list[str], wkst: str) -> datetime:
    names = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
    week = names[names.index(wkst) :] + names[: names.index(wkst)]
    if not days or names[start.weekday()] in days:
        return start
    wanted = next(day for day in week if day in days)
    return next(at for n in range(7) if names[(at := start + n * DAY).weekday()] == wanted)


def _first_of_each(base: rrule, freq: str, wkst: str, many: int) -> list[datetime]:
    """The first occurrence of each of the first periods: there each user's own events begin."""
    first_day = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].index(wkst)

    def period(wall: datetime) -> datetime:
        return (wall - (wall.weekday() - first_day) % 7 * DAY).replace(hour=0, minute=0) if freq == "WEEKLY" else wall

    return [next(group) for _, group in islice(groupby(base, period), many)]


def _merged(
    starts: list[datetime], queue: list[frozenset[str]], rule: str
) -> Iterator[tuple[datetime, frozenset[str]]]:
    streams = [iter(rrulestr(f"RRULE:{rule}", dtstart=start)) for start in starts]
    heads = [next(stream) for stream in streams]
    while True:
        n = heads.index(min(heads))
        yield heads[n], queue[n]
        heads[n] = next(streams[n])
