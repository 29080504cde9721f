"""Keep track of whose Slack makes no sound, so that a page knows it at once."""

from collections.abc import Iterator
from datetime import datetime

import structlog

from escalation.oncall.silences import EMPTY, Silence, Silences
from escalation.storage.surfaces import DO_NOT_DISTURB
from escalation.values import PersonId
from workers.channels.failures import Failed, Kind
from workers.channels.slack_attention import MOST_PEOPLE
from workers.context import Context
from workers.delivery.problems import report_call

# https://docs.slack.dev/apis/web-api/rate-limits: 20 calls a minute, and a round comes twice.
MOST_CALLS = 8

PROBLEM = "slack:do not disturb"

log = structlog.get_logger()


class DoNotDisturb:
    """Asks Slack about everybody who may be paged, the holders of roles first."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def refresh(self, now: datetime) -> None:
        """Store the silences of these people. What Slack does not tell now stays as it was told before."""
        store, slack = self._context.store, self._context.slack
        if not slack.surfaces.on(DO_NOT_DISTURB):
            return
        known = store.roster_inputs().silences
        found: dict[PersonId, Silence] = {}
        everybody = tuple(self._people(now))[: MOST_CALLS * MOST_PEOPLE]
        for start in range(0, len(everybody), MOST_PEOPLE):
            people = everybody[start : start + MOST_PEOPLE]
            try:
                found |= slack.attention.silences(people)
            except Failed as failed:
                if failed.kind not in (Kind.PASSING, Kind.PERSON, Kind.TOKEN):
                    slack.surfaces.switch_off(DO_NOT_DISTURB, failed.error)
                    log.warning("slack does not tell who is silent", error=failed.error)
                    store.save_silences(EMPTY)
                    return
                if failed.kind is Kind.PASSING:
                    report_call(store.problems, PROBLEM, "Slack", failed, now, what="Do Not Disturb is not looked up")
                found |= {person: known.people[person] for person in people if person in known.people}
            else:
                store.problems.clear(PROBLEM)
        if found != known.people:
            store.save_silences(Silences(people=found))

    def _people(self, now: datetime) -> Iterator[PersonId]:
        """Yield the members who may be paged, each once."""
        company, directory = self._context.service.company, self._context.store.directory()
        on_call = self._context.service.roster(now)
        members = [member for role in on_call.holders for member in on_call.of(role)]
        members += [company.member(key, directory) for key in company.people]
        yield from (member for member in dict.fromkeys(members) if member[:1] in ("U", "W"))
