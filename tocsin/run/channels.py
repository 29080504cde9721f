"""Registry of the channels beside Slack: what each needs in the environment, and the bundle of their clients."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from redis import Redis

from escalation.config.company import Company
from escalation.config.policy import Via
from tocsin.config.settings import Problem, Settings, SettingsError
from workers.channels import Channels
from workers.channels.pagerduty import PagerDutyClient
from workers.channels.slack import SlackClient
from workers.channels.smtp import MailClient
from workers.delivery.mail import MailPlanner
from workers.delivery.pagerduty import PagerDutyPlanner
from workers.delivery.plan import Planner


@dataclass(frozen=True)
class Channel:
    """A channel, registered under its name in the configuration.

    `client` builds its client, or gives None where the environment does not set it up; `missing` is the problem to
    report then, if the configuration asks for it. `planner` builds its planner from the client and the IncidentService.
    """

    via: Via
    client: Callable[[Settings], Any]
    planner: Callable[..., Planner]
    missing: Problem


def mail(settings: Settings) -> MailClient | None:
    """Client of the mail server; None where SMTP_URL is not set."""
    return MailClient(settings.smtp_url.get_secret_value(), settings.smtp_from) if settings.smtp_url else None


def pagerduty(settings: Settings) -> PagerDutyClient | None:
    """Client of PagerDuty; None where no routing key is set."""
    key = settings.pagerduty_key
    return PagerDutyClient(key.get_secret_value(), settings.pagerduty_url) if key else None


_SMTP = Problem("SMTP_URL", "is missing, and the configuration asks for mail; write smtp://user:password@host:587")
_KEY = Problem("PAGERDUTY_ROUTING_KEY", "is missing, and the configuration asks for PagerDuty; copy its key")
REGISTERED = (
    Channel(Via.MAIL, mail, MailPlanner, _SMTP),
    Channel(Via.PAGERDUTY, pagerduty, PagerDutyPlanner, _KEY),
)


def check(settings: Settings, company: Company) -> None:
    """Check that the environment sets up each channel that the configuration asks for; SettingsError when not."""
    wanted = company.other_ways.all()
    missing = [c.missing for c in REGISTERED if c.via in wanted and c.client(settings) is None]
    if missing:
        raise SettingsError(missing)


def connect(settings: Settings, redis: Redis) -> Channels:
    """Build the bundle of all clients that are set up."""
    slack = SlackClient(settings.bot_token.get_secret_value(), settings.api_url, redis)
    clients = ((channel, channel.client(settings)) for channel in REGISTERED)
    return Channels(slack, {c.via: partial(c.planner, client) for c, client in clients if client is not None})
