"""Declare an incident when Tocsin misses its own objective, if the configuration asks for it."""

from datetime import datetime
from typing import Any

import structlog

from escalation.config.policy import Severity
from escalation.incident.state.facts import Detection, Facts
from escalation.slo import REPORT_PERIOD, Report, objective_result, row_summaries
from workers.channels.failures import Failed
from workers.context import Context
from workers.delivery.problems import report_call

BREACH = "tocsin:breach"  # since when, then the incident's id, while the breach lasts
CHECKED = "tocsin:breach:looked"
EVERY_SECONDS = 300  # a check reads the whole ledger
PROBLEM = "slack:objective"
TITLE = "Tocsin missed its own objective"

log = structlog.get_logger()


class SloBreach:
    """Declares one incident per breach of the objective, whichever worker finds it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def check(self, now: datetime) -> None:
        """Check the objective, every five minutes at most; declare an incident if it is missed."""
        objective, redis = self._context.service.company.objective, self._context.redis
        if not objective.open_incident or not redis.set(CHECKED, "1", nx=True, ex=EVERY_SECONDS):
            return
        report = self._context.store.report(objective, REPORT_PERIOD, now)
        if report.met is False:
            self._declare(report, now)
        elif report.met:
            redis.delete(BREACH)

    def _declare(self, report: Report, now: datetime) -> None:
        """Declare the incident once: `BREACH` has when the breach began, then the id of its incident."""
        redis = self._context.redis
        redis.set(BREACH, f"since {now.timestamp():.6f}", nx=True)
        raw: Any = redis.get(BREACH)
        stored = str(raw, "utf-8")
        if stored.startswith("INC-"):
            return
        try:
            bot = self._context.slack.rooms.bot_id()
        except Failed as failed:
            log.warning("slo breach not declared, retrying", error=failed.error)
            what = "the incident about Tocsin's own objective is not declared"
            report_call(self._context.store.problems, PROBLEM, "Slack", failed, now, what=what)
            return
        self._context.store.problems.clear(PROBLEM)
        description = "\n".join(
            [*objective_result(report), *(f"{row.kind}: {figures}" for row, figures in row_summaries(report))]
        )
        facts = Facts(title=TITLE, description=description, detection=Detection.MONITORING)
        incident = self._context.service.declare(bot, self._severity(), facts, key=f"objective {stored}")
        redis.set(BREACH, incident.id)

    def _severity(self) -> Severity:
        """P2, or the next milder one that the policy has, or the mildest."""
        severities = sorted(self._context.service.policy.severities)
        return next((s for s in severities if s >= Severity.P2), severities[-1])
