"""What an export becomes: a configuration and a policy of our own, as plain data."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from escalation.config.turns import SHORTEST
from escalation.times import DAYS, format_duration
from tocsin.imports.model import (
    Escalation,
    Export,
    Member,
    Override,
    Schedule,
    SourceLayer,
    Step,
    Verdict,
    WeeklyHours,
)
from tocsin.imports.recurrence import cut

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MAIL = re.compile(r"[^@\s]+@[^@\s]+")
MOST_LEVEL = 1000
LONGEST = timedelta(days=364)  # a checkpoint later than a year would be no policy
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
    steps = _at_once(export, escalation, _steps(export, escalation, keys), keys)
    roles = _roles(steps, keys, rotations)
    plans = {name: _rotation(export, export.schedules[id], keys, now) for id, name in rotations.items()}
    plans = {name: plan for name, plan in plans.items() if plan["layers"]}
    zones = Counter(schedule.zone for schedule in export.schedules.values())
    config: Data = {
        "policy": policy_file,
        "workspace": {"incidents_channel": "incidents", "stakeholders_channel": "stakeholders"},
        "timezone": zones.most_common(1)[0][0] if zones else "UTC",
        "people": _people(export, keys),
        "roles": {role.name: role.holder for role in roles.values() if _held(role.holder, plans)},
        "rotations": plans,
        "services": {name: {} for name in _names([(s, s) for s in export.services], "-").values()},
    }
    kept = {id: name for id, name in rotations.items() if name in plans}
    titles = {role.name: role.title for role in roles.values()}
    policy = _policy(export, escalation, _tiers(steps, roles), titles)
    return Written({k: v for k, v in config.items() if v}, policy, keys, kept)


def _held(holder: str, plans: Data) -> bool:
    return not holder.startswith("rotation ") or holder.removeprefix("rotation ") in plans


def _keys(export: Export) -> dict[str, str]:
    """Return each member's key; those whom Slack could not find are left out, and noted. One address is one person."""
    members = {member.id: member for member in export.members.values()}
    found: dict[str, Member] = {}
    same: dict[str, str] = {}
    for member in members.values():
        email = member.email if MAIL.fullmatch(member.email) else ""
        first = found.setdefault(email.lower() or member.slack or member.id, member)
        if not (email or member.slack):
            what = f"'{member.email}' is no e-mail address" if member.email else "has neither an e-mail address"
            why = (
                f"{what}{'; without' if member.email else ' nor'} a Slack id their shifts are empty until you add them"
            )
            export.note(Verdict.DROPPED, f"person {member.name}", why)
            found.pop(member.id)
        elif first is not member:
            same[member.id] = first.id
            address = first.email or first.slack
            why = f"has the address of {first.name} ({address}): one person here, with the shifts of both"
            export.note(Verdict.APPROXIMATED, f"person {member.name}", why)
    keys = _names([(m.id, m.email.partition("@")[0] or m.name) for m in found.values()], "-")
    return keys | {id: keys[first] for id, first in same.items()}


def _names(pairs: list[tuple[str, str]], dash: str) -> dict[str, str]:
    """Return a name that configurations take for each id; the second of the same name is numbered."""
    taken: dict[str, str] = {}
    used: set[str] = set()
    numbers: dict[str, int] = defaultdict(lambda: 1)
    for id, title in pairs:
        plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
        base = re.sub(r"[^a-z0-9]+", dash, plain).strip(dash)[:40] or "unnamed"
        base = base if base[0].isalpha() else f"x{dash}{base}"
        name = base
        while name in used:
            numbers[base] += 1
            name = f"{base}{dash}{numbers[base]}"
        used.add(name)
        taken[id] = name
    return taken


def _people(export: Export, keys: dict[str, str]) -> Data:
    members: dict[str, list[Member]] = defaultdict(list)
    for id, key in keys.items():
        members[key].append(export.members[id])
    return {key: _person(found) for key, found in members.items()}


def _person(members: list[Member]) -> Data:
    """Return what is known of a person, who may be several members of the export."""
    values = {name: [getattr(member, name) for member in members] for name in ("email", "slack", "name", "phone")}
    values["email"] = [email for email in values["email"] if MAIL.fullmatch(email)]
    return {name: found for name, each in values.items() if (found := next(filter(None, each), ""))}


def _rotation(export: Export, schedule: Schedule, keys: dict[str, str], now: datetime) -> Data:
    pieces = [piece for piece in _overridden(schedule) if not piece.ends or piece.ends > now]
    layers = [_layer(export, schedule, layer, keys) for layer in pieces]
    top = max((layer.level for layer in schedule.layers), default=0) + 1
    whole = sorted((o for o in schedule.overrides if o.whole and o.ends > now), key=lambda o: o.rank)
    ranks = {rank: n for n, rank in enumerate(dict.fromkeys(o.rank for o in whole))}
    layers += [_override(o, min(top + ranks[o.rank], MOST_LEVEL), keys) for o in whole]
    layers += [_override(o, 0, keys) for o in schedule.overrides if o.layers and o.ends > now]
    some = [layer for layer in layers if any(layer["people"])]
    return {"timezone": schedule.zone, "layers": some, "test_page": False}


def _overridden(schedule: Schedule) -> list[SourceLayer]:
    """Return the layers, cut where an override silences them or puts somebody in another's place."""
    pieces = list(schedule.layers)
    for override in schedule.overrides:
        if not override.whole or not override.people:
            pieces = [part for piece in pieces for part in _cut_by(piece, override)]
    return pieces


def _cut_by(layer: SourceLayer, override: Override) -> Iterator[SourceLayer]:
    other = override.instead_of
    if (override.layers and layer.id not in override.layers) or (other and not any(other in p for p in layer.places)):
        yield layer
        return
    yield from cut(layer, None, override.starts)
    if other:
        swap = {other: override.people}
        places = tuple(tuple(dict.fromkeys(q for p in place for q in swap.get(p, (p,)))) for place in layer.places)
        yield from cut(replace(layer, places=places), override.starts, override.ends)
    yield from cut(layer, override.ends, None)


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


def _override(span: Override, level: int, keys: dict[str, str]) -> Data:
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


def _at_once(
    export: Export, escalation: Escalation | None, steps: tuple[Step, ...], keys: dict[str, str]
) -> tuple[Step, ...]:
    """Return the steps that page anybody, the first of them at once: some page comes with every declaration here."""
    found = tuple(step for step in steps if step.schedules or any(person in keys for person in step.people))
    first = min((step.after for step in found), default=timedelta(0))
    if first and escalation:
        why = f"the first page that is kept comes after {format_duration(first)} there; here at once"
        export.note(Verdict.APPROXIMATED, f"escalation {escalation.name}", why)
    return tuple(replace(step, after=timedelta(0)) if step.after == first else step for step in found)


def _roles(steps: tuple[Step, ...], keys: dict[str, str], rotations: dict[str, str]) -> dict[str, "_Role"]:
    """Return the role of each schedule and person that a step names, by its id: one name for each of them."""
    held = {id: f"rotation {rotations[id]}" for step in steps for id in step.schedules}
    held |= {id: keys[id] for step in steps for id in step.people if id in keys}
    names = _names([(id, holder.removeprefix("rotation ")) for id, holder in held.items()], "_")
    by_holder: dict[str, _Role] = {}
    for id, holder in held.items():
        title = f"on call in {rotations[id]}" if id in rotations else holder
        by_holder.setdefault(holder, _Role(names[id], title, holder))
    return {id: by_holder[holder] for id, holder in held.items()}


@dataclass(frozen=True)
class _Role:
    """A role of the policy: what people call it, and its holder."""

    name: str
    title: str
    holder: str


def _policy(export: Export, escalation: Escalation | None, tiers: "_Tiers", roles: dict[str, str]) -> Data:
    where = f"escalation {escalation.name}" if escalation else "escalation"
    each = escalation.repeat_after if escalation else timedelta(0)
    last = max((step.after for step in tiers.steps), default=timedelta(0))
    each = max(each, last + timedelta(minutes=5))
    rounds = max(0, min(escalation.repeats if escalation else 0, MOST_ROUNDS, (LONGEST - last) // each))
    if escalation and escalation.repeats > rounds:
        why = f"its steps are repeated {rounds} times instead of {escalation.repeats}"
        export.note(Verdict.APPROXIMATED, where, why)
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


def _tiers(steps: tuple[Step, ...], roles: dict[str, _Role]) -> _Tiers:
    """Return a tier for each step that has anybody to page."""
    found = _Tiers([], [])
    for step in steps:
        held = {roles[id].name: roles[id].title for id in (*step.schedules, *step.people) if id in roles}
        if held:
            found.steps.append(step)
            name = f"Step {len(found.steps)}: {', '.join(held.values())}"
            found.tiers.append({"name": name[:300], "roles": list(held)})
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
