"""Reports that are sent by themselves."""

from datetime import time
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from escalation.config.rules.communications import ListName
from escalation.config.rules.words import one_or_several
from escalation.times import TimeOfDay
from escalation.values import Channel, Frozen, MailAddress, as_list


class ScheduledReport(Frozen):
    """A report that is sent by itself, on the first business day after each day, week, month or quarter.

    To a `channel`, to mail addresses, and to the company's lists named in `to`; unless any is said, to the incidents
    channel. `mean` shows means beside p50, p90 and max.
    """

    every: Literal["day", "week", "month", "quarter"]
    at: TimeOfDay = time(9)
    channel: Channel | None = None
    mail: Annotated[tuple[MailAddress, ...], BeforeValidator(as_list)] = ()
    to: Annotated[tuple[ListName, ...], BeforeValidator(one_or_several)] = ()
    mean: bool = False

    def overlaps(self, other: "ScheduledReport") -> bool:
        """True if another report is the same for one of its destinations; for the incidents channel if none is said."""
        return self.every == other.every and not self._destinations.isdisjoint(other._destinations)

    @property
    def _destinations(self) -> frozenset[str]:
        said = {
            *([self.channel] if self.channel else []),
            *(a.lower() for a in self.mail),
            *(f"{n} list" for n in self.to),
        }
        return frozenset(said or {""})


def distinct_reports(reports: tuple[ScheduledReport, ...] | None) -> tuple[ScheduledReport, ...] | None:
    """Return the reports; ValueError for two of which one would never be sent."""
    for n, report in enumerate(reports or ()):
        if any(report.overlaps(other) for other in (reports or ())[:n]):
            raise ValueError(f"two reports of each {report.every} go to the same place; only one would be sent")
    return reports


Reports = Annotated[tuple[ScheduledReport, ...], AfterValidator(distinct_reports)]
