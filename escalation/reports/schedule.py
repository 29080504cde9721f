"""Reports that are due: of which period, and for whom. Pure.

Of each plan only the last one is due, for a week at most: after an outage that one is caught up, and no older one.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from escalation.config.company import Company
from escalation.config.policy import Policy
from escalation.config.rules.reports import ScheduledReport
from escalation.figures.periods import Period
from escalation.oncall.activities import last_report, next_report
from escalation.oncall.reminders import DueReminder

CAUGHT_UP = timedelta(days=7)
DAY = timedelta(days=1)
_MONTHS = {"month": 1, "quarter": 3}


class DueReport(DueReminder):
    """A report of a period to a channel, or by mail to one address. `before` is when the period before it began."""

    plan: ScheduledReport
    period: Period
    before: datetime
    mail: str = ""


def plans(company: Company, policy: Policy) -> tuple[ScheduledReport, ...]:
    """Return the company's own plans; unless it has any, the policy's."""
    return policy.reports if company.reports is None else company.reports


def asks_for_means(company: Company, policy: Policy) -> bool:
    """True if reports are to show means: one of those that are sent by themselves does."""
    return any(plan.mean for plan in plans(company, policy))


def due_reports(company: Company, policy: Policy, now: datetime) -> Iterator[DueReport]:
    """Yield the reports that are due, one for each channel and address."""
    for plan in plans(company, policy):
        due = last_report(plan, company.calendar, now, CAUGHT_UP)
        if due is None:
            continue
        period, before = covered(plan, company, due)
        day = period.since.astimezone(ZoneInfo(company.calendar.timezone))
        report = DueReport(
            id=f"report-{plan.every}-{day:%Y%m%d}",
            due=due,
            until=min(next_report(plan, company.calendar, due), due + CAUGHT_UP),
            plan=plan,
            period=period,
            before=before,
        )
        channels, addresses = destinations(plan, company)
        for channel in channels:
            yield report.model_copy(update={"id": f"{report.id}-{channel}", "channel": channel})
        for address in addresses:
            mark = sha256(address.lower().encode()).hexdigest()[:12]
            yield report.model_copy(update={"id": f"{report.id}-mail-{mark}", "mail": address})


def destinations(plan: ScheduledReport, company: Company) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the channels and the mail addresses of a report, each once."""
    lists = [company.lists[name] for name in plan.to if name in company.lists]
    channels = [c for c in (plan.channel, *(kept.channel for kept in lists)) if c]
    addresses = {a.lower(): a for a in (*plan.mail, *(a for kept in lists for a in kept.mail))}
    if not channels and not addresses:
        channels = [company.workspace.incidents_channel]
    return tuple(dict.fromkeys(channels)), tuple(addresses.values())


def covered(plan: ScheduledReport, company: Company, due: datetime) -> tuple[Period, datetime]:
    """Return the period of a report that is due then, and the beginning of the one before it, by local midnights."""
    zone = ZoneInfo(company.calendar.timezone)
    today = due.astimezone(zone).date()
    if plan.every == "day":
        since = _business_day_before(company, today)
        days = (_business_day_before(company, since), since, today)
    elif plan.every == "week":
        monday = today - today.weekday() * DAY
        days = (monday - 14 * DAY, monday - 7 * DAY, monday)
    else:
        months = _MONTHS[plan.every]
        first = today.year * 12 + (today.month - 1) // months * months
        days = (_first(first - 2 * months), _first(first - months), _first(first))
    before, since_at, until = (datetime.combine(day, time(), zone).astimezone(UTC) for day in days)
    return Period(since_at, until), before


def _business_day_before(company: Company, day: date) -> date:
    """Return the last business day before: on a Monday's report stands the whole weekend."""
    earlier = (day - n * DAY for n in range(1, 63))
    return next((d for d in earlier if company.calendar.opening(d)), day - DAY)


def _first(month: int) -> date:
    """Return the first day of a month, counted from the year 0."""
    return date(month // 12, month % 12 + 1, 1)
