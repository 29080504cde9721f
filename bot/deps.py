"""Dependencies of the bot: settings, the store and the service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from redis import Redis

from bot.alerts.authentication import AlertSecrets
from bot.alerts.cloud.amazon import Amazon
from escalation.config.company import Company
from escalation.config.policy import Policy
from escalation.service import IncidentService
from escalation.storage.intake import AsyncIntake
from escalation.storage.public.folder import StatusFolder
from escalation.storage.store import Store


class VendorNews(Protocol):
    """What vendors report about our deliveries; workers know what their codes mean."""

    def twilio_status(self, delivery: str, form: Mapping[str, str]) -> None:
        """Record the status of an SMS or a call."""

    def pagerduty_mail(self, user_id: str) -> str:
        """Return the mail address of a user of PagerDuty; empty where that cannot be read."""

    def pushover(self, token: str, receipt: str) -> None:
        """Read a receipt again, and record the answer that it shows. NotFound for one that we do not know."""


class TrackerNews(Protocol):
    """What trackers report about our tickets; workers know what their payloads mean. Each says what became of it."""

    def github(self, event: str, told: Any) -> str:
        """Follow a webhook of GitHub."""

    def jira(self, told: Any) -> str:
        """Follow a webhook of Jira."""


@dataclass(frozen=True)
class AnswerDeps:
    """What answers from outside need: our public address, the secrets that sign them, and who reads vendors' news."""

    public_url: str = ""
    twilio_tokens: tuple[str, ...] = ()
    twilio_keys: tuple[str, ...] = ()
    pagerduty_secrets: tuple[str, ...] = ()
    opsgenie_tokens: tuple[str, ...] = ()
    news: VendorNews | None = None
    github_secrets: tuple[str, ...] = ()
    jira_secrets: tuple[str, ...] = ()
    trackers: TrackerNews | None = None


@dataclass(frozen=True)
class BotDeps:
    """Dependencies of the bot.

    `app_token` chooses Socket Mode; without one, requests over HTTP are verified with `signing_secret`. `port` 0 takes
    a free one. Without an `intake` no alerts are taken; `spool` is the folder for those that come while Redis is away.
    `status` is the folder of our own status page, where the configuration has one; `amazon` fetches what verifies SNS.
    """

    bot_token: str
    redis: Redis
    store: Store
    service: IncidentService
    company: Company
    policy: Policy
    slack_api_url: str
    app_token: str | None = None
    signing_secret: str | None = None
    intake: AsyncIntake | None = None
    alert_secrets: AlertSecrets = field(default_factory=AlertSecrets)
    amazon: Amazon = field(default_factory=Amazon)
    answers: AnswerDeps = field(default_factory=AnswerDeps)
    spool: Path = Path("data/spool")
    status: StatusFolder | None = None
    host: str = "127.0.0.1"
    port: int = 3000

    @property
    def roles(self) -> dict[str, str]:
        """Every role that can be paged -> its display name: the policy's, and those of the company alone."""
        return {role: role.replace("_", " ") for role in self.company.roles} | self.policy.roles
