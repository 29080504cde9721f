"""Health checks of the channels beside Slack: the mail server takes our login, PagerDuty can be reached."""

import re
from collections.abc import Iterator

from tocsin.config.settings import Settings
from tocsin.doctor.finding import Finding, ok, warning
from tocsin.doctor.people_checks import failure_of
from tocsin.run import channels
from workers.channels.failures import Failed

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
    if pagerduty := channels.pagerduty(settings):
        yield from _routing_key(settings)
        try:
            pagerduty.check()
            yield ok("pagerduty", "can be reached")
        except Failed as failure:
            yield failure_of("pagerduty", failure, "check PAGERDUTY_URL, and the way there from here")


def _routing_key(settings: Settings) -> Iterator[Finding]:
    key = settings.pagerduty_key.get_secret_value() if settings.pagerduty_key else ""
    if not _ROUTING_KEY.fullmatch(key):
        what = "PAGERDUTY_ROUTING_KEY does not look like one: it has 32 letters and digits"
        yield warning("pagerduty", what, "copy the Integration Key of the service's Events API v2 integration")
