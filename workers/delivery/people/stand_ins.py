"""Take over a page that Slack sent by itself while Tocsin was away: it becomes the page, and nobody is rung twice."""

from collections.abc import Callable
from datetime import datetime

import structlog

from bot.render.blockkit import Message
from escalation.incident.effects import SendPage
from escalation.incident.events.outcomes import Delivered
from escalation.incident.model import Incident
from escalation.values import PersonId
from workers.channels import Tag
from workers.channels.failures import Failed
from workers.channels.slack import SlackClient
from workers.delivery.plan import SendResult
from workers.queue.stand_ins import Record, Records

log = structlog.get_logger()


class StandInPages:
    """Finds the posted stand-in of a page, and turns it into the page."""

    def __init__(self, client: SlackClient) -> None:
        self._slack = client
        self._records = Records(client.redis)

    def adopt(
        self, incident: Incident, effect: SendPage, person: PersonId, render: Callable[[], Message], now: datetime
    ) -> SendResult | None:
        """Return the page that Slack sent in our place; None if it sent none, or it cannot be told now."""
        record = self._records.posted(incident.id, person, now)
        if record is None:
            return None
        try:
            return self._take_over(incident, effect, person, record, render)
        except Failed as failed:
            log.warning("stand-in of a page not found", effect=effect.id, error=failed.error)
            return None

    def _take_over(
        self, incident: Incident, effect: SendPage, person: PersonId, record: Record, render: Callable[[], Message]
    ) -> SendResult | None:
        sent = self._slack.find_block(record.channel, block_id(record), record.stand_in.sends_at)
        if sent is None or not self._records.drop(record):
            return None
        self._slack.update(sent.channel, sent.ts, render(), Tag(effect.id, incident.face))
        outcome = Delivered(
            effect=effect.id,
            channel=sent.channel,
            ts=sent.ts,
            face=incident.face,
            person=person,
            by_slack_at=record.stand_in.sends_at,
        )
        return SendResult(outcome, adopted=True)


def block_id(record: Record) -> str:
    """Id of the block that marks the message of a record."""
    return f"stand-in-{record.stand_in.key}"
