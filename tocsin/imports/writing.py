"""What an export becomes: a configuration and a policy of our own, as plain data."""

import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from escalation.config.turns import SHORTEST
from escalation.times import DAYS, format_duration
from tocsin.imports.model import Escalation, Export, Schedule, SourceLayer, Span, Step, Verdict, WeeklyHours

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MOST_ROUNDS = 4  # how often all steps are repeated at most: a policy of ours lists each page
DEFINITIONS = {
    "P0": ("Critical", "Service is down, or data is at risk."),
    "P1": ("High", "A major part does not work."),
    "P2": ("Medium", "Something does not work as it should; work goes on."),
    "P3": ("Low", "A small fault, with a way round it."),
}
Data = dict[str, Any]


@dataclass(frozen=True)
class Written:
    """The files as plain data; `rotations` says which rotation a schedule became, `keys` which person a member."""

    config: Data
    policy: Data
    keys: dict[str, str]
    rotations: dict[str, str]


def written(export: Export, policy_file: str, now: datetime) -> Written:
    """Return an export as a configuration and its policy; notes what is not kept as it was."""
    keys = _keys(export)
    rotations = _names([(s.id, s.name) for s in export.schedules.values()], "_")
    escalation = max(export.escalations.values(), key=lambda e: len(e.steps), default=None)
    for other in export.escalations.values():
        if other is not escalation:
            why = "a company has one policy, by severity; its people can still be paged with /incident page"
            export.note(Verdict.DROPPED, f"escalation {other.name}", why)
    steps = _steps(export, escalation, keys)
    roles = _roles(steps, keys, rotations)
    plans = {name: _rotation(export, export.schedules[id], keys, now) for id, name in rotations.items()}
    plans = {name: plan for name, plan in plans.items() if plan["layers"]}
    zones = Counter(schedule.zone for schedule in export.schedules.values())
    config: Data = {
        "policy": policy_file,
        "workspace": {"incidents_channel": "incidents", "stakeholders_channel": "stakeholders"},
        "timezone": zones.most_common(1)[0][0] if zones else "UTC",
        "people": {key: _person(export, id) for id, key in keys.items()},
        "roles": {role: held for role, (_, held) in roles.items() if _held(held, plans)},
        "rotations": plans,
        "services": {name: {} for name in _names([(s, s) for s in export.services], "-").values()},
    }
    kept = {id: name for id, name in rotations.items() if name in plans}
    titles = {role: title for role, (title, _) in roles.items()}
    policy = _policy(export, escalation, _tiers(steps, titles, keys, rotations), titles)
    return Written({k: v for k, v in config.items() if v}, policy, keys, kept)


def _held(holder: str, plans: Data) -> bool:
    return not holder.startswith("rotation ") or holder.removeprefix("rotation ") in plans


def _keys(export: Export) -> dict[str, str]:
    """Return each member's key; those whom Slack could not find are left out, and noted."""
    members = {member.id: member for member in export.members.values()}
    for member in members.values():
        if not (member.email or member.slack):
            why = "has neither an e-mail address nor a Slack id; their shifts are empty until you add them"
            export.note(Verdict.DROPPED, f"person {member.name}", why)
    found = [m for m in members.values() if m.email or m.slack]
    return _names([(m.id, m.email.partition("@")[0] or m.name) for m in found], "-")


def _names(pairs: list[tuple[str, str]], dash: str) -> dict[str, str]:
    """Return a name that configurations take for each id; the second of the same name is numbered."""
    taken: dict[str, str] = {}
    for id, title in pairs:
        plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
        base = re.sub(r"[^a-z0-9]+", dash, plain).strip(dash)[:40] or "unnamed"
        base = base if base[0].isalpha() else f"x{dash}{base}"
        name, n = base, 2
        while name in taken.values():
            name, n = f"{base}{dash}{n}", n + 1
        taken[id] = name
    return taken


def _person(export: Export, id: str) -> Data:
    member = export.members[id]
    found = {"email": member.email, "slack": member.slack, "name": member.name, "phone": member.phone}
    return {name: value for name, value in found.items() if value}


def _rotation(export: Export, schedule: Schedule, keys: dict[str, str], now: datetime) -> Data:
    layers = [_layer(export, schedule, layer, keys) for layer in schedule.layers if not layer.ends or layer.ends > now]
    top = max((layer.level for layer in schedule.layers), default=0) + 1
    layers += [_override(o, top, keys) for o in schedule.overrides if o.ends > now]
    some = [layer for layer in layers if any(layer["people"])]
    return {"timezone": schedule.zone, "layers": some, "test_page": False}


def _layer(export: Export, schedule: Schedule, layer: SourceLayer, keys: dict[str, str]) -> Data:
    where = f"schedule {schedule.name}, layer {layer.name}"
    local = layer.start.astimezone(ZoneInfo(layer.zone))
    every = layer.every
    if len(layer.places) > 1 and (every < SHORTEST or every % HOUR):
        every = max(SHORTEST, round(every / HOUR) * HOUR)
        why = f"turns of {format_duration(layer.every)} became {format_duration(every)}: whole hours, two at least"
        export.note(Verdict.APPROXIMATED, where, why)
    if local.second or any(h.starts.second or h.length.total_seconds() % 60 for h in layer.hours):
        export.note(Verdict.APPROXIMATED, where, "times are rounded to minutes")
    found: Data = {"people": [[keys[p] for p in place if p in keys] for place in layer.places], "level": layer.level}
    found |= {"timezone": layer.zone} if layer.zone != schedule.zone else {}
    if len(layer.places) > 1:
        found |= {"every": format_duration(every), "handover": f"{DAYS[local.weekday()]} {local:%H:%M}"}
        found |= {"first_shift": local.date()}
    found |= {"hours": _hours(layer.hours)} if layer.hours else {}
    limits = {"begins": layer.begins, "ends": layer.ends}
    return found | {name: at.astimezone(UTC).isoformat() for name, at in limits.items() if at}


def _override(span: Span, level: int, keys: dict[str, str]) -> Data:
    people = [keys[person] for person in span.people if person in keys]
    limits = {"begins": span.starts.isoformat(), "ends": span.ends.isoformat()}
    return {"people": [people], "level": level, **limits}


def _hours(hours: tuple[WeeklyHours, ...]) -> list[str]:
    """Return weekly hours as a configuration has them; days of the same hours share a text."""
    days: dict[tuple[Any, timedelta], list[int]] = defaultdict(list)
    for one in hours:
        days[one.starts, one.length].append(one.day)
    texts: list[str] = []
    for (starts, length), found in days.items():
        later, rest = divmod(timedelta(hours=starts.hour, minutes=starts.minute) + length, DAY)
        end = (datetime(1, 1, 1, tzinfo=UTC) + rest).time()
        if length > DAY:
            ends = (DAYS[(day + later) % 7] for day in found)
            texts += [f"{DAYS[d]} {starts:%H:%M} - {e} {end:%H:%M}" for d, e in zip(found, ends, strict=True)]
        else:
            every_day = len(set(found)) == 7
            named = "daily" if every_day else ", ".join(DAYS[day] for day in sorted(set(found)))
            texts.append(f"{named} {starts:%H:%M}-{end:%H:%M}")
    return texts


def _steps(export: Export, escalation: Escalation | None, keys: dict[str, str]) -> tuple[Step, ...]:
    """Return the steps that reach anybody; without an escalation, each schedule is one, a quarter of an hour apart."""
    if escalation is None or not escalation.steps:
        if export.schedules:
            why = "the export has no escalation: its schedules are tiers, paged a quarter of an hour apart"
            export.note(Verdict.APPROXIMATED, "escalation", why)
        pages = [Step(n * timedelta(minutes=15), schedules=(s,)) for n, s in enumerate(export.schedules)]
        return tuple(pages) or (Step(timedelta(0), people=tuple(keys)[:1]),)
    return escalation.steps


def _roles(steps: tuple[Step, ...], keys: dict[str, str], rotations: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return role -> what people call it, and its holder: one for each schedule and person that a step names."""
    roles: dict[str, tuple[str, str]] = {}
    for step in steps:
        for id in step.schedules:
            roles[_role(rotations[id])] = (f"on call in {rotations[id]}", f"rotation {rotations[id]}")
        for id in (p for p in step.people if p in keys):
            roles[_role(keys[id])] = (keys[id], keys[id])
    return roles


def _role(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", name)


def _policy(export: Export, escalation: Escalation | None, tiers: "_Tiers", roles: dict[str, str]) -> Data:
    where = f"escalation {escalation.name}" if escalation else "escalation"
    rounds = min(escalation.repeats if escalation else 0, MOST_ROUNDS)
    if escalation and escalation.repeats > rounds:
        why = f"its steps are repeated {rounds} times instead of {escalation.repeats}"
        export.note(Verdict.APPROXIMATED, where, why)
    each = escalation.repeat_after if escalation else timedelta(0)
    last = max((step.after for step in tiers.steps), default=timedelta(0))
    each = max(each, last + timedelta(minutes=5))
    if escalation:
        why = "it holds for each severity alike; P2 and P3 are not repeated. Change the policy as you like"
        export.note(Verdict.KEPT, where, why)
    severities = {s: _severity(s, tiers, rounds if s in ("P0", "P1") else 0, each) for s in DEFINITIONS}
    return {
        "name": "imported",
        "title": f"Imported from {export.source}",
        "roles": roles or {"on_call": "on call"},
        "severities": severities,
    }


@dataclass(frozen=True)
class _Tiers:
    """The policy's tiers, and the step that pages each."""

    tiers: list[Data]
    steps: list[Step]


def _tiers(steps: tuple[Step, ...], roles: dict[str, str], keys: dict[str, str], rotations: dict[str, str]) -> _Tiers:
    """Return a tier for each step that has anybody to page."""
    found = _Tiers([], [])
    for step in steps:
        held = [_role(rotations[id]) for id in step.schedules] + [_role(keys[p]) for p in step.people if p in keys]
        if held:
            found.steps.append(step)
            name = f"Step {len(found.steps)}: {', '.join(roles[role] for role in held)}"
            found.tiers.append({"name": name[:300], "roles": held})
    return found


def _severity(severity: str, tiers: _Tiers, rounds: int, each: timedelta) -> Data:
    name, definition = DEFINITIONS[severity]
    urgent = severity in ("P0", "P1")
    first = min((step.after for step in tiers.steps if step.after), default=timedelta(minutes=15))
    return {
        "name": name,
        "definition": definition,
        "acknowledge_within": format_duration(first if urgent else 4 * HOUR),
        "resolve_within": format_duration((4 if urgent else 48) * HOUR),
        "urgent": urgent,
        "tiers": tiers.tiers or [{"name": "On call", "roles": ["on_call"]}],
        "at_once": [n for n, step in enumerate(tiers.steps, start=1) if not step.after] or [1],
        "checkpoints": [plan for n in range(rounds + 1) for plan in _round(tiers, n, n * each)],
        "monitor_for": "30m",
    }


def _round(tiers: _Tiers, number: int, begins: timedelta) -> list[Data]:
    """Return the checkpoints of one round of all steps; the first round's pages at once are none."""
    plans: list[Data] = []
    for tier, step in enumerate(tiers.steps, start=1):
        if after := begins + step.after:
            again = {"again": True} if number else {}
            name = f"step-{tier}" + (f"-round-{number + 1}" if number else "")
            why = f"it is not {step.unless} after {format_duration(after)}"
            plan = {
                "id": name,
                "after": format_duration(after),
                "unless": step.unless,
                "page": [{"tier": tier, **again}],
            }
            plans.append(plan | {"why": why})
    return plans
