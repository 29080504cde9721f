"""What trackers report of our tickets. The incident compares: what it knows already, and what is older, is no news."""

import re
from typing import Any

import structlog

from escalation.config.tickets import Vendor
from escalation.errors import NotFound
from escalation.incident.events.news import IssueSeen
from escalation.incident.tracked import Issue
from escalation.service import IncidentService
from escalation.storage.tickets import TicketRecords
from workers.channels.trackers import github, jira

_ID = r"(INC-\d{8}-\d{3,})(?:-private)?"
_HIDDEN = re.compile(rf"<!-- tocsin:{_ID} -->")
_LABEL = re.compile(rf"tocsin-{_ID}")
NOTHING = "nothing to do"

log = structlog.get_logger()


class TrackerNews:
    """Reads webhooks of trackers, which their secrets have authenticated. Each method returns what became of it."""

    def __init__(self, service: IncidentService) -> None:
        self._service = service
        self._records = TicketRecords(service.store.redis)

    def github(self, event: str, told: Any) -> str:
        """Follow an event about issues. https://docs.github.com/webhooks/webhook-events-and-payloads#issues"""
        if event != "issues":
            return NOTHING
        try:
            found = github.found(told["issue"], told["repository"]["full_name"])
            ids = _HIDDEN.findall(told["issue"].get("body") or "")
            action, sender = str(told.get("action")), str((told.get("sender") or {}).get("login", ""))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return _unreadable(Vendor.GITHUB, error)
        issue = found.issue.model_copy(update={"gone": action == "deleted"})
        return self._seen(issue, ids, sender, sender)

    def jira(self, told: Any) -> str:
        """Follow an event about issues. https://developer.atlassian.com/cloud/jira/platform/webhooks/"""
        try:
            event = str(told.get("webhookEvent"))
            if event not in ("jira:issue_updated", "jira:issue_deleted"):
                return NOTHING
            found = jira.found(told["issue"], "")
            ids = [m[1] for label in found.labels if (m := _LABEL.fullmatch(label))]
            sender, name = jira.person(told.get("user")), str((told.get("user") or {}).get("displayName", ""))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return _unreadable(Vendor.JIRA, error)
        issue = found.issue.model_copy(update={"gone": event == "jira:issue_deleted"})
        return self._seen(issue, ids, sender, name or sender)

    def _seen(self, issue: Issue, ids: list[str], sender: str, name: str) -> str:
        """Hand it to the incident. Who forges its mark in another issue changes nothing: the key is compared."""
        if not ids:
            return "no ticket of ours"
        if sender and sender == self._records.me(issue.vendor):
            return "our own doing"
        company, store = self._service.company, self._service.store
        member = company.member_of_login(issue.vendor, sender, store.directory())
        try:
            self._service.handle(ids[0], IssueSeen(issue=issue, by=member, known_as=name[:100]))
        except NotFound:
            return "no incident of ours"
        return "taken"


def _unreadable(vendor: Vendor, error: Exception) -> str:
    log.warning("webhook not understood", vendor=vendor, error=type(error).__name__)
    return "not understood"
