"""Find checkpoints of a policy that have less effect than they promise, and whom no policy tells anything."""

from collections.abc import Iterator

from escalation.config.company import Company
from escalation.config.policy import Policy
from escalation.config.references import Path
from escalation.config.rules.checkpoints import PlannedCheckpoint
from escalation.config.rules.communications import ListName, Means

TO_LISTS = {Means.SLACK, Means.MAIL, Means.CUSTOMER_MAIL}


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


def untold(company: Company, policy: Policy) -> Iterator[tuple[Path, str]]:
    """Find lists and webhooks to which nothing is ever sent."""
    rules = policy.severities.values()
    plans = [plan for each in rules for plan in each.communications]
    told = {name for plan in plans if TO_LISTS & set(plan.through) for name in plan.lists}
    told |= {name for each in rules if each.review for name in each.review.mail}
    told |= {name for report in (policy.reports if company.reports is None else company.reports) for name in report.to}
    for name in company.lists:
        if name not in told:
            key = f"through: {Means.CUSTOMER_MAIL}" if name is ListName.CUSTOMERS else f"to: {name}"
            yield (
                ("lists", name),
                f"policy {policy.name} sends this list nothing; give one of its communications `{key}`",
            )
    through = {means for plan in plans for means in plan.through}
    for means in company.public_webhooks:
        if means not in through:
            text = f"policy {policy.name} sends nothing there; give one of its communications `through: {means}`"
            yield ("public_webhooks", means), text


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
