"""Lasting failures of sends in the register of problems (escalation.storage.problems), one for each kind of send.

What is ours is reported at once. What should pass is reported when it has lasted, and forgotten soon after its last
try: then nothing waits for it any more. The first send of that kind that succeeds clears it. Calls of recurring work
have the same rule; what they delay is nobody's page, so they last longer before anybody is told.
"""

from datetime import datetime, timedelta

from redis.client import Pipeline

from escalation.config.actions import ACTIONS
from escalation.config.lists import WEBHOOKS
from escalation.config.notify import Via
from escalation.incident.effects import MEETINGS, SLACK, Effect, PageBy, PostCard, RunAction, Say, UpdateIssue
from escalation.messages.entries.systems import SENDS
from escalation.storage.problems import FORGOTTEN_AFTER, PROBLEMS, Problems
from workers.channels.failures import Failed, Kind

LASTING_PAGE = timedelta(seconds=5)  # after that the page is late by any objective
LASTING = timedelta(seconds=60)
KEPT = 300.0  # seconds; retries of what is passing are never further apart
TOKEN = "slack:token"  # noqa: S105  # a key of the register, not a secret

_VENDORS = {
    ACTIONS: "a system of yours",
    SLACK: "Slack",
    MEETINGS: "Zoom",
    WEBHOOKS: "a webhook of the company",
    Via.MAIL: "the mail server",
    Via.PAGERDUTY: "PagerDuty",
    Via.OPSGENIE: "Opsgenie",
    Via.SMS: "Twilio",
    Via.CALL: "Twilio",
    Via.PUSHOVER: "Pushover",
    Via.NTFY: "ntfy",
    Via.APPRISE: "Apprise",
}


def key_of(effect: Effect) -> str:
    """Key of the problem with sends like this one."""
    about = ""
    match effect:
        case Say() | PostCard():
            about = effect.place
        case RunAction():
            about = effect.name
        case UpdateIssue():
            about = effect.vendor
    return f"{effect.carried_by}:{effect.kind}{f':{about}' if about else ''}"


def lasting(effect: Effect, now: datetime) -> bool:
    """True if people have to know that a send keeps failing: it should have passed by now."""
    return now - effect.at >= (LASTING_PAGE if effect.calls else LASTING)


def not_taken(effect: Effect, failed: Failed) -> str:
    """A passing failure that lasts, in words."""
    vendor = _vendor(effect)
    return f"{vendor} does not take {_sends(effect)} ({failed.error})"


def report(problems: Problems, effect: Effect, failed: Failed) -> None:
    """Report a lasting failure."""
    if failed.kind is Kind.TOKEN:
        problems.report(TOKEN, failed.reason.text, failed.reason.remedy, blocks=True)
        return
    blocks = effect.calls and effect.carried_by == SLACK
    if failed.kind is Kind.PASSING:
        remedy = _retried("that system" if isinstance(effect, RunAction) else f"the status page of {_vendor(effect)}")
        problems.report(key_of(effect), not_taken(effect, failed), remedy, blocks=blocks, kept=KEPT)
        return
    what = f"cannot send {_sends(effect)}" if failed.kind is Kind.BUG else f"{_vendor(effect)} refuses {_sends(effect)}"
    text = f"{what}: {failed.reason.text}"
    key = f"{key_of(effect)}:{failed.about}" if failed.about else key_of(effect)
    problems.report(key, text, failed.reason.remedy, blocks=blocks, kept=FORGOTTEN_AFTER)


def report_call(
    problems: Problems, key: str, vendor: str, failed: Failed, now: datetime, *, what: str = "", remedy: str = ""
) -> bool:
    """Report a failed call of recurring work; return True if that is news. Whoever calls clears `key` with a success.

    `what` begins its text; `remedy` is for a refusal that has none of its own.
    """
    text = f"{what}: {failed.reason.text}" if what else failed.reason.text
    if failed.kind is Kind.PASSING:
        return problems.report_passing(key, text, remedy_of(failed, vendor), now, wait=failed.wait)
    return problems.report(key, text, failed.reason.remedy or remedy)


def clear(pipe: "Pipeline", effect: Effect, about: str = "") -> None:
    """Clear the problems that this success disproves; `pipe` writes it with the success. `about`: as in Failed."""
    key = key_of(effect)
    pipe.hdel(PROBLEMS, key, *([f"{key}:{about}"] if about else []), *([TOKEN] if effect.carried_by == SLACK else []))


def remedy_of(failed: Failed, vendor: str) -> str:
    """Return what to do about a failed call: where it should pass, the vendor or the way there can be at fault."""
    passing = failed.kind is Kind.PASSING
    return _retried(f"the status page of {vendor}") if passing else failed.reason.remedy


def _retried(where: str) -> str:
    return f"it is being retried; see {where}, and the way there from this host"


def _vendor(effect: Effect) -> str:
    return (
        effect.vendor.words if isinstance(effect, UpdateIssue) else _VENDORS.get(effect.carried_by, effect.carried_by)
    )


def _sends(effect: Effect) -> str:
    if isinstance(effect, PageBy) and effect.via in (Via.SMS, Via.CALL):  # one vendor has both
        return f"pages by {effect.via.words}"
    return f"the action {effect.name}" if isinstance(effect, RunAction) else SENDS.get(effect.kind, "messages")
