"""Form and words of when the impact began, was detected and ended. Pure."""

import re
from datetime import datetime

from bot.moves.form import FormContext, Submission
from bot.render.blockkit import Block
from bot.render.inputs import instant_field, note
from bot.render.mrkdwn import render
from escalation.errors import Refused
from escalation.incident.events.moves import MoveEvent, StateTimes
from escalation.incident.impact import BEGAN, DETECTED, ENDED, INSTANTS, impact_times
from escalation.text import Time, line
from escalation.times import past_instant

HINTS = {
    BEGAN: "When customers began to feel it, which may be long before anybody knew.",
    DETECTED: "When an alert or a person first noticed it.",
    ENDED: "When customers stopped feeling it, which may be before it was resolved.",
}
USE = "Times to detect and to mitigate in reports come from what you state here."
USAGE = "Write `began 14:02`, `detected 14:05`, `ended 15:10`, each or all, with commas between; a day may be named."
_CALLED = {
    **dict.fromkeys(("began", "begun", "begin", "started", "start"), BEGAN),
    **dict.fromkeys(("detected", "noticed", "seen"), DETECTED),
    **dict.fromkeys(("ended", "end", "mitigated", "over"), ENDED),
}
_PART = re.compile(rf"({'|'.join(_CALLED)})\b[\s:=]*(?:at\s+)?(.+)", re.IGNORECASE)


def times_blocks(context: FormContext) -> list[Block]:
    """Blocks of the form: what the record has of itself, and fields with what was stated."""
    incident = context.incident
    facts = [line("Declared ", Time(incident.declared_at, clock=False))]
    if incident.acknowledgement:
        facts.append(line("acknowledged ", Time(incident.acknowledgement.at, clock=False)))
    if incident.closed_at:
        facts.append(line(f"{incident.status} ", Time(incident.closed_at, clock=False)))
    known = {name: int(at.timestamp()) for name, at in impact_times(incident).items()}
    return [
        note("record", f"{', '.join(map(render, facts))}. {USE}"),
        *(
            instant_field(name, said, initial=known.get(name, 0), optional=True, hint=HINTS[name])
            for name, said in INSTANTS.items()
        ),
    ]


def times_event(submission: Submission) -> MoveEvent:
    """Build the event from the fields that were changed."""
    values = submission.values
    stated = {name: values.instant(name) for name in INSTANTS if values.changed(name)}
    return StateTimes.model_validate({"by": submission.by, "key": submission.key, **stated})


def typed_times(text: str, by: str, key: str, zone: str, now: datetime) -> StateTimes:
    """Parse `began 14:02, ended yesterday 16:00`. Raises Refused with how to write it."""
    stated = {}
    for part in filter(None, map(str.strip, re.split(r"[,;\n]|\band\b", text))):
        found = _PART.fullmatch(part)
        if found is None:
            raise Refused(USAGE)
        try:
            stated[_CALLED[found[1].lower()]] = past_instant(found[2], zone, now)
        except (ValueError, OverflowError) as error:
            raise Refused(f"{error} {USAGE}") from None
    return StateTimes.model_validate({"by": by, "key": key, **stated})
