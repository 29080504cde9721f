"""Answers of Pushover and ntfy."""

from collections.abc import Container

from workers.channels.failures import Failed, Kind, Reason


def pushover_failure(status: int, errors: str = "", fields: Container[str] = (), wait: float = 0.0) -> Failed:
    """Classify an answer. https://pushover.net/api#friendly: 4xx is final, and names the wrong field; 5xx is passing.

    `fields` are the parameters that the answer names. A quota that is used up (429) lasts until the month ends.
    """
    error = f"pushover: {status}"
    if status >= 500 or status in (408, 425):
        return Failed(error, Kind.PASSING, wait=max(wait, 5.0), reason=Reason(f"Pushover does not take it ({status})"))
    if status == 429:
        reason = Reason("Pushover's quota for this month is used up", "buy more messages at pushover.net")
        return Failed(error, Kind.OURS, reason=reason)
    if "user" in fields and "token" not in fields:
        return Failed(error, Kind.PERSON, reason=Reason("Pushover does not know their user key"))
    said = f": {errors}" if errors else ""
    remedy = "correct PUSHOVER_TOKEN" if "token" in fields or status == 401 else "see https://pushover.net/api"
    return Failed(error, Kind.OURS, reason=Reason(f"Pushover refuses it ({status}{said})", remedy))


def ntfy_failure(status: int, code: int = 0, wait: float = 0.0) -> Failed:
    """Classify an answer. Codes: https://github.com/binwiederhier/ntfy/blob/main/server/errors.go"""
    error = f"ntfy: {code or status}"
    if status >= 500 or status in (408, 425, 429):
        return Failed(error, Kind.PASSING, wait=wait, reason=Reason(f"ntfy does not take it ({code or status})"))
    if status == 401:
        return Failed(error, Kind.OURS, reason=Reason("ntfy refuses our token", "correct NTFY_TOKEN"))
    if status == 403:
        remedy = "allow NTFY_TOKEN's user to write to the people's topics"
        return Failed(error, Kind.OURS, reason=Reason("ntfy does not let us write to the topic", remedy))
    if code == 40009:  # the topic's name
        return Failed(error, Kind.PERSON, reason=Reason("ntfy does not take the name of their topic"))
    return Failed(error, Kind.OURS, reason=Reason(f"ntfy refuses it ({code or status})", "check NTFY_URL"))
