"""Answers of the paging services: PagerDuty; Opsgenie, which is Jira Service Management too."""

from workers.channels.failures import Failed, Kind, Reason

_PAGERDUTY_PASSING = frozenset({408, 425, 429})


def pagerduty_failure(status: int, wait: float = 0.0) -> Failed:
    """Classify a status. https://developer.pagerduty.com/docs/send-alert-event#api-response-codes--retry-logic"""
    error = f"pagerduty: {status}"
    if status in _PAGERDUTY_PASSING or status >= 500:
        return Failed(error, Kind.PASSING, wait=wait, reason=Reason(f"PagerDuty does not take it ({status})"))
    reason = Reason(f"PagerDuty refuses us ({status})", "correct PAGERDUTY_ROUTING_KEY")
    return Failed(error, Kind.OURS, reason=reason)


def opsgenie_failure(status: int, wait: float = 0.0) -> Failed:
    """Classify a status. https://docs.opsgenie.com/docs/response"""
    error = f"opsgenie: {status}"
    if status >= 500 or status in (408, 425, 429):
        return Failed(error, Kind.PASSING, wait=wait, reason=Reason(f"Opsgenie does not take it ({status})"))
    remedy = "correct OPSGENIE_API_KEY" if status in (401, 403) else "check OPSGENIE_URL"
    return Failed(error, Kind.OURS, reason=Reason(f"Opsgenie refuses us ({status})", remedy))
