"""Alerts of an incident, as its card shows them."""

from datetime import datetime

from escalation.values import Frozen


class SeenAlert(Frozen):
    """An alert as its incident's card shows it; `severity` is the source's own word."""

    title: str
    source: str
    firing: bool
    since: datetime
    severity: str = ""
    url: str = ""


class AlertSummary(Frozen):
    """Alerts of an incident: the worst of them, and counts. `assumed`: none of them named a severity that is known.

    `reports`: all of them are people's, who do not say when it is over.
    """

    shown: tuple[SeenAlert, ...] = ()
    firing: int = 0
    total: int = 0
    assumed: bool = False
    reports: bool = False
