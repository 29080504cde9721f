"""Mails that came in: an answer to a page, a word in an incident's thread, or somebody's report.

A page's mail asks for answers at an address that holds the page's token. Only its person's own address answers it, and
only in words that mean nothing else; whatever else comes there is posted for the responders to read.
"""

from typing import NamedTuple

from bot.alerts.mail.message import InboundMail, Standing
from bot.alerts.mail.reply import Reply, own_words, read_reply
from bot.alerts.mail.source import refusal, report, writer
from bot.alerts.source import hashed
from escalation.alerts.alert import Alert
from escalation.answers import Answer, AnswerService, PageToAnswer
from escalation.config.notify import Via
from escalation.errors import NotFound, Refused
from escalation.incident.events.news import MailReceived
from escalation.incident.events.outcomes import PageStatus
from escalation.incident.reach import How, ReachState
from escalation.service import IncidentService
from escalation.storage.answers.mail_threads import MailThreads
from escalation.storage.intake import Outcome
from escalation.storage.public.subscribers import Subscribers
from escalation.text import text
from escalation.values import PersonId

MAX_NOTE = 2500  # characters; a section of a Slack message takes 3000
MAX_COMPARED = 200  # characters of a report's first line, which its incident's description has
MAX_WHY = 200  # characters of a mail server's words
REPEATED = "repeated"


class Became(NamedTuple):
    """What became of a mail that is no report; `result` begins with its kind."""

    result: str
    incident: str = ""


class MailReceiver:
    """Takes mails in. Every step may be repeated: a job that dies half-way is run again."""

    def __init__(self, service: IncidentService) -> None:
        self._service = service
        self._answers = AnswerService(service)
        self._threads = MailThreads(service.store.redis)
        self._subscribers = Subscribers(service.store.redis)

    def take(self, mail: InboundMail) -> Became | Alert:
        """Take a mail: as an answer or a word in a thread, else it is a report, unless it is dropped."""
        if subscriber := self._service.mailboxes.bounced(mail.recipients):
            return Became(self._bounced(subscriber, mail))
        if token := self._page_that_came_back(mail):
            return self._page_bounced(token, mail)
        if why := refusal(mail):
            return Became(f"dropped: {why}")
        boxes = self._service.mailboxes
        member = self._answers.member_of(mail.sender)
        if boxes.is_own(mail.sender) or boxes.incident_of(mail.id):
            return Became("dropped: it is a mail of ours that came back")
        if member and mail.proves_another:
            return Became(f"dropped: forged: it is not from {mail.sender}")
        if known := self._threads.incident_of([mail.id]):
            return Became(REPEATED, known)
        taken = self._answered(mail, member) or self._joined(mail, member)
        if taken is None:
            by = member if member and mail.standing is Standing.VERIFIED else writer(mail)
            return report(mail).model_copy(update={"reporter": by, "hold": not self._may_declare(by)})
        if taken.incident:
            self._threads.note(mail.id, taken.incident)
        return taken

    def _bounced(self, subscriber: str, mail: InboundMail) -> str:
        """Count a bounce of a mail to a subscriber of the status page, who is deleted at the third."""
        if not mail.undelivered:
            return "dropped: it answers a mail to a subscriber of the status page"
        ended = self._subscribers.bounced(subscriber, mail.id or hashed(mail.sender, mail.subject, mail.text))
        return "dropped: a subscriber's mail bounced" + (", and the subscription is ended" if ended else "")

    def _page_that_came_back(self, mail: InboundMail) -> str:
        """The token of the page whose mail a mail is about: it bounced to an address of its own, or to its sender."""
        boxes = self._service.mailboxes
        return boxes.bounced_page(mail.recipients) or (boxes.token_of(mail.returned) if mail.undelivered else "")

    def _page_bounced(self, token: str, mail: InboundMail) -> Became:
        """Record that the mail of a page did not reach its person: their next method is taken at once."""
        if not mail.undelivered:
            return Became("dropped: it answers the sender of a page's mail")
        try:
            found = self._answers.by_token(token)
        except NotFound as unknown:
            return Became(f"dropped: {unknown.args[0]}")
        sent = [reach for reach in found.page.reached if reach.via is Via.MAIL]
        named = [reach for reach in sent if any(name.rpartition("@")[0] == reach.effect for name in mail.returned)]
        for reach in (named or sent)[-1:]:
            why = f"it came back: {mail.diagnosis}" if mail.diagnosis else "it came back"
            event = PageStatus(effect=reach.effect, status=ReachState.FAILED, why=why[:MAX_WHY])
            self._service.handle(found.incident.id, event)
        return Became("bounced", found.incident.id)

    def reported(self, mail: InboundMail, outcome: Outcome) -> None:
        """Note which incident a report has, for replies to it. What the incident's description lacks is posted."""
        incident = self._service.find(outcome.incident)
        if incident is None or self._threads.incident_of([mail.id]):
            return
        self._threads.note(mail.id, incident.id)
        first_line = next((line for line in own_words(mail.text).splitlines() if line.strip()), "")
        if first_line[:MAX_COMPARED] not in incident.facts.description:
            self._note(mail, incident.id, self._answers.member_of(mail.sender))

    def _may_declare(self, by: PersonId) -> bool:
        """Check the configuration's permission to declare, where it narrows that: strangers have none then."""
        roles = self._service.company.permissions.get("declare")
        roster = self._service.roster(self._service.clock()) if roles is not None else None
        return roster is None or any(by in roster.of(role) for role in roles or ())

    def _answered(self, mail: InboundMail, member: PersonId) -> Became | None:
        """Answer the page whose token is in the address, or whose code begins the mail; None for a mail to no page."""
        reply = read_reply(mail.text)
        token = self._service.mailboxes.token_of(mail.recipients)
        try:
            if token:
                found = self._answers.by_token(token)
            elif reply.code and member and mail.standing is Standing.VERIFIED:
                found = self._answers.by_code(member, reply.code)
            else:
                return None
        except NotFound as unknown:
            return Became(f"dropped: {unknown.args[0]}")
        if reply.answer is None or not self._may_answer(found, mail, reply):
            return self._note(mail, found.incident.id, member)
        return self._answer(found, reply, mail)

    def _may_answer(self, found: PageToAnswer, mail: InboundMail, reply: Reply) -> bool:
        """Check that a mail is from the page's own person, and that a code in it is of that page."""
        person = found.page.person
        if mail.sender not in self._answers.addresses(person):
            return False
        try:
            return not reply.code or self._answers.by_code(person, reply.code).ref == found.ref
        except NotFound:
            return False

    def _answer(self, found: PageToAnswer, reply: Reply, mail: InboundMail) -> Became:
        """Answer a page, and post what else the reply says."""
        incident, answer = found.incident.id, reply.answer or Answer.DECLINE
        try:
            self._answers.answer(found, answer, How.MAIL, f"answer {mail.id}" if mail.id else "")
        except Refused as refused:
            return Became(f"refused: {text([refused.words], self._answers.names())}", incident)
        if reply.more or mail.attachments:
            self._note(mail, incident, found.page.person)
        return Became("acknowledged" if answer is Answer.ACKNOWLEDGE else "declined", incident)

    def _joined(self, mail: InboundMail, member: PersonId) -> Became | None:
        """Add a reply to the incident of its thread, whether it began with a report or with a mail of ours."""
        known = self._threads.incident_of(mail.references)
        named = next(filter(None, map(self._service.mailboxes.incident_of, reversed(mail.references))), "")
        incident = self._service.find(known or named)
        if incident is None:
            return None
        if incident.private and not known and not (member and mail.standing is Standing.VERIFIED):
            return Became("dropped: it is about a private incident, and its sender is unknown", incident.id)
        reply = read_reply(mail.text)
        page = incident.page_to_answer(member) if member and mail.standing is Standing.VERIFIED else None
        if page and reply.answer and not reply.code:
            return self._answer(PageToAnswer(incident, page), reply, mail)
        return self._note(mail, incident.id, member)

    def _note(self, mail: InboundMail, incident: str, member: PersonId) -> Became:
        words = own_words(mail.text)
        words = words if len(words) <= MAX_NOTE else words[: MAX_NOTE - 1].rstrip() + "…"
        attached = f"Attached (not kept): {', '.join(mail.attachments)}" if mail.attachments else ""
        said = "\n".join(filter(None, (words, attached)))
        if not said:
            return Became("note: an empty mail", incident)
        by = member if member and mail.standing is Standing.VERIFIED else writer(mail)
        key = f"mail {mail.id or hashed(mail.sender, said)}"
        self._service.handle(incident, MailReceived(by=by, text=said, key=key))
        return Became("added", incident)
