"""Words about how somebody is reached: their methods by urgency, quiet hours, the next shift."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from escalation.config.notify import Via
from escalation.notify.methods import Methods, Step
from escalation.notify.preferences import Preferences
from escalation.text import Line, Strong, Time, line
from escalation.times import spoken_duration

# What a person's entry in the configuration needs for a channel.
_KEYS = {Via.SMS: "phone", Via.CALL: "phone", Via.MAIL: "email"}


@dataclass(frozen=True)
class Reached:
    """How somebody is reached: what they `has` and what is `set_up`, their own settings, and their next shift."""

    methods: Methods
    has: frozenset[Via]
    set_up: frozenset[Via]
    own: Preferences
    shift: tuple[str, datetime] | None


def methods_lines(key: str, reached: Reached) -> tuple[Line, ...]:
    """Return the lines of somebody's answer to "how am I reached"."""
    return (
        line(Strong("How you are reached")),
        line(Strong("Urgent: "), steps_text(reached.methods.urgent)),
        line(Strong("Other pages: "), steps_text(reached.methods.normal)),
        *_problems(key, reached),
        _quiet(reached.own),
        *_shift(reached),
    )


def steps_text(steps: tuple[Step, ...]) -> str:
    """`Slack, Pushover and email at once · SMS after 1 minute · call after 3 minutes`."""
    first = [via.words for step in steps if not step.after for via in step.by]
    later = [
        f"{', '.join(via.words for via in step.by)} after {spoken_duration(step.after)}" for step in steps if step.after
    ]
    return " · ".join((f"{', '.join(['Slack', *first])} at once", *later))


def _problems(key: str, reached: Reached) -> Iterator[Line]:
    usable = reached.has & reached.set_up
    if not any(via.wakes for via in usable):
        yield line("⚠️ Nothing here wakes you. An admin can add ", *_missing(key, reached), ".")
    elif not any(via.wakes for step in reached.methods.urgent for via in step.by):
        yield line("⚠️ Nothing in your order for urgent pages wakes you. Try /incident me urgent default.")
    if off := sorted(via.words for via in reached.has - reached.set_up):
        yield line(f"Not set up in this Tocsin: {', '.join(off)}.")


def _missing(key: str, reached: Reached) -> tuple[str, ...]:
    wanted = [via for via in reached.set_up if via.wakes and via not in reached.has]
    keys = sorted({_KEYS.get(via, via.value) for via in wanted}) or ["phone"]
    return (f"{' or '.join(keys)} under people.{key}",)


def _quiet(own: Preferences) -> Line:
    hours = f"{own.quiet}, pages that are not urgent wait" if own.quiet else "none"
    return line(Strong("Quiet hours: "), hours)


def _shift(reached: Reached) -> Iterator[Line]:
    if reached.shift is None:
        return
    rotation, at = reached.shift
    before = reached.own.shift_reminder
    reminder = f"; you are reminded {spoken_duration(before)} before" if before else "; no reminder is set"
    yield line(Strong("Next shift: "), f"{rotation}, ", Time(at, clock=False), reminder)
