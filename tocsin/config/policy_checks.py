"""What can be wrong in a policy beyond its values: roles that it does not list, checkpoints that do too little."""

from collections.abc import Iterable, Iterator
from typing import Any

from escalation.config.company import suggest
from escalation.config.policy import PlannedCheckpoint, Policy
from tocsin.config.yaml_lines import Path

# Where a policy names roles, and how that is said; * is every key or item.
NAMED: tuple[tuple[tuple[str, ...], str], ...] = (
    (("severities", "*", "tiers", "*", "roles", "*"), "pages"),
    (("severities", "*", "tiers", "*", "on_breach", "*"), "pages"),
    (("severities", "*", "checkpoints", "*", "notify", "*"), "notifies"),
    (("severities", "*", "room_invites", "*"), "invites"),
    (("severities", "*", "commander"), "is commanded by"),
    (("activities", "*", "owner"), "is owned by"),
)


def unknown_roles(data: Any) -> Iterator[tuple[Path, str]]:
    """Roles that `roles` does not list, in the plain data of a policy: each with its own place."""
    known = {str(path[-1]) for path, _ in _at(data, ("roles", "*"))}
    for pattern, verb in NAMED:
        for path, role in _at(data, pattern):
            if role not in known:
                who = path[1] if path[0] == "severities" else "this activity"
                yield path, f"{who} {verb} {role}, which `roles` does not list{suggest(str(role), known)}"


def _at(data: Any, pattern: tuple[str, ...], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Everything in plain data that a pattern fits."""
    if not pattern:
        yield path, data
        return
    step, *rest = pattern
    for key, value in _items(data):
        if step in ("*", key):
            yield from _at(value, tuple(rest), (*path, key))


def _items(data: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(data, dict):
        return data.items()
    return enumerate(data) if isinstance(data, list) else ()


def does_less(policy: Policy) -> Iterator[tuple[Path, str]]:
    """Checkpoints that do less than they say: that never fire, or whose buttons nobody would see."""
    for severity, rules in policy.severities.items():
        for n, plan in enumerate(rules.checkpoints):
            place = ("severities", str(severity), "checkpoints", n)
            if earlier := _overtaken(plan, rules.checkpoints[:n]):
                text = f"checkpoint {plan.id} never fires: {earlier} has paged its tiers by then; add `again: true`"
                yield place, text
            if plan.offer and not (plan.say or plan.team):
                text = f"checkpoint {plan.id} offers buttons and has no message for them; add `say: …` or `team: true`"
                yield (*place, "offer"), text


def _overtaken(plan: PlannedCheckpoint, others: tuple[PlannedCheckpoint, ...]) -> str:
    """The ids of those that page all its tiers before it, whenever it would; empty when some tier is left."""
    if plan.notify or plan.team or plan.room or plan.say or any(p.again for p in plan.page):
        return ""
    before = {p.tier: other.id for other in others if _always_before(other, plan) for p in other.page}
    found = [before.get(p.tier, "") for p in plan.page]
    return " and ".join(dict.fromkeys(found)) if all(found) else ""


def _always_before(first: PlannedCheckpoint, then: PlannedCheckpoint) -> bool:
    """Whether the first has fired whenever the second would: it counts alike, and less makes it moot."""
    return (
        first.since is then.since
        and not (first.after.counts_business or then.after.counts_business)
        and first.after.length <= then.after.length
        and set(first.unless) <= set(then.unless)
        and set(first.only_if) <= set(then.only_if)
        and first.rests_while_monitoring <= then.rests_while_monitoring
    )
