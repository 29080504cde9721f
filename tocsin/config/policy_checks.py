"""Find checkpoints of a policy that have less effect than they promise."""

from collections.abc import Iterator

from escalation.config.policy import Policy
from escalation.config.references import Path
from escalation.config.rules.checkpoints import PlannedCheckpoint


def ineffective_checkpoints(policy: Policy) -> Iterator[tuple[Path, str]]:
    """Find checkpoints that never fire, and buttons that nobody would see."""
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
    """Ids of the checkpoints that always page all its tiers earlier; empty when a tier is left for it."""
    if plan.notify or plan.team or plan.room or plan.say or any(p.again for p in plan.page):
        return ""
    before = {p.tier: other.id for other in others if _always_before(other, plan) for p in other.page}
    earlier = [before.get(p.tier, "") for p in plan.page]
    return " and ".join(dict.fromkeys(earlier)) if all(earlier) else ""


def _always_before(first: PlannedCheckpoint, then: PlannedCheckpoint) -> bool:
    """True if the first has always fired by the time of the second: same start, and fewer conditions make it moot."""
    return (
        first.since is then.since
        and not (first.after.counts_business or then.after.counts_business)
        and first.after.length <= then.after.length
        and set(first.unless) <= set(then.unless)
        and set(first.only_if) <= set(then.only_if)
        and first.rests_while_monitoring <= then.rests_while_monitoring
    )
