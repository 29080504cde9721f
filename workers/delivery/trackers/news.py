"""What trackers report of our tickets. The incident, or the action item, compares: what it knows already is no news."""

import re
from dataclasses import replace
from typing import Any

import structlog

from escalation.config.tickets import Vendor
from escalation.errors import NotFound, Refused
from escalation.incident.events.news import IssueSeen
from escalation.reviews.item_tickets import TicketNews, follow
from escalation.service import IncidentService
from escalation.storage.action_items import ActionItems
from escalation.storage.problems import REPORT_IT
from escalation.storage.tickets import TicketRecords
from workers.channels.trackers import github, jira
from workers.channels.trackers.tracker import Found

_ID = r"(INC-\d{8}-\d{3,})(?:-item-(\d+))?(?:-private)?"
_HIDDEN = re.compile(rf"<!-- tocsin:{_ID} -->")
_LABEL = re.compile(rf"tocsin-{_ID}")
NOTHING = "nothing to do"

log = structlog.get_logger()


class TrackerNews:
    """Reads webhooks of trackers, which their secrets have authenticated. Each method returns what became of it."""

    def __init__(self, service: IncidentService) -> None:
        self._service = service
        self._records = TicketRecords(service.store.redis)
        self._items = ItemNews(service)

    def github(self, event: str, told: Any) -> str:
        """Follow an event about issues. https://docs.github.com/webhooks/webhook-events-and-payloads#issues"""
        if event != "issues":
            return NOTHING
        try:
            found = github.found(told["issue"], told["repository"]["full_name"])
            ids = _HIDDEN.findall(told["issue"].get("body") or "")
            action, sender = str(told.get("action")), str((told.get("sender") or {}).get("login", ""))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return self._unreadable(Vendor.GITHUB, error)
        return self._seen(_gone(found, action == "deleted"), ids, sender, sender)

    def jira(self, told: Any) -> str:
        """Follow an event about issues. https://developer.atlassian.com/cloud/jira/platform/webhooks/"""
        try:
            event = str(told.get("webhookEvent"))
            if event not in ("jira:issue_updated", "jira:issue_deleted"):
                return NOTHING
            found = jira.found(told["issue"], "")
            ids = [(m[1], m[2] or "") for label in found.labels if (m := _LABEL.fullmatch(label))]
            sender, name = jira.person(told.get("user")), str((told.get("user") or {}).get("displayName", ""))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return self._unreadable(Vendor.JIRA, error)
        return self._seen(_gone(found, event == "jira:issue_deleted"), ids, sender, name or sender)

    def _seen(self, found: Found, ids: list[tuple[str, str]], sender: str, name: str) -> str:
        """Hand it to the incident. Who forges its mark in another issue changes nothing: the key is compared."""
        issue = found.issue
        if not ids:
            return "no ticket of ours"
        if sender and sender == self._records.me(issue.vendor):
            return "our own doing"
        incident, number = ids[0]
        if number:
            return "taken" if self._items.tell(f"{incident}/{number}", found, sender, name) else "no item of ours"
        company, store = self._service.company, self._service.store
        member = company.member_of_login(issue.vendor, sender, store.directory())
        try:
            self._service.handle(incident, IssueSeen(issue=issue, by=member, known_as=name[:100]))
        except NotFound:
            return "no incident of ours"
        return "taken"

    def _unreadable(self, vendor: Vendor, error: Exception) -> str:
        log.warning("webhook not understood", vendor=vendor, error=type(error).__name__)
        text = f"a webhook of {vendor.words} was not understood: changes there are seen by looking, some minutes later"
        self._service.store.problems.report(f"webhook:{vendor}", text, REPORT_IT)
        return "not understood"


class ItemNews:
    """Tells action items what others did to their tickets."""

    def __init__(self, service: IncidentService) -> None:
        self._service = service
        self._items = ActionItems(service.store.redis)

    def tell(self, item_id: str, found: Found, sender: str, known_as: str) -> bool:
        """Tell an item; False if there is none. Raises RedisError."""
        company, directory = self._service.company, self._service.store.directory()
        vendor, now = found.issue.vendor, self._service.clock()
        assigned = (company.member_of_login(vendor, login, directory) for login in found.issue.assignees)
        news = TicketNews(
            issue=found.issue,
            due=found.due,
            worked=found.worked,
            by=company.member_of_login(vendor, sender, directory),
            known_as=known_as[:100],
            assigned=tuple(filter(None, assigned)),
        )
        try:
            after = self._items.change(item_id, lambda item: follow(item, news, now))
            self._service.see_review(after.incident)
        except (Refused, NotFound):
            return False
        return True


def _gone(found: Found, gone: bool) -> Found:
    return replace(found, issue=found.issue.model_copy(update={"gone": gone}))
