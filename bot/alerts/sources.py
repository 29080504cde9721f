"""Sources of alerts by the name in their address, `POST /alerts/{name}`; receivers have addresses of their own."""

from bot.alerts.cloud import azure, gcp, sns
from bot.alerts.errors import sentry
from bot.alerts.metrics import alertmanager, datadog, grafana, newrelic
from bot.alerts.receivers import events_v2, incidentio, opsgenie, opsgenie_api, pagerduty
from bot.alerts.source import Source
from bot.alerts.uptime import betterstack, checkly, checks, healthchecks, uptimekuma, uptimerobot

SOURCES: dict[str, Source] = {
    module.SOURCE.name: module.SOURCE
    for module in (
        *(alertmanager, grafana, datadog, newrelic, sentry),
        *(uptimerobot, uptimekuma, healthchecks, betterstack, checkly),
        *(sns, gcp, azure, pagerduty, opsgenie),
    )
}
RECEIVERS: dict[str, Source] = {module.SOURCE.name: module.SOURCE for module in (events_v2, opsgenie_api, incidentio)}
OWN: dict[str, Source] = {checks.SOURCE.name: checks.SOURCE}  # has no address
ALL_SOURCES = SOURCES | RECEIVERS | OWN
