"""What a declaration freezes into its incident beside what was said: the policy, the calendar, the service's owners."""

from datetime import datetime

from escalation.config.company import Company
from escalation.config.policy import SeverityPolicy
from escalation.incident.events import Terms
from escalation.incident.records import Facts

CALENDAR_KEPT = 400  # days of public holidays that an incident keeps


def terms_for(company: Company, policy: SeverityPolicy, facts: Facts, now: datetime) -> Terms:
    """The terms of a single incident at the policy's own pace."""
    service = company.services.get(facts.service)
    return Terms(
        policy=policy,
        meeting_url=company.meeting_url or "",
        calendar=company.calendar.within(now, CALENDAR_KEPT),
        team=(service.team or "") if service else "",
        vendor=company.vendor_of(facts.service),
        public_means=company.public_channels,
        ways=company.other_ways,
    )
