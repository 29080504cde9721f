"""Writes a report that is due, and sends those that go by mail.

A channel's report is a message like every reminder's: found again after a lost reply. A mail is at least once; its
delivery's id is the Message-ID.
"""

from hashlib import sha256

from bot.render.blockkit import Message
from bot.render.reports.mail import report_mail
from bot.render.reports.slack import report_message
from escalation.reports.documents import scheduled
from escalation.reports.gather import Gathered, gather
from escalation.reports.schedule import DueReport
from workers.channels.failures import Failed, Kind, Reason
from workers.context import Context
from workers.delivery.problems import report_call

NO_MAIL = Failed("no mail server", Kind.OURS, reason=Reason("no mail server is set up", "set SMTP_URL"))


class ReportWriter:
    """Writes reports from the store, and mails them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def message(self, due: DueReport) -> Message:
        """Write the message of a report."""
        return report_message(scheduled(due.plan, self._gather(due), self._zone))

    def mail(self, due: DueReport) -> None:
        """Mail a report to its address. Raises Failed; what lasts is a problem until a mail went."""
        problem = f"report:mail:{sha256(due.mail.lower().encode()).hexdigest()[:12]}"
        problems = self._context.store.problems
        try:
            self._send(due)
        except Failed as failed:
            name, _, domain = due.mail.partition("@")  # readiness is open to anybody: no address stands there whole
            what = f"reports cannot be mailed to {name[:1]}…@{domain}"
            correct, now = "correct the address in `reports` or `lists`", self._context.clock()
            report_call(problems, problem, "the mail server", failed, now, what=what, remedy=correct)
            raise
        problems.clear(problem)

    def _send(self, due: DueReport) -> None:
        client = self._context.channels.mail
        if client is None:
            raise NO_MAIL
        found = self._gather(due)
        document = scheduled(due.plan, found, self._zone)
        mail = report_mail(document, found.figures, found.names, f"incidents-{due.period.since:%Y-%m-%d}")
        client.send([due.mail], mail, due.id)

    def _gather(self, due: DueReport) -> Gathered:
        context = self._context
        return gather(context.store, context.service.company, due.period, due.before, context.clock())

    @property
    def _zone(self) -> str:
        return self._context.service.company.calendar.timezone
