"""Answers of a company's own systems."""

from workers.channels.failures import Failed, Kind, Reason


def action_failure(host: str, status: int, wait: float = 0.0) -> Failed:
    """Classify the answer of a system of the company's."""
    error, answered = f"{host}: {status}", f"{host} answered {status}"
    if status >= 500 or status in (408, 425, 429):
        return Failed(error, Kind.PASSING, wait=wait, reason=Reason(answered))
    return Failed(error, Kind.OURS, reason=Reason(answered, "check `url` and `secret_env` of the action"))
