"""Planner of invitations: mails to those of the people who are still in the workspace."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from escalation.incident.effects import SendInvitation
from escalation.incident.events.outcomes import Delivered, Dropped
from escalation.incident.model import Incident
from escalation.values import PersonId
from workers.channels.slack import SlackClient
from workers.delivery.plan import Plan, Planned, Planner, SendResult


class InvitationPlanner:
    """Plans invitations around `mail`, which sends them (None: it is not set up)."""

    def __init__(self, mail: Planner | None, slack: SlackClient) -> None:
        self._mail = mail
        self._slack = slack

    def plan(self, incident: Incident, effect: SendInvitation, now: datetime) -> Planned:
        """Plan the mails. Who left is named as not reached; that a meeting is off is mailed to whoever was invited."""
        if self._mail is None:
            return Dropped(effect=effect.id, why="it is not set up")
        left = {} if effect.cancelled else self._slack.absent(effect.people)
        there = tuple(person for person in effect.people if person not in left)
        planned = self._mail.plan(incident, effect.model_copy(update={"people": there}), now)
        if left and isinstance(planned, Plan):
            return replace(planned, go=lambda retrying: _with(left, planned.go(retrying)))
        if left and not there and isinstance(planned, Dropped):
            return Delivered(effect=effect.id, refused=left)
        return planned


def _with(left: Mapping[PersonId, str], result: SendResult) -> SendResult:
    """Name those who left beside whom the mail server refused."""
    if not isinstance(result.outcome, Delivered):
        return result
    return replace(result, outcome=result.outcome.model_copy(update={"refused": {**result.outcome.refused, **left}}))
