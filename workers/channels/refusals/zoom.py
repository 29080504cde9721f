"""Answers of Zoom."""

from workers.channels.failures import Failed, Kind, Reason

# https://developers.zoom.us/docs/api/errors/: its own numbers stand in `code`, beside the HTTP status.
_ZOOM_IN_USE = 3002  # the meeting is in progress, and cannot be deleted
_ZOOM_REASONS = {
    124: Reason("Zoom refuses our access token", "activate the app in Zoom's marketplace"),
    300: Reason("Zoom refuses the meeting's settings", "see the account's meeting settings in Zoom"),
    1001: Reason("Zoom does not know the host", "correct ZOOM_HOSTS"),
    1010: Reason("the host is not in the Zoom account", "correct ZOOM_HOSTS"),
    4700: Reason("Zoom refuses our access token", "activate the app in Zoom's marketplace"),
    4711: Reason(
        "the Zoom app lacks a scope", "add meeting:write:admin and meeting:read:admin to it in Zoom's marketplace"
    ),
}


def zoom_failure(status: int, code: int = 0, wait: float = 0.0) -> Failed:
    """Classify a refusal by Zoom's number, else by the HTTP status."""
    error = f"zoom: {code or status}"
    if status >= 500 or status in (408, 425, 429) or code == _ZOOM_IN_USE:
        return Failed(error, Kind.PASSING, wait=wait, reason=Reason(f"Zoom does not take it ({code or status})"))
    known = _ZOOM_REASONS.get(code)
    return Failed(error, Kind.OURS, reason=known or Reason(f"Zoom refuses us ({code or status})", "see tocsin doctor"))


def zoom_login_failure(status: int, wait: float = 0.0) -> Failed:
    """Classify a refused token. https://developers.zoom.us/docs/internal-apps/s2s-oauth/"""
    if status >= 500 or status in (408, 425, 429):
        return zoom_failure(status, wait=wait)
    remedy = "correct ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET, and activate the app"
    return Failed(f"zoom: {status}", Kind.OURS, reason=Reason(f"Zoom refuses our login ({status})", remedy))
