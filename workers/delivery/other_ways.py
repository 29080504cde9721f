"""Sends by other ways than Slack: mail to who is paged and to stakeholders, and the incident in PagerDuty."""

import contextlib
from collections.abc import Callable
from datetime import datetime

from escalation.errors import TooNew
from escalation.incident.effects import Alert, Effect, MailOut, PageBy
from escalation.incident.events import Delivered, Dropped, OutcomeEvent
from escalation.incident.model import Incident, PageState
from escalation.messages.mail import Call, page_letter, stakeholder_letter
from escalation.messages.template import Wording
from escalation.service import IncidentService
from escalation.storage.alarms import incident_of
from escalation.values import PersonId
from workers.channels.failures import Failed, Kind
from workers.channels.pagerduty import PagerDutyClient
from workers.channels.smtp import MailClient
from workers.delivery.envelopes import Envelopes
from workers.delivery.plan import Plan, RetryAt, SendResult
from workers.delivery.rate_limits import Budget

STAKEHOLDERS = "stakeholders"
# A provider's patience is not known beforehand; ten at once and then five a second troubles none.
MAIL = Budget("mail", 0.2, 10)
ALERT = Budget("pagerduty", 0.5, 10)  # https://developer.pagerduty.com/docs/events-api-rate-limits: 120 a minute


class Others:
    """Plans them; `mail` and `pagerduty` are None where they are not set up."""

    def __init__(self, service: IncidentService, mail: MailClient | None, pagerduty: PagerDutyClient | None) -> None:
        self._service = service
        self._mail = mail
        self._pagerduty = pagerduty
        self._envelopes = Envelopes(service.store)

    def plan(
        self, incident: Incident, effect: PageBy | Alert | MailOut, wording: Wording, now: datetime
    ) -> Plan | RetryAt | SendResult | OutcomeEvent:
        """The send, or its outcome when there is nothing (left) to send."""
        match effect:
            case PageBy():
                return self._page(incident, effect, now)
            case Alert():
                return self._alert(incident, effect)
            case MailOut():
                return self._mail_out(incident, effect, wording)

    def _page(self, incident: Incident, effect: PageBy, now: datetime) -> Plan | RetryAt | SendResult | OutcomeEvent:
        call = _call(incident, effect)
        if call is None:
            return Dropped(effect=effect.id, why="moot")
        to, mail = self._address(call.page.person), self._mail
        if mail is None or not to:
            return Dropped(effect=effect.id, why="no mail server is set up" if mail is None else "no address is known")
        elsewhere = self._envelopes.join(incident, effect, to, now)
        if elsewhere:
            return elsewhere
        return Plan(MAIL, _sending(effect, lambda: self._send_together(mail, to, call, effect)))

    def _send_together(self, mail: MailClient, to: str, call: Call, effect: PageBy) -> None:
        enclosed = self._enclosed(self._envelopes.seal(to, effect))
        letter = page_letter([call, *filter(None, enclosed.values())], self._service.store.directory().names)
        try:
            mail.send([to], letter, effect.id)
        except Failed as failed:
            if failed.kind is Kind.OURS:
                self._envelopes.part(to, enclosed)
            raise
        self._envelopes.sent(to, enclosed)

    def _enclosed(self, effect_ids: tuple[str, ...]) -> dict[str, Call | None]:
        """What goes with a mail: None for what calls nobody by now. Without what cannot be read here."""
        found: dict[str, Call | None] = {}
        for effect_id in effect_ids:
            with contextlib.suppress(KeyError, ValueError, TooNew):
                incident = self._service.store.get(incident_of(effect_id))
                found[effect_id] = _call(incident, incident.effect(effect_id))
        return found

    def _alert(self, incident: Incident, effect: Alert) -> Plan | OutcomeEvent:
        service = self._pagerduty
        if service is None:
            return Dropped(effect=effect.id, why="no PagerDuty key is set")
        return Plan(ALERT, _sending(effect, lambda: service.send(incident, effect.action)))

    def _mail_out(self, incident: Incident, effect: MailOut, wording: Wording) -> Plan | OutcomeEvent:
        mail = self._mail
        to = [a for p in self._service.roster(self._service.clock()).of(STAKEHOLDERS) if (a := self._address(p))]
        if mail is None or not to or incident.private:
            return Dropped(effect=effect.id, why="there is nobody to mail, or no server")
        names = self._service.store.directory().names
        letter = stakeholder_letter(incident, incident.entry(effect.entry), wording, names)
        return Plan(MAIL, _sending(effect, lambda: mail.send(to, letter, effect.id)))

    def _address(self, person: PersonId) -> str:
        return self._service.company.mail_of(person, self._service.store.directory())


def _call(incident: Incident, effect: Effect | None) -> Call | None:
    """The page of a mail, while it still calls somebody and no repeat of it was sent."""
    if not isinstance(effect, PageBy) or incident.status.closed:
        return None
    page = incident.page(effect.page)
    return Call(incident, page) if page.state is PageState.OPEN and effect.nth >= page.sent else None


def _sending(effect: PageBy | Alert | MailOut, send: Callable[[], None]) -> Callable[[bool], SendResult]:
    """Whether it may have gone before makes no difference: these ways recognise a doubled one, or cannot be asked."""

    def go(again: bool) -> SendResult:
        send()
        return SendResult(Delivered(effect=effect.id))

    return go
