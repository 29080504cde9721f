"""The ways beside Slack that a configuration asks for, and the secrets in the environment that they need."""

from escalation.config.company import Company
from escalation.config.policy import Via
from tocsin.config.settings import Problem, Settings, SettingsError
from workers.channels.pagerduty import PagerDutyClient
from workers.channels.smtp import MailClient

_NEEDED = {
    Via.MAIL: ("SMTP_URL", "is missing, and the configuration asks for mail; write smtp://user:password@host:587"),
    Via.PAGERDUTY: (
        "PAGERDUTY_ROUTING_KEY",
        "is missing, and the configuration asks for PagerDuty; copy its key",
    ),
}


def check(settings: Settings, company: Company) -> None:
    """SettingsError for each way that the configuration (`other_ways`) names and the environment does not set up."""
    present = {Via.MAIL: settings.smtp_url, Via.PAGERDUTY: settings.pagerduty_key}
    missing = [Problem(*_NEEDED[way]) for way in sorted(company.other_ways.all()) if present[way] is None]
    if missing:
        raise SettingsError(missing)


def mail(settings: Settings) -> MailClient | None:
    """The door to the mail server, where one is set up."""
    return MailClient(settings.smtp_url.get_secret_value(), settings.smtp_from) if settings.smtp_url else None


def pagerduty(settings: Settings) -> PagerDutyClient | None:
    """The door to PagerDuty, where a key is set."""
    key = settings.pagerduty_key
    return PagerDutyClient(key.get_secret_value(), settings.pagerduty_url) if key else None
