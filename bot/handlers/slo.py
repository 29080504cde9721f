"""/incident slo: how well Tocsin keeps its own objective. Pure, but for reading the ledger."""

from datetime import timedelta

from bot.deps import BotParts
from escalation.errors import Refused
from escalation.slo import Report, kept, scores
from escalation.text import Line, Strong, line
from escalation.values import parse_duration

LAST = timedelta(days=30)


def slo(parts: BotParts, text: str) -> tuple[Line, ...]:
    """The answer to `slo [7d]`. Refused for what is no length of time."""
    try:
        last = parse_duration(text) if text.strip() else LAST
    except ValueError as wrong:
        raise Refused(f"{wrong}: `/incident slo 7d` looks at the last seven days.") from None
    return told(parts.store.report(parts.company.objective, last, parts.desk.clock()))


def told(report: Report) -> tuple[Line, ...]:
    """The objective, whether it was kept, and each kind's figures on a line."""
    objective, result = kept(report)
    rows = (line(Strong(f"{row.kind}: "), figures) for row, figures in scores(report))
    return (line(Strong("Objective: "), objective), line(Strong(result)), *rows)
