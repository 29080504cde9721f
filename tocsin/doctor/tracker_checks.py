"""Health checks of the trackers that tickets go to, and of where reviews are published. Nothing is created."""

from collections.abc import Iterator

from escalation.config.company import Company
from escalation.config.tickets import Vendor
from tocsin.config.settings import Settings
from tocsin.doctor.finding import Finding, ok, warning
from tocsin.doctor.people_checks import failure_of
from tocsin.run import channels
from workers.channels.failures import Failed

_SECRETS = {Vendor.GITHUB: "GITHUB_WEBHOOK_SECRET", Vendor.JIRA: "JIRA_WEBHOOK_SECRET"}


def tracker_findings(settings: Settings, company: Company | None) -> Iterator[Finding]:
    """Check each tracker that the configuration names."""
    clients, named = channels.trackers(settings), company.trackers() if company else ()
    for tracker in named:
        client = clients.get(tracker.vendor)
        if client is None:
            continue  # a problem of the settings, which were checked
        try:
            client.check(tracker)
            yield ok(tracker.vendor, f"tickets can go to {tracker.project}")
        except Failed as failed:
            yield failure_of(tracker.vendor, failed, f"check the way to {tracker.vendor.words} from here")
    for vendor in dict.fromkeys(tracker.vendor for tracker in named):
        if not settings.hook_secret(_SECRETS[vendor]):
            what = f"what others change there is seen within three minutes only: {_SECRETS[vendor]} is not set"
            yield warning(vendor, what, f"set it, and point a webhook at TOCSIN_URL/hooks/{vendor}")


def review_findings(settings: Settings, company: Company | None) -> Iterator[Finding]:
    """Check each place that finished reviews are published in, at every service that it names."""
    for vendor, name, refusal in channels.try_places(settings, company) if company else ():
        if refusal:
            yield failure_of(vendor, refusal, f"check the way to {vendor.words} from here")
        else:
            yield ok(vendor, f"reviews can go to {name}")
