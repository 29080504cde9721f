"""Form of the communications that wait for a person: their drafts, and what to record. Pure."""

from collections.abc import Iterable

from bot.errors import InvalidForm
from bot.moves.form import FormContext, Submission
from bot.render.blockkit import SECTION, Block, sections
from bot.render.inputs import Choice, select
from bot.render.messages import render_line
from bot.render.mrkdwn import share
from escalation.errors import Refused
from escalation.incident.communications import pending
from escalation.incident.events.moves import Answer, AnswerCommunication, MoveEvent
from escalation.incident.model import Incident
from escalation.incident.state.communications import OwedCommunication, OwedState
from escalation.messages.communications import published_words, state_words, task_name
from escalation.messages.reminders import task_state
from escalation.text import Strong, line

_ANSWERS = {
    OwedState.WAITING: {Answer.APPROVED: "approved", Answer.DECLINED: "not needed"},
    OwedState.OWED: {Answer.PUBLISHED: "published", Answer.DECLINED: "not needed"},
}


def communications_blocks(context: FormContext) -> list[Block]:
    """Blocks of the form: each draft, and one answer. `typed` may be the number of one. Refused when none waits."""
    waiting = pending(context.incident)
    if not waiting:
        raise Refused("No communication is due.")
    shown = [o for o in waiting if context.typed == str(o.n)] or list(waiting)
    drafts = [_draft(context, owed) for owed in shown]
    blocks = [b for owed, draft in zip(shown, drafts, strict=True) for b in sections(draft, f"draft-{owed.n}")]
    options = _answers(shown)
    initial = options[0].value if len(shown) == 1 else ""
    return [*blocks, select("answer", "What to record", options, initial=initial)]


def answer_choices(incident: Incident) -> list[Choice]:
    """Choices of what to record of the communications that wait."""
    return _answers(pending(incident))


def _answers(waiting: Iterable[OwedCommunication]) -> list[Choice]:
    return [
        Choice(f"{o.n}:{answer}", f"{task_name(o)}: {word}")
        for o in waiting
        for answer, word in _ANSWERS[o.state].items()
    ]


def _draft(context: FormContext, owed: OwedCommunication) -> list[str]:
    incident = context.incident
    head = line(Strong(task_name(owed)), ": ", *task_state(owed, incident), ". Draft:")
    entry = incident.entry(owed.entry)
    states = (state_words(entry),) if state_words(entry) else ()
    shown = (head, *published_words(incident, entry, context.wording), *states)
    return share([render_line(each) for each in shown], SECTION)


def communications_event(submission: Submission) -> MoveEvent:
    """Build the event that answers one communication. Raises InvalidForm when none was chosen."""
    n, _, answer = submission.values.choice("answer").partition(":")
    if not n.isdecimal() or answer not in list(Answer):
        raise InvalidForm({"answer": "Choose one from the list."})
    return AnswerCommunication(by=submission.by, key=submission.key, n=int(n), answer=Answer(answer))
