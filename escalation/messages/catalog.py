"""Catalog of message templates that a company may replace, with the fields of each. The shipped ones lie beside."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

from escalation.text import Channel, Line, Lines, Link, Person, Span, Time

Value = Span | Line | Lines


@dataclass(frozen=True)
class Field:
    """A template's field: an example, and a sentence for whoever writes one. Any field may be empty."""

    sample: Value
    about: str


Fields = Mapping[str, Field]


def _at(hour: int, minute: int = 0, clock: bool = False) -> Time:
    return Time(datetime(2024, 12, 18, hour, minute, tzinfo=UTC), clock)


_MARK = {"mark": Field("🚨", "The colour of the severity, as an emoji.")}
_SEVERITY_NAME = {"severity_name": Field("Critical", "What the policy calls this severity.")}
_INSIDE: Fields = {
    "id": Field("INC-20241218-001", "The incident's id."),
    "severity": Field("P0", "P0, P1, P2 or P3."),
    **_SEVERITY_NAME,
    "title": Field("Checkout is down", "The incident's title."),
    "service": Field("checkout", "The affected service."),
}
_IMPACT = {"impact": Field("Complete service outage", "Who cannot do what.")}
_STATUS = {"status": Field("investigating", "Where the work stands, as a plain word.")}
_NEXT_UPDATE = {"next_update": Field(_at(16, 30, clock=True), "When the next update is due.")}
_ETA = {"eta": Field("20 minutes", "When it will be fixed, in the words of the update.")}
_SINCE = {"since": Field(_at(15, 30), "When it was declared.")}
_ENDED: Fields = {
    "resolved_at": Field(_at(16, 15), "When it was resolved."),
    "duration": Field("45 minutes", "Total duration."),
}
_WAR_ROOM = {
    "war_room": Field((Channel("C0123ABCD", "inc-001-checkout-is-down"),), "Where it is handled, and the call.")
}

_ALERT: Fields = {
    **_MARK,
    **_INSIDE,
    "time": Field(_at(15, 30), "When it was declared."),
    **_IMPACT,
    "description": Field("Nobody can pay.", "What is known, as it was declared."),
    **_STATUS,
    "assigned": Field((Person("U012ABCDEF"),), "Who has it."),
    **_WAR_ROOM,
    "declared_by": Field(Person("U012ABCDEG"), "Who declared it."),
    "detection": Field("monitoring alert", "How it was noticed."),
    "update_every": Field("30 minutes", "How often progress is told; empty when the policy asks for no updates."),
}
_UPDATE: Fields = {
    **_MARK,
    **_INSIDE,
    "time": Field(_at(16), "When the update was posted."),
    "elapsed": Field("30 minutes", "The time since the declaration."),
    **_STATUS,
    "progress": Field("✅ Cause found\n⏳ Deploying the fix", "What was done."),
    "next_steps": Field("- Deploy the fix\n- Watch it", "What will be done."),
    **_ETA,
    **_IMPACT,
    **_NEXT_UPDATE,
    **_WAR_ROOM,
    "by": Field(Person("U012ABCDEF"), "Who posted it."),
}
_RESOLUTION: Fields = {
    **_MARK,
    **_INSIDE,
    "time": Field(_at(16, 15), "When it was resolved."),
    "duration": Field("45 minutes", "Total duration."),
    "summary": Field("The connection pool was exhausted.", "What had happened."),
    "resolution": Field("- A larger pool\n- Restarted services", "What was done."),
    "verification": Field("✅ Health checks pass", "How it was made sure that it works."),
    **_IMPACT,
    "data_loss": Field("No data was lost.", "A sentence: whether data was lost; empty while nobody knows."),
    "review_due": Field(_at(10), "Until when the review has to be held; empty when none is asked for."),
    "next_steps": Field("Add monitoring", "What remains to be done."),
    "by": Field(Person("U012ABCDEF"), "Who resolved it."),
}
_STAKEHOLDERS: Fields = {**_INSIDE, **_IMPACT, **_STATUS, **_SINCE, **_ETA, **_NEXT_UPDATE}
_STAKEHOLDERS_RESTORED: Fields = {**_INSIDE, **_IMPACT, **_STATUS, **_SINCE, **_ENDED}

_OUTSIDE: Fields = {
    **_SEVERITY_NAME,
    "service": Field("Online shop", "The service's name for the public."),
    "public_wording": Field("Some payments fail at the moment.", "What people, or the policy, worded for the public."),
    **_STATUS,
    **_SINCE,
}
_OUTSIDE_OPEN: Fields = {**_OUTSIDE, **_NEXT_UPDATE}
_OUTSIDE_ENDED: Fields = {**_OUTSIDE, **_ENDED}

_HANDOVER: Fields = {
    "rotation": Field("primary", "The rotation that changes hands."),
    "outgoing": Field((Person("U012ABCDEF"),), "Who goes off duty."),
    "incoming": Field((Person("U012ABCDEG"),), "Who comes on duty."),
    "starts": Field(_at(0), "When the new shift begins."),
    "ends": Field(_at(23), "When it ends."),
    "call": Field("30 minutes", "How long the handover call takes."),
    "meeting": Field(Link("https://meet.example.com/x", "join the call"), "The link to the call."),
    "open_incidents": Field((("🚨 P0 Checkout is down (INC-20241218-001)",),), "A list: one line each."),
}
_ACTIVITY: Fields = {
    "name": Field("Weekly incident review", "What the activity is called."),
    "cadence": Field("weekly", "How often it comes round."),
    "people": Field((Person("U012ABCDEF"),), "Whom it is for."),
    "about": Field("Go through last week's incidents.", "What it is for."),
    "checklist": Field((("Read the open reviews",), ("Close what is done",)), "A list: one step each."),
}

TEMPLATES: Mapping[str, Fields] = {
    "initial_alert": _ALERT,
    "progress_update": _UPDATE,
    "resolution_notice": _RESOLUTION,
    "stakeholder_notice": _STAKEHOLDERS,
    "stakeholder_update": _STAKEHOLDERS,
    "stakeholder_restored": _STAKEHOLDERS_RESTORED,
    "public_notice": _OUTSIDE_OPEN,
    "public_update": _OUTSIDE_OPEN,
    "public_restored": _OUTSIDE_ENDED,
    "social_post": _OUTSIDE_OPEN,
    "social_restored": _OUTSIDE_ENDED,
    "customer_follow_up": _OUTSIDE_ENDED,
    "handover": _HANDOVER,
    "activity": _ACTIVITY,
}
OUTSIDE = frozenset(name for name, fields in TEMPLATES.items() if "public_wording" in fields)
SHIPPED: Mapping[str, str] = {n: files(__package__).joinpath(f"{n}.txt").read_text("utf-8") for n in TEMPLATES}
