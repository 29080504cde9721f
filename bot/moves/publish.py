"""Form that publishes on the status page: words, states of components, or a correction, with a preview. Pure."""

import re
from datetime import datetime
from difflib import get_close_matches

from bot.errors import InvalidForm
from bot.moves.form import FormContext, Submission
from bot.render.blockkit import Block, sections
from bot.render.inputs import Choice, multi_select, note, select, text_field
from bot.render.messages import render_line
from bot.render.mrkdwn import cut
from escalation.config.status_page import ComponentState, StatusPage
from escalation.engine.change import Change
from escalation.engine.communications import publish
from escalation.errors import Refused
from escalation.incident.communications import updates_on_page
from escalation.incident.events.moves import MoveEvent, PublishUpdate
from escalation.incident.model import Incident
from escalation.incident.state.communications import OwedState
from escalation.oncall.roster import Roster
from escalation.status_page.wording import publication, states_of
from escalation.status_page.words import IMPACTS, STATES, STATUSES, clock
from escalation.text import Strong, Verbatim, line

PREVIEW = "preview"
NEW = "new"
TYPED = "typed"  # id of a block of a form whose states were typed, so that they are no older ones
HARMED = (ComponentState.DEGRADED, ComponentState.PARTIAL, ComponentState.MAJOR)
MAX_LABEL = 75  # https://docs.slack.dev/reference/block-kit/composition-objects/option-object
_STATE_WORDS = {
    **{state.value: state for state in ComponentState},
    "ok": ComponentState.OPERATIONAL,
    "degraded": ComponentState.DEGRADED,
    "partial": ComponentState.PARTIAL,
    "major": ComponentState.MAJOR,
    "down": ComponentState.MAJOR,
}
_STATED = re.compile(r"([^\s=]+)=([^\s=,]+),?\s*")


def publish_blocks(context: FormContext) -> list[Block]:
    """Blocks of the form: a new update or which one to correct, the words, and the components by state.

    Words and states that were typed stand in it. Refused for a component or a state that does not exist.
    """
    incident, page = context.incident, context.page
    typed, words = typed_states(context.typed, page)
    states = (states_of(incident, page) if page else {}) | typed
    fields = tuple(ComponentState) if ComponentState.OPERATIONAL in typed.values() else HARMED
    names = [Choice(name, name) for name in page.components] if page else []
    choices = update_choices(incident)
    if not choices:
        raise Refused("Nothing of it stands on the status page, so there is nothing to correct.")
    return [
        select("what", "What?", choices, initial=choices[0].value),
        text_field(
            "wording",
            "Message for the public",
            initial=words or incident.facts.public_wording or incident.policy.public_text,
            hint="Its first sentence is the headline. No names, no internal words.",
        ),
        *(
            multi_select(state, STATES[state], names, initial={n for n, s in states.items() if s is state})
            for state in (fields if names else ())
        ),
        note(TYPED if typed else "rest", "Components named in none of these are operational."),
    ]


def update_choices(incident: Incident) -> list[Choice]:
    """Choices of what is published: a new update while it is open, or a correction, the latest first."""
    corrections = [
        Choice(str(entry.n), cut(f"Correct {clock(entry.at)}: {entry.text}", MAX_LABEL))
        for entry in reversed(updates_on_page(incident))
    ]
    return [*([Choice(NEW, "A new update")] if incident.open else []), *corrections]


def typed_states(text: str, page: StatusPage | None) -> tuple[dict[str, ComponentState], str]:
    """Parse `checkout=partial api=ok words`: states by component, and the words. Refused for unknown ones."""
    states = dict[str, ComponentState]()
    rest = text.strip()
    while match := _STATED.match(rest):
        name, word = match.groups()
        known = page.components if page else ()
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Its components: {', '.join(known) or 'none'}."
            raise Refused(f"'{name}' is no component of the status page. {hint}")
        if word.lower() not in _STATE_WORDS:
            raise Refused(f"'{word}' is no state: use ok, degraded, partial or major.")
        states[name] = _STATE_WORDS[word.lower()]
        rest = rest[match.end() :]
    return states, rest.strip()


def publish_event(submission: Submission) -> MoveEvent:
    """Build the event. Raises InvalidForm for a component that is named in two states."""
    values, what = submission.values, submission.values.choice("what")
    return PublishUpdate(
        by=submission.by,
        key=submission.key,
        wording=values.text("wording"),
        components=_chosen_states(submission),
        corrects=int(what) if what.isdecimal() else 0,
    )


def _chosen_states(submission: Submission) -> dict[str, ComponentState]:
    """States of components, if any was changed in the form; those that were taken out of it are operational."""
    values, chosen = submission.values, dict[str, ComponentState]()
    if not values.has(TYPED) and all(values.choices(s) == values.initial_choices(s) for s in HARMED):
        return {}
    for state in ComponentState:  # a form has that of what is operational only where somebody typed it
        for name in sorted(values.choices(state)):
            if name in chosen:
                raise InvalidForm({state: f"{name} is named twice: choose one state for it."})
            chosen[name] = state
    before = {name for state in HARMED for name in values.initial_choices(state)}
    return dict.fromkeys(sorted(before), ComponentState.OPERATIONAL) | chosen


def publish_preview(context: FormContext, event: MoveEvent, now: datetime) -> list[Block]:
    """Blocks that show what will stand on the page, and whether it waits for approval. Refused as the move would be."""
    page = context.page
    if page is None or not isinstance(event, PublishUpdate):
        raise Refused("There is no status page here: `status_page` in the configuration makes one.")
    change = Change(context.incident, now, Roster())
    publish(change, event)
    owed = change.incident.communications[-1]
    entry = change.incident.entry(owed.entry)
    shown = publication(change.incident, entry, page, context.wording, ours="", now=now)
    states = ", ".join(f"{name}: {STATES[state].lower()}" for name, state in shown.components.items())
    facts = " · ".join((STATUSES[shown.status], IMPACTS[shown.impact], *([states] if states else [])))
    corrected = "It stands in place of what is corrected, which stays visible below it." if owed.corrects else ""
    waits = "It waits for approval before it is published." if owed.state is OwedState.WAITING else ""
    lines = [
        line(Strong("Preview: this will stand on the status page.")),
        line(Strong(shown.name)),
        line(facts),
        *(line(Verbatim(text)) for text in shown.body.split("\n")),
        *(line(each) for each in (corrected, waits) if each),
    ]
    return sections([render_line(each) for each in lines], PREVIEW)
