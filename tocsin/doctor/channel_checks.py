"""Health checks of the channels beside Slack: the mail server takes our login, PagerDuty and Zoom can be reached."""

import re
from collections.abc import Iterator, Sequence

from escalation.config.company import Company
from escalation.config.notify import Via
from tocsin.config.settings import Settings
from tocsin.doctor.finding import Finding, failed, ok, warning
from tocsin.doctor.people_checks import failure_of
from tocsin.run import channels
from workers.channels.failures import Failed
from workers.channels.public.zoom import OWNER, ZoomClient

# https://developer.pagerduty.com/docs/events-api-v2-overview: an integration key has 32 letters and digits
_ROUTING_KEY = re.compile(r"[A-Za-z0-9]{32}")


def channel_findings(settings: Settings) -> Iterator[Finding]:
    """Check each channel that the environment sets up. Nothing is sent."""
    if mail := channels.mail(settings):
        try:
            mail.check()
            yield ok("mail", "the server takes our login")
        except Failed as failure:
            yield failure_of("mail", failure, "check SMTP_URL, and the way to that server from here")
    if zoom := channels.zoom(settings):
        yield from _zoom(zoom, settings.zoom_hosts or (OWNER,))
    if pagerduty := channels.pagerduty(settings):
        yield from _routing_key(settings)
        try:
            pagerduty.check()
            yield ok("pagerduty", "can be reached")
        except Failed as failure:
            yield failure_of("pagerduty", failure, "check PAGERDUTY_URL, and the way there from here")


def service_findings(settings: Settings, company: Company) -> Iterator[Finding]:
    """Say which incidents each paging service hears of: a key that was set for the watchdog tells it of all."""
    there = channels.set_up(settings)
    ways = company.other_ways.with_services(there)
    for via in (via for via in Via if via.is_service and via in there):
        if via in ways.page:
            yield ok(via, "hears of each incident that pages somebody; other_ways.page says otherwise")
        elif via in ways.slack_down:
            yield ok(via, "hears of pages that Slack does not take")
        else:
            yield ok(via, "hears of no incident: other_ways.page leaves it out")


def _zoom(client: ZoomClient, hosts: Sequence[str]) -> Iterator[Finding]:
    """Log in and list each host's meetings; that the app may create some is known from its scopes."""
    for host in hosts:
        try:
            client.check(host)
        except Failed as failure:
            found = failure_of("zoom", failure, "check ZOOM_URL, and the way to Zoom from here")
            yield found if host == OWNER else found._replace(what=f"{host}: {found.what}")
            continue
        if client.scopes and not any(scope.startswith("meeting:write") for scope in client.scopes):
            yield failed("zoom", "the app may not create meetings", "add meeting:write:admin to its scopes")
            return
        yield ok("zoom", "the app's owner can be the host of meetings" if host == OWNER else f"{host} can be a host")


def _routing_key(settings: Settings) -> Iterator[Finding]:
    key = settings.pagerduty_key.get_secret_value() if settings.pagerduty_key else ""
    if not _ROUTING_KEY.fullmatch(key):
        what = "PAGERDUTY_ROUTING_KEY does not look like one: it has 32 letters and digits"
        yield warning("pagerduty", what, "copy the Integration Key of the service's Events API v2 integration")
