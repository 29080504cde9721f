"""Messages outside incidents that still show what was removed here: updated in Slack."""

from collections.abc import Callable

import structlog

from bot.render.blockkit import Message
from escalation.storage.keeping.posted import Posted, PostedMessages
from workers.channels.failures import Failed, Kind
from workers.context import Context
from workers.delivery.problems import report_call

AWAY = "posted:slack"  # the problem with Slack that takes no updates

log = structlog.get_logger()


class PostedRounds:
    """Updates what is stale. `stopping` ends a round early."""

    def __init__(self, context: Context, stopping: Callable[[], bool]) -> None:
        self._slack = context.slack
        self._posted = PostedMessages(context.redis)
        self._problems = context.store.problems
        self._clock = context.clock
        self._stopping = stopping

    def run(self) -> None:
        """Update each message. What Slack refuses for good is a problem until somebody deletes the message."""
        for posted in list(self._posted.stale()):
            if self._stopping():
                return
            try:
                self._slack.update(posted.channel, posted.ts, Message(text=posted.text, blocks=posted.blocks))
            except Failed as failed:
                if failed.error != "message_not_found":
                    self._failed(posted, failed)
                    continue
            self._posted.shown(posted)
            self._problems.clear(_key(posted))
            self._problems.clear(AWAY)

    def _failed(self, posted: Posted, failed: Failed) -> None:
        log.warning("message not updated, retrying", channel=posted.channel, ts=posted.ts, error=failed.error)
        what = "a message of ours still shows what was removed here"
        if failed.kind is Kind.PASSING:
            report_call(self._problems, AWAY, "Slack", failed, self._clock(), what=what)
        else:
            link = f"{self._slack.workspace_url().rstrip('/')}/archives/{posted.channel}/p{posted.ts.replace('.', '')}"
            text = f"{what}, {link}: {failed.reason.text}"
            self._problems.report(_key(posted), text, "let the bot edit it there, or delete the message")


def _key(posted: Posted) -> str:
    return f"posted:{posted.channel}:{posted.ts}"
