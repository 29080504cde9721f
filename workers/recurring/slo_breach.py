"""Tocsin declares an incident on itself when it missed its own objective, where the configuration asks for it."""

from datetime import datetime
from typing import Any

import structlog

from escalation.config.policy import Severity
from escalation.incident.model import Detection, Facts
from escalation.slo import LAST, Report, kept, scores
from workers.channels.failures import Failed
from workers.context import Context

BREACH = "tocsin:breach"  # when it began, while it lasts
LOOKED = "tocsin:breach:looked"
EVERY_SECONDS = 300  # a look reads the whole ledger
TITLE = "Tocsin missed its own objective"

log = structlog.get_logger()


class SloBreach:
    """One incident for each time that the objective is missed, whoever finds out."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def look(self, now: datetime) -> None:
        """See how the objective is kept, every five minutes."""
        objective, redis = self._context.service.company.objective, self._context.redis
        if not objective.open_incident or not redis.set(LOOKED, "1", nx=True, ex=EVERY_SECONDS):
            return
        report = self._context.store.report(objective, LAST, now)
        if report.met is False:
            self._declare(report, now)
        elif report.met:
            redis.delete(BREACH)

    def _declare(self, report: Report, now: datetime) -> None:
        """`BREACH` holds when it began, and once it is said the incident's id: then nothing is left to do."""
        redis = self._context.redis
        redis.set(BREACH, f"since {now.timestamp():.6f}", nx=True)
        raw: Any = redis.get(BREACH)
        known = str(raw, "utf-8")
        if known.startswith("INC-"):
            return
        try:
            by = self._context.slack.rooms.bot_id()
        except Failed as failed:
            log.warning("the missed objective is declared later", error=failed.error)
            return
        said = "\n".join([*kept(report), *(f"{row.kind}: {figures}" for row, figures in scores(report))])
        facts = Facts(title=TITLE, description=said, detection=Detection.MONITORING)
        made = self._context.service.declare(by, self._severity(), facts, key=f"objective {known}")
        redis.set(BREACH, made.id)

    def _severity(self) -> Severity:
        """P2, or the next milder one that the policy has, or the mildest."""
        known = sorted(self._context.service.policy.severities)
        return next((s for s in known if s >= Severity.P2), known[-1])
