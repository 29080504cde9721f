"""Answers of Statuspage."""

from workers.channels.failures import Failed, Kind, Reason


def statuspage_failure(status: int, wait: float = 0.0) -> Failed:
    """Classify a status; 420 and 429 are its rate limit. https://developer.statuspage.io/#section/Authentication"""
    error = f"statuspage: {status}"
    if status >= 500 or status in (408, 420, 429):
        return Failed(error, Kind.PASSING, wait=wait, reason=Reason(f"Statuspage does not take it ({status})"))
    remedy = "correct STATUSPAGE_API_KEY and STATUSPAGE_PAGE"
    if status == 422:
        return Failed(error, Kind.OURS, reason=Reason("Statuspage refused an update (422)", "publish it there by hand"))
    return Failed(error, Kind.OURS, reason=Reason(f"Statuspage refuses us ({status})", remedy))
