"""Contact methods of a person, in steps: their own order, else that of their entry, the company, or the default."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from escalation.config.company import Company, Directory, PersonEntry
from escalation.config.notify import NORMAL, URGENT, NotifyStep, Steps, Via
from escalation.notify.preferences import Preferences, QuietHours
from escalation.values import PersonId

PERSONAL = tuple(via for via in Via if not via.is_service)


@dataclass(frozen=True)
class Step:
    """A step of somebody's: so long `after` their page, through these channels beside Slack."""

    after: timedelta
    by: tuple[Via, ...]


@dataclass(frozen=True)
class Methods:
    """How one person is reached beside Slack. `said`: somebody ordered it so, which overrides `other_ways.page`."""

    urgent: tuple[Step, ...] = ()
    normal: tuple[Step, ...] = ()
    quiet: QuietHours | None = None
    said: bool = False

    def steps(self, urgent: bool) -> tuple[Step, ...]:
        """Return the steps of an urgent page or of another one, the soonest first."""
        return self.urgent if urgent else self.normal


def addresses(company: Company, person: PersonId, directory: Directory) -> dict[Via, str]:
    """Return where each channel reaches a person: what it sends to, as far as they have it."""
    entry = company.entry_of(person, directory) or PersonEntry.model_construct()
    known = {
        Via.PUSHOVER: entry.pushover,
        Via.NTFY: entry.ntfy,
        Via.APPRISE: entry.apprise,
        Via.SMS: entry.number,
        Via.CALL: entry.number,
        Via.MAIL: company.mail_of(person, directory),
    }
    return {via: address for via, address in known.items() if address}


def methods_of(
    company: Company, person: PersonId, directory: Directory, own: Preferences, set_up: Collection[Via]
) -> Methods:
    """Return how a person is reached, of what they have and the installation is set up for."""
    has = {via for via in addresses(company, person, directory) if via in set_up}
    entry = company.entry_of(person, directory)
    levels = (own.notify, *([entry.notify] if entry and entry.notify else []), company.notify)
    urgent = next((level.urgent for level in levels if level.urgent), None)
    normal = next((level.normal for level in levels if level.normal), None)
    return Methods(
        urgent=_steps(urgent or URGENT, has),
        normal=_steps(normal or NORMAL, has),
        quiet=own.quiet,
        said=urgent is not None or normal is not None,
    )


def _steps(wanted: Steps, has: Collection[Via]) -> tuple[Step, ...]:
    """Return the steps that reach somebody through what they have."""
    steps = (_step(step, has) for step in sorted(wanted, key=lambda s: s.after))
    return tuple(step for step in steps if step.by)


def _step(step: NotifyStep, has: Collection[Via]) -> Step:
    channels = dict.fromkeys(via for by in step.by for via in by.channels)
    return Step(step.after, tuple(via for via in channels if via in has))
