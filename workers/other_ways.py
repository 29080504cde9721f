"""Sends by other ways than Slack: mail to who is paged and to stakeholders, and the incident in PagerDuty."""

from collections.abc import Callable

from escalation.desk import Desk
from escalation.effects import Alert, MailOut, PageBy
from escalation.elsewhere import page_letter, stakeholder_letter
from escalation.events import Delivered, Dropped, OutcomeEvent
from escalation.incident import Incident
from escalation.records import PageState
from escalation.values import PersonId
from escalation.wording import Wording
from workers.channels.mail import MailDoor
from workers.channels.pagerduty import PagerDutyDoor
from workers.pacing import Budget
from workers.planning import Plan, Went

STAKEHOLDERS = "stakeholders"
# A provider's patience is not known beforehand; ten at once and then five a second troubles none.
MAIL = Budget("mail", 0.2, 10)
ALERT = Budget("pagerduty", 0.5, 10)  # https://developer.pagerduty.com/docs/events-api-rate-limits: 120 a minute


class Others:
    """Plans them; `mail` and `pagerduty` are None where they are not set up."""

    def __init__(self, desk: Desk, mail: MailDoor | None, pagerduty: PagerDutyDoor | None) -> None:
        self._desk = desk
        self._mail = mail
        self._pagerduty = pagerduty

    def plan(self, incident: Incident, effect: PageBy | Alert | MailOut, wording: Wording) -> Plan | OutcomeEvent:
        """The send, or its outcome when there is nothing (left) to send."""
        match effect:
            case PageBy():
                return self._page(incident, effect)
            case Alert():
                return self._alert(incident, effect)
            case MailOut():
                return self._mail_out(incident, effect, wording)

    def _page(self, incident: Incident, effect: PageBy) -> Plan | OutcomeEvent:
        page = incident.page(effect.page)
        if incident.status.closed or page.state is not PageState.OPEN or effect.nth < page.sent:
            return Dropped(effect=effect.id, why="moot")
        to, mail = self._address(page.person), self._mail
        if mail is None or not to:
            return Dropped(effect=effect.id, why="no mail server is set up" if mail is None else "no address is known")
        letter = page_letter(incident, page.n, self._desk.store.directory().names)
        return Plan(MAIL, _sending(effect, lambda: mail.send([to], letter, effect.id)))

    def _alert(self, incident: Incident, effect: Alert) -> Plan | OutcomeEvent:
        service = self._pagerduty
        if service is None:
            return Dropped(effect=effect.id, why="no PagerDuty key is set")
        return Plan(ALERT, _sending(effect, lambda: service.send(incident, effect.action)))

    def _mail_out(self, incident: Incident, effect: MailOut, wording: Wording) -> Plan | OutcomeEvent:
        mail = self._mail
        to = [a for p in self._desk.roster(self._desk.clock()).of(STAKEHOLDERS) if (a := self._address(p))]
        if mail is None or not to or incident.private:
            return Dropped(effect=effect.id, why="there is nobody to mail, or no server")
        names = self._desk.store.directory().names
        letter = stakeholder_letter(incident, incident.entry(effect.entry), wording, names)
        return Plan(MAIL, _sending(effect, lambda: mail.send(to, letter, effect.id)))

    def _address(self, person: PersonId) -> str:
        return self._desk.company.mail_of(person, self._desk.store.directory())


def _sending(effect: PageBy | Alert | MailOut, send: Callable[[], None]) -> Callable[[bool], Went]:
    """Whether it may have gone before makes no difference: these ways recognise a doubled one, or cannot be asked."""

    def go(again: bool) -> Went:
        send()
        return Went(Delivered(effect=effect.id))

    return go
