"""Answers to `/incident alerts`: lists of what came in, and of what waits for somebody to declare it. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from bot.render.blockkit import WHOLE_MESSAGE, Block, Message, action_row, context, section, sections
from bot.render.common import card_url, title
from bot.render.lists import say
from bot.render.mrkdwn import DAY, brief, link, moment, person, share
from escalation.alerts.groups import Group
from escalation.incident.false_alarms import FalseAlarms
from escalation.incident.model import Incident
from escalation.incident.state.alerts import SeenAlert
from escalation.storage.intake import Outcome, group_digest
from escalation.values import PersonId

SHOWN = 20  # lines of a list
DECLARABLE = 8  # held problems with a button each; the rest is a count
_MAX_TITLE = 90
NOTHING = "No alerts came in during the last day."
NO_MATCH = "No alert matches. Without `from:` the last day is looked at."
NOTHING_HELD = "✅ No alerts wait for somebody to declare them."
Titles = Mapping[str, str]


def recent(
    outcomes: Sequence[Outcome], held_groups: Sequence[Group], rates: Sequence[FalseAlarms], titles: Titles
) -> Message:
    """List the last day: what waits, counts, the latest alerts, and how often they were false."""
    counts = Counter(_kind(outcome) for outcome in outcomes)
    summary = ", ".join(f"{n} {kind}" for kind, n in counts.most_common())
    head = f"Alerts of the last day: {summary}" if outcomes else NOTHING
    lines = [f"*{head}*", *(_row(outcome, titles) for outcome in outcomes[:SHOWN])]
    more = [f"and {len(outcomes) - SHOWN} more: `tocsin alerts` lists them all"] if len(outcomes) > SHOWN else []
    notes = [*more, *(_rate(row) for row in rates if row.closed)]
    blocks = [
        *waiting(len(held_groups)),
        *sections(share(lines, WHOLE_MESSAGE), "alerts"),
        *([context("\n".join(notes), "notes")] if notes else []),
    ]
    waits = [_held_note(len(held_groups))] if held_groups else []
    return Message(text="\n".join((*waits, head)), blocks=blocks)


def matching(outcomes: Sequence[Outcome], titles: Titles) -> Message:
    """List the alerts that filters leave, the newest first."""
    counts = Counter(_kind(outcome) for outcome in outcomes)
    head = f"Alerts: {', '.join(f'{n} {kind}' for kind, n in counts.most_common())}" if outcomes else NO_MATCH
    lines = [f"*{head}*", *(_row(outcome, titles) for outcome in outcomes[:SHOWN])]
    more = f"and {len(outcomes) - SHOWN} more: `tocsin alerts` takes the same filters and lists them all"
    blocks = sections(share(lines, WHOLE_MESSAGE), "alerts")
    return Message(text=head, blocks=[*blocks, *([context(more, "notes")] if len(outcomes) > SHOWN else [])])


def waiting(count: int) -> list[Block]:
    """Say how many problems wait, with a button that lists them; nothing for none."""
    show = action_row([say("alerts held", "Show them", "held")], "held-go")
    return [section(_held_note(count), "held-note"), *show] if count else []


def of_incident(incident: Incident, outcomes: Sequence[Outcome], titles: Titles) -> Message:
    """List the alerts of one incident: those on its card, then what came during the last day."""
    summary = incident.alerts
    if summary is None and not outcomes:
        text = f"No alerts belong to {incident.id}."
        return Message(text=text, blocks=[section(text, "none")])
    head = f"Alerts of {incident.id}" + (f": {summary.firing} of {summary.total} firing" if summary else "")
    shown = [_seen(alert) for alert in summary.shown] if summary else []
    lines = [f"*{head}*", *shown, *(_row(outcome, titles) for outcome in outcomes[:SHOWN])]
    return Message(text=head, blocks=sections(share(lines, WHOLE_MESSAGE), "alerts"))


def held(groups: Sequence[Group], titles: Titles) -> Message:
    """List the problems that wait, each with a button that declares its incident."""
    if not groups:
        return Message(text=NOTHING_HELD, blocks=[section(NOTHING_HELD, "held")])
    blocks: list[Block] = [section(f"*{_held_note(len(groups))}*", "held")]
    for n, group in enumerate(groups[:DECLARABLE]):
        first = group.firing[0]
        source = titles.get(first.alert.source, first.alert.source)
        others = f" and {len(group.firing) - 1} more" if len(group.firing) > 1 else ""
        what = f"{brief(first.alert.title, _MAX_TITLE)}{others} ({brief(source, 40)})"
        words = f"*{first.routed.severity}* {what}, since {moment(first.first, DAY)}"
        declare = say(f"alerts declare {group_digest(group.key)}", "Declare incident", f"declare-{n}")
        blocks += [section(words, f"held-{n}"), *action_row([declare], f"held-go-{n}")]
    if len(groups) > DECLARABLE:
        blocks.append(context(f"and {len(groups) - DECLARABLE} more", "held-more"))
    return Message(text=_held_note(len(groups)), blocks=blocks)


def declared(incident: Incident, by: PersonId, workspace_url: str) -> Message:
    """Say which incident the alerts have: just declared, or by somebody who was faster."""
    linked = f"{link(card_url(incident, workspace_url), incident.id)} {title(incident, _MAX_TITLE)}"
    if incident.reporter == by:
        text = f"✅ Declared: {linked}."
    else:
        text = f"It is declared already, by {person(incident.reporter)}: {linked}."
    return Message(text=text, blocks=[section(text, "declared")])


def _held_note(count: int) -> str:
    if count == 1:
        return "🔔 1 problem waits for somebody to declare it"
    return f"🔔 {count} problems wait for somebody to declare them"


def _seen(alert: SeenAlert) -> str:
    return f"• {'🔔' if alert.firing else '✅'} {brief(alert.title, _MAX_TITLE)} ({brief(alert.source, 40)})"


def _kind(outcome: Outcome) -> str:
    return outcome.result.partition(":")[0]


def _row(outcome: Outcome, titles: Titles) -> str:
    at = datetime.fromtimestamp(outcome.at, UTC)
    name = brief(outcome.title, _MAX_TITLE) if outcome.title else "a body"
    about = f" → {outcome.incident}" if outcome.incident else ""
    source = titles.get(outcome.source, outcome.source)
    return f"• {moment(at, DAY)} {brief(source, 40)}: {name}: {brief(outcome.result, 200)}{about}"


def _rate(row: FalseAlarms) -> str:
    share_of = f"{row.false} of {row.closed}"
    return f"{brief(row.source, 40)}: {share_of} closed incidents of 30 days were false alarms ({row.rate:.0%})"
