"""Form of planned maintenance on the status page, and the words of its command. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.errors import InvalidForm
from bot.moves.form import Submission
from bot.moves.form_state import FormState
from bot.render.inputs import Choice, View, instant_field, modal, multi_select, text_field
from escalation.config.status_page import Maintenance, StatusPage
from escalation.status_page.maintenance import Phase, PlannedWindow, phase_of
from escalation.status_page.words import PHASES
from escalation.text import Line, Strong, Time, Verbatim, line

CALLBACK = "maintenance"
COMPONENTS = "components"
USAGE = "Use `/incident maintenance`, `/incident maintenance list` or `/incident maintenance cancel M1`."


def maintenance_modal(page: StatusPage, title: str, now: datetime, state: FormState) -> View:
    """Build the form, with the next full hour as its start."""
    starts = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    ends = starts + timedelta(hours=1)
    names = [Choice(name, name) for name in page.components]
    blocks = [
        text_field("title", "What is done?", initial=title, multiline=False, placeholder="New disks"),
        instant_field("starts", "Starts", initial=int(starts.timestamp())),
        instant_field("ends", "Ends", initial=int(ends.timestamp())),
        *([multi_select(COMPONENTS, "Components", names)] if names else []),
        text_field("words", "What will people notice?", optional=True, placeholder="Payments may be slow."),
    ]
    return modal(CALLBACK, "Planned maintenance", "Announce", blocks, state.encode())


def announced(submission: Submission, now: datetime) -> Maintenance:
    """Read the form. Raises InvalidForm, or ValidationError whose locations are fields of the modal."""
    values = submission.values
    starts, ends = values.instant("starts"), values.instant("ends")
    if starts is None or ends is None:
        raise InvalidForm({"starts" if starts is None else "ends": "Choose a date and a time."})
    if ends <= starts:
        raise InvalidForm({"ends": "It ends before it starts."})
    if ends <= now:
        raise InvalidForm({"ends": "That time is over."})
    words = values.text("words")
    return Maintenance.model_validate(
        {
            "title": " ".join(values.text("title").split()),
            "starts": starts,
            "ends": ends,
            "components": sorted(values.choices(COMPONENTS)),
            **({"words": words} if words else {}),
        }
    )


def window_line(window: Maintenance, now: datetime) -> Line:
    """Line about a window: its id if it was planned from Slack, its title, times and phase."""
    name = Strong(f"{window.id}: ") if isinstance(window, PlannedWindow) else "In the configuration: "
    times = (" from ", Time(window.starts, clock=False), " to ", Time(window.ends, clock=False))
    components = f" ({', '.join(window.components)})" if window.components else ""
    phase = PHASES[phase_of(window, now)].lower()
    return line(name, Verbatim(window.title), components, *times, f", {phase}.")


def windows_lines(windows: Sequence[Maintenance], now: datetime) -> tuple[Line, ...]:
    """Lines about what is ahead or in progress, the earliest first, and how one is cancelled."""
    ahead = [w for w in windows if phase_of(w, now) in (Phase.SCHEDULED, Phase.IN_PROGRESS)]
    if not ahead:
        return (line("No maintenance is planned. `/incident maintenance` announces one."),)
    ours = next((w for w in ahead if isinstance(w, PlannedWindow)), None)
    cancel = (line(f"`/incident maintenance cancel {ours.id}` cancels it."),) if ours else ()
    return (*(window_line(w, now) for w in sorted(ahead, key=lambda w: w.starts)), *cancel)
