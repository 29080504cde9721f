"""What vendors report about our pages: statuses of SMS and calls, receipts of notifications.

Their order is not guaranteed: the incident ranks what it hears, and takes nothing back.
"""

from collections.abc import Mapping

import structlog

from escalation.answers import Answer, AnswerService
from escalation.config.notify import Via
from escalation.errors import NotFound, Refused
from escalation.incident.events.outcomes import PageStatus
from escalation.incident.reach import How, ReachState
from escalation.oncall import trials
from escalation.oncall.schedule import TRIAL, TrialState
from escalation.service import IncidentService
from escalation.storage.alarms import incident_of
from escalation.storage.vendor_ids import VendorIds
from workers.channels.failures import Failed, Kind
from workers.channels.pagerduty import PagerDutyDirectory
from workers.channels.people.pushover import PushoverClient
from workers.channels.refusals.twilio import country_code, twilio_failure
from workers.delivery.problems import report_call

UNDELIVERED = "twilio:undelivered"  # the beginning of keys in the register of problems: of SMS or calls, by country
PAGERDUTY_USERS, RECEIPTS = "pagerduty:users", "pushover:receipts"
# https://www.twilio.com/docs/messaging/api/message-resource#message-status-values
# https://www.twilio.com/docs/voice/api/call-resource#call-status-values. Answered is not acknowledged: a key is.
_STATES = {
    "queued": None,
    "accepted": None,
    "scheduled": None,
    "sending": None,
    "initiated": None,
    "ringing": None,
    "sent": ReachState.ACCEPTED,
    "partially_delivered": ReachState.ACCEPTED,
    "delivered": ReachState.DELIVERED,
    "read": ReachState.DELIVERED,
    "answered": ReachState.DELIVERED,
    "in-progress": ReachState.DELIVERED,
    "completed": ReachState.DELIVERED,
    "undelivered": ReachState.FAILED,
    "failed": ReachState.FAILED,
    "canceled": ReachState.FAILED,
    "busy": ReachState.FAILED,
    "no-answer": ReachState.FAILED,
}
_WHYS = {"busy": "the line is busy", "no-answer": "nobody picked up", "canceled": "it was cancelled at Twilio"}

log = structlog.get_logger()


class News:
    """Reads the news of vendors; a client is None where it is not set up."""

    def __init__(
        self,
        service: IncidentService,
        pushover: PushoverClient | None = None,
        pagerduty: PagerDutyDirectory | None = None,
    ) -> None:
        self._service = service
        self._pushover = pushover
        self._pagerduty = pagerduty
        self._answers = AnswerService(service)
        self._ids = VendorIds(service.store.redis)

    def twilio_status(self, delivery: str, form: Mapping[str, str]) -> None:
        """Record the status of an SMS or a call. A status that is not known yet changes nothing."""
        sid = form.get("MessageSid") or form.get("CallSid") or ""
        status = (form.get("MessageStatus") or form.get("CallStatus") or "").lower()
        if sid:
            self._ids.claim(delivery, sid)
        state = _STATES.get(status)
        if state is None:
            return
        why = self._failure(status, form) if state is ReachState.FAILED else ""
        if state is ReachState.DELIVERED:
            self._service.store.problems.clear(_undelivered(form))
        if delivery.startswith(TRIAL):
            self._trial(delivery, state, why)
            return
        event = PageStatus(effect=delivery, status=state, why=why)
        try:
            self._service.handle(incident_of(delivery), event)
        except NotFound:
            log.warning("status of a delivery that is not known", delivery=delivery)

    def _trial(self, delivery: str, state: ReachState, why: str) -> None:
        """Record what became of the test of a method, and have its person told."""
        number = delivery.removeprefix(TRIAL)
        if number.isdecimal():
            became = TrialState(state)
            self._service.store.update_oncall_state(
                lambda before: trials.record(before, int(number), became, self._service.clock(), why)
            )
            self._service.store.request_upkeep()

    def _failure(self, status: str, form: Mapping[str, str]) -> str:
        """Why it failed. What is ours is reported."""
        if status in _WHYS:
            return _WHYS[status]
        code = form.get("ErrorCode", "")
        to = form.get("To", "")
        failed = twilio_failure(400, int(code), to=to) if code.isdecimal() and code != "0" else None
        if failed is None:
            return "it was not delivered"
        if failed.kind is Kind.OURS:
            text = f"pages fail: {failed.reason.text}"
            self._service.store.problems.report(_undelivered(form), text, failed.reason.remedy)
        return failed.reason.text

    def pagerduty_mail(self, user_id: str) -> str:
        """Return the mail address of a user of PagerDuty; empty where that cannot be read."""
        if self._pagerduty is None or not user_id:
            return ""
        try:
            mail = self._pagerduty.mail_of(user_id)
        except Failed as failed:
            log.warning("user of pagerduty not read", error=failed.error)
            self._report(PAGERDUTY_USERS, "answers in PagerDuty are known by name only", failed)
            return ""
        self._service.store.problems.clear(PAGERDUTY_USERS)
        return mail

    def _report(self, problem: str, what: str, failed: Failed) -> None:
        """Report a failure of ours, and one that lasts."""
        vendor = "PagerDuty" if problem == PAGERDUTY_USERS else "Pushover"
        report_call(self._service.store.problems, problem, vendor, failed, self._service.clock(), what=what)

    def pushover(self, token: str, receipt: str) -> None:
        """Record that a notification was acknowledged, if its receipt says so: the callback itself is not signed."""
        found = self._answers.by_token(token)
        mine = incident_of(self._ids.delivery(receipt)) if self._ids.delivery(receipt) else ""
        if self._pushover is None or mine != found.incident.id:
            raise NotFound(receipt)
        try:
            read = self._pushover.receipt(receipt)
        except Failed as failed:
            log.warning("receipt not read", error=failed.error)
            self._report(RECEIPTS, "acknowledgements in Pushover are not seen", failed)
            raise Refused("the receipt could not be read now") from None  # 503: a callback that failed may come again
        self._service.store.problems.clear(RECEIPTS)
        if read.acknowledged:
            try:
                self._answers.answer(found, Answer.ACKNOWLEDGE, How.PUSHOVER, f"pushover:{receipt}")
            except Refused as refused:
                log.info("late acknowledgement", incident=found.incident.id, why=str(refused))


def _undelivered(form: Mapping[str, str]) -> str:
    """Key of the problem with what is taken and not delivered: an arrival in another country cures none."""
    what = Via.CALL if form.get("CallSid") else Via.SMS
    return f"{UNDELIVERED}:{what}:{country_code(form.get('To', ''))}"
