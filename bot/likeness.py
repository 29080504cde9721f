"""What is like an incident, as an answer: open ones that may be the same problem, and closed ones with their fix."""

from zoneinfo import ZoneInfo

from bot.access import Access
from bot.render.blockkit import Message, action_row
from bot.render.lists import say
from bot.render.replies import lines_reply
from escalation.incident.model import Incident
from escalation.search.document import document
from escalation.search.likeness import Likeness, past_lines, same_lines, to_join
from escalation.storage.search.likeness import Likenesses
from escalation.text import Line, Strong, line

NONE = "No other incident is like this one."
SHOWN = 5  # buttons of a row: https://docs.slack.dev/reference/block-kit/blocks/actions-block has room for more


class LikenessAnswers:
    """Answers about what is like an incident."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._likenesses = Likenesses(access.deps.store, access.search)

    async def of(self, incident: Incident) -> Message | None:
        """Build the message about what is like an incident; None when nothing is."""
        found = await self._access.run(self._likenesses.of, incident)
        if not found:
            return None
        message = lines_reply(self._lines(incident, found))
        join = _joins(incident, found)
        same = [say(f"cancel {incident.id} duplicate of {join}", "Same problem", "same")] if join else []
        show = [say(f"show {d.id}", f"Show {d.id[4:]}", f"show-{d.id}") for d in (*found.open, *found.past)]
        return Message(message.text, [*message.blocks, *action_row([*same, *show[:SHOWN]], "alike")])

    def _lines(self, incident: Incident, found: Likeness) -> tuple[Line, ...]:
        lines: list[Line] = []
        if found.open:
            lines += [line(Strong("Maybe the same problem as an open incident:")), *same_lines(found)]
            if join := _joins(incident, found):
                what = f" closes this one as a duplicate, posts its report to {join} and invites its reporter there."
                lines.append(line(Strong("Same problem"), what))
        if found.past:
            today = incident.declared_at.astimezone(ZoneInfo(self._access.deps.company.timezone)).date()
            lines += [line(Strong("Similar incidents of the past:")), *past_lines(found, today)]
        return tuple(lines)


def _joins(incident: Incident, found: Likeness) -> str:
    return to_join(document(incident), found.open) if incident.open else ""
