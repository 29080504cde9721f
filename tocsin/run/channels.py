"""Registry of the channels beside Slack: what each needs in the environment, and the bundle of their clients."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from redis import Redis

from escalation.config.actions import ACTIONS
from escalation.config.company import Company
from escalation.config.documents.reviews import ReviewPlace, ReviewVendor
from escalation.config.lists import WEBHOOKS
from escalation.config.notify import Via
from escalation.config.tickets import TICKETS, Vendor
from escalation.incident.effects import MEETINGS
from escalation.service import IncidentService
from tocsin.config.action_checks import unusable_secrets
from tocsin.config.settings import Problem, Settings, SettingsError, webhook_secrets
from workers.channels import Channels
from workers.channels.actions import ActionClient
from workers.channels.documents.client import DocumentClient
from workers.channels.documents.confluence import ConfluenceClient
from workers.channels.documents.github import GitHubDocuments
from workers.channels.failures import Failed
from workers.channels.opsgenie import OpsgenieClient
from workers.channels.pagerduty import PagerDutyClient, PagerDutyDirectory
from workers.channels.people.apprise import AppriseClient
from workers.channels.people.ntfy import NtfyClient
from workers.channels.people.pushover import PushoverClient
from workers.channels.people.twilio import TwilioAccount, TwilioClient
from workers.channels.public.statuspage import StatuspageClient
from workers.channels.public.zoom import ZoomClient
from workers.channels.slack import SlackClient
from workers.channels.smtp import MailClient
from workers.channels.trackers.github import GitHubClient
from workers.channels.trackers.jira import JiraClient
from workers.channels.trackers.tracker import TrackerClient
from workers.delivery.automatic.actions import ActionPlanner
from workers.delivery.mail import MailPlanner
from workers.delivery.paging_services import ServicePlanner
from workers.delivery.people.push import ApprisePlanner, NtfyPlanner, PushoverPlanner
from workers.delivery.people.twilio import TwilioPlanner
from workers.delivery.plan import Planner
from workers.delivery.public.meetings import MeetingPlanner
from workers.delivery.public.webhooks import WebhookPlanner
from workers.delivery.trackers.tickets import TicketPlanner


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


def pagerduty_directory(settings: Settings) -> PagerDutyDirectory | None:
    """Reader of PagerDuty's users; None where no API token is set."""
    token = settings.pagerduty_token
    return PagerDutyDirectory(token.get_secret_value(), settings.pagerduty_api_url) if token else None


def opsgenie(settings: Settings) -> OpsgenieClient | None:
    """Client of Opsgenie; None where no API key is set."""
    key = settings.opsgenie_key
    return OpsgenieClient(key.get_secret_value(), settings.opsgenie_url) if key else None


def twilio(settings: Settings) -> TwilioClient | None:
    """Client of Twilio; None where no account is set."""
    if not (settings.twilio_sid and settings.twilio_token):
        return None
    account = TwilioAccount(
        sid=settings.twilio_sid,
        token=settings.twilio_token.get_secret_value(),
        sender=settings.twilio_from,
        service=settings.twilio_service,
        url=settings.twilio_url,
        public_url=settings.public_url,
    )
    return TwilioClient(account)


def calls(settings: Settings) -> TwilioClient | None:
    """Client of Twilio for calls: they need a number, which a Messaging Service is not."""
    return twilio(settings) if settings.twilio_from else None


def pushover(settings: Settings) -> PushoverClient | None:
    """Client of Pushover; None where no token is set."""
    token = settings.pushover_token
    return PushoverClient(token.get_secret_value(), settings.pushover_url) if token else None


def ntfy(settings: Settings) -> NtfyClient | None:
    """Client of the ntfy server; None where NTFY_URL is not set."""
    token = settings.ntfy_token.get_secret_value() if settings.ntfy_token else ""
    return NtfyClient(settings.ntfy_url, token) if settings.ntfy_url else None


def apprise(settings: Settings) -> AppriseClient | None:
    """Client of the services behind Apprise; None where no address is set."""
    urls = [url.get_secret_value() for url in settings.apprise_urls]
    return AppriseClient(urls) if urls else None


def statuspage(settings: Settings) -> StatuspageClient | None:
    """Client of Atlassian Statuspage; None where no page is set."""
    key = settings.statuspage_key
    if not (key and settings.statuspage_page):
        return None
    return StatuspageClient(key.get_secret_value(), settings.statuspage_page, settings.statuspage_url)


def zoom(settings: Settings) -> ZoomClient | None:
    """Client of Zoom; None where no account is set."""
    if not (settings.zoom_account and settings.zoom_client and settings.zoom_secret):
        return None
    secret = settings.zoom_secret.get_secret_value()
    return ZoomClient(settings.zoom_account, settings.zoom_client, secret, settings.zoom_url)


def subscribers(settings: Settings) -> MailClient | None:
    """Client for the mails to subscribers of the status page, who need to reach us; None where they cannot."""
    if not (settings.smtp_url and settings.public_url):
        return None
    return MailClient(settings.smtp_url.get_secret_value(), settings.status_mail_from or settings.smtp_from)


def trackers(settings: Settings) -> dict[Vendor, TrackerClient]:
    """Clients of the trackers that are set up."""
    clients: dict[Vendor, TrackerClient] = {}
    if issues := _github(settings):
        clients[Vendor.GITHUB] = issues
    if settings.jira_url and settings.jira_token:
        token = settings.jira_token.get_secret_value()
        clients[Vendor.JIRA] = JiraClient(settings.jira_url, settings.jira_user, token)
    return clients


def documents(settings: Settings) -> dict[ReviewVendor, DocumentClient]:
    """Clients of the services for published reviews that are set up."""
    clients: dict[ReviewVendor, DocumentClient] = {}
    if issues := _github(settings):
        clients[ReviewVendor.GITHUB] = GitHubDocuments(issues)
    if settings.confluence_url and settings.confluence_token:
        token = settings.confluence_token.get_secret_value()
        user = settings.confluence_user
        clients[ReviewVendor.CONFLUENCE] = ConfluenceClient(settings.confluence_url, user, token)
    return clients


def _github(settings: Settings) -> GitHubClient | None:
    token = settings.github_token
    return GitHubClient(token.get_secret_value(), settings.github_url) if token else None


def _mails(company: Company) -> bool:
    """True if a list or a report of the company goes to mail addresses."""
    return any(kept.mail for kept in company.lists.values()) or any(plan.mail for plan in company.reports or ())


def _missing(variable: str, what: str, remedy: str) -> Problem:
    return Problem(variable, f"is missing, and the configuration asks for {what}; {remedy}")


_SMTP = Problem("SMTP_URL", "is missing, and the configuration asks for mail; write smtp://user:password@host:587")
_KEY = Problem("PAGERDUTY_ROUTING_KEY", "is missing, and the configuration asks for PagerDuty; copy its key")
_TRACKERS = {
    Vendor.GITHUB: _missing("GITHUB_TOKEN", "tickets in GitHub", "make a token with the permission Issues: write"),
    Vendor.JIRA: _missing("JIRA_URL", "tickets in Jira", "set it, JIRA_TOKEN and, for Jira Cloud, JIRA_USER"),
}
_DOCUMENTS = {
    ReviewVendor.GITHUB: _missing(
        "GITHUB_TOKEN", "reviews in GitHub", "make a token with the permission Issues: write"
    ),
    ReviewVendor.CONFLUENCE: _missing(
        "CONFLUENCE_URL", "reviews in Confluence", "set it, CONFLUENCE_USER and CONFLUENCE_TOKEN"
    ),
}
REGISTERED = (
    Channel(Via.MAIL, mail, MailPlanner, _SMTP),
    Channel(Via.SMS, twilio, TwilioPlanner, _missing("TWILIO_ACCOUNT_SID", "SMS", "set it, its token and TWILIO_FROM")),
    Channel(Via.CALL, calls, TwilioPlanner, _missing("TWILIO_FROM", "calls", "set up Twilio, with a number")),
    Channel(Via.PUSHOVER, pushover, PushoverPlanner, _missing("PUSHOVER_TOKEN", "Pushover", "copy its token")),
    Channel(Via.NTFY, ntfy, NtfyPlanner, _missing("NTFY_URL", "ntfy", "write https://ntfy.example.com")),
    Channel(Via.APPRISE, apprise, ApprisePlanner, _missing("APPRISE_URLS", "Apprise", "write its addresses")),
    Channel(Via.PAGERDUTY, pagerduty, ServicePlanner, _KEY),
    Channel(Via.OPSGENIE, opsgenie, ServicePlanner, _missing("OPSGENIE_API_KEY", "Opsgenie", "copy its API key")),
)


def check(settings: Settings, company: Company) -> None:
    """Check that the environment sets up each channel that the configuration asks for; SettingsError when not."""
    by_list = {Via.MAIL} if _mails(company) else set()
    wanted = company.other_ways.all() | by_list
    missing = [c.missing for c in REGISTERED if c.via in wanted and c.client(settings) is None]
    missing += unusable_secrets(company)
    clients = trackers(settings)
    missing += [_TRACKERS[v] for v in dict.fromkeys(t.vendor for t in company.trackers()) if v not in clients]
    published, wanted_there = documents(settings), [v for place in company.review_places() for v in place.named()]
    missing += [_DOCUMENTS[v] for v in dict.fromkeys(wanted_there) if v not in published]
    if missing:
        raise SettingsError(list(dict.fromkeys(missing)))


def try_places(settings: Settings, company: Company) -> Iterator[tuple[ReviewVendor, str, Failed | None]]:
    """Try every place of finished reviews whose service is set up; yields what it is, and why nothing can go there."""
    clients = documents(settings)
    for place in company.review_places():
        for vendor, name in place.named().items():
            if vendor in clients:
                yield vendor, name, _refusal(clients[vendor], place)


def _refusal(client: DocumentClient, place: ReviewPlace) -> Failed | None:
    try:
        client.check(place)
    except Failed as failed:
        return failed
    return None


def set_up(settings: Settings) -> frozenset[Via]:
    """Return the channels beside Slack that the environment sets up."""
    return frozenset(c.via for c in REGISTERED if c.client(settings) is not None)


def connect(settings: Settings, redis: Redis) -> Channels:
    """Build the bundle of all clients that are set up."""
    slack = SlackClient(settings.bot_token.get_secret_value(), settings.api_url, redis)
    clients = ((channel, channel.client(settings)) for channel in REGISTERED)
    others: dict[str, Callable[[IncidentService], Planner]] = {
        str(c.via): partial(c.planner, client) for c, client in clients if client is not None
    }
    others[ACTIONS] = partial(ActionPlanner, ActionClient(webhook_secrets))
    others[WEBHOOKS] = partial(WebhookPlanner, ActionClient(webhook_secrets))
    if meetings := zoom(settings):
        others[MEETINGS] = partial(MeetingPlanner, meetings, settings.zoom_hosts)
    found = trackers(settings)
    others[TICKETS] = partial(TicketPlanner, found)
    return Channels(
        slack, others, statuspage(settings), subscribers(settings), found, mail(settings), documents(settings)
    )
