"""Sources of alerts by the name in their address, `POST /alerts/{name}`; receivers have addresses of their own."""

from bot.alerts.cloud import azure, gcp, sns
from bot.alerts.errors import sentry
from bot.alerts.mail import source as mail
from bot.alerts.metrics import alertmanager, datadog, grafana, newrelic
from bot.alerts.receivers import events_v2, generic, incidentio, opsgenie, opsgenie_api, pagerduty
from bot.alerts.source import Received, Source
from bot.alerts.uptime import betterstack, checkly, checks, healthchecks, uptimekuma, uptimerobot
from escalation.alerts.alert import Parsed
from escalation.config.alerts import Alerts

SOURCES: dict[str, Source] = {
    module.SOURCE.name: module.SOURCE
    for module in (
        *(alertmanager, grafana, datadog, newrelic, sentry),
        *(uptimerobot, uptimekuma, healthchecks, betterstack, checkly),
        *(sns, gcp, azure, pagerduty, opsgenie, generic, mail),
    )
}
RECEIVERS: dict[str, Source] = {module.SOURCE.name: module.SOURCE for module in (events_v2, opsgenie_api, incidentio)}
OWN: dict[str, Source] = {checks.SOURCE.name: checks.SOURCE}  # has no address
ALL_SOURCES = SOURCES | RECEIVERS | OWN


def parsed(source: Source, received: Received, rules: Alerts) -> Parsed:
    """Read a body of a source; a generic one as the configuration says. Raises Unreadable."""
    return generic.parse(received, rules.generic) if source is generic.SOURCE else source.parse(received)
