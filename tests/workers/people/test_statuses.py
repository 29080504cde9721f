"""Statuses that Twilio reports of SMS and calls: what did not arrive, and what nobody took."""

import pytest

from escalation.config.notify import Via
from escalation.incident.reach import ReachState
from tests.workers.people.test_pages import Reached, delivery_of, reached
from workers.delivery.people.news import UNDELIVERED

__all__ = ["reached"]


def test_an_sms_that_is_not_delivered_is_followed_by_a_call_at_once(reached: Reached) -> None:
    """The operator says that the phone is off: the call does not wait for its time, and comes once."""
    incident = reached.declare()
    reached.push(minutes=1)
    effect = delivery_of(reached, incident, Via.SMS)
    for _ in range(2):
        form = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30003"}
        reached.news.twilio_status(effect, form)
    reached.parts.run()
    assert len(reached.twilio.calls) == 1
    reached.push(minutes=2)
    assert len(reached.twilio.calls) == len(incident.pages)


@pytest.mark.parametrize(
    ("status", "why"),
    [("no-answer", "nobody picked up"), ("busy", "the line is busy"), ("canceled", "cancelled at Twilio")],
)
def test_a_call_that_nobody_takes_is_said_and_rings_again_with_the_page(
    reached: Reached, status: str, why: str
) -> None:
    """It answers nothing and pages no other tier; the record says why, and the repeated page calls again."""
    incident = reached.declare()
    reached.push(minutes=3)
    effect = delivery_of(reached, incident, Via.CALL)
    reached.news.twilio_status(effect, {"CallSid": "CA1", "CallStatus": status})
    reached.parts.run()
    now = reached.parts.now(incident)
    [failed] = [reach for page in now.pages if (reach := page.reach(effect))]
    assert failed.state is ReachState.FAILED
    assert why in failed.why
    assert now.acknowledgement is None
    assert len(now.pages) == len(incident.pages)
    calls = len(reached.twilio.calls)
    reached.push(minutes=2)  # the page is repeated
    reached.push(minutes=3)
    assert len(reached.twilio.calls) == 2 * calls


def test_a_filtered_sms_is_a_problem_of_ours(reached: Reached) -> None:
    """What an operator filters is ours to mend: it is reported with a remedy, until an SMS is delivered there."""
    incident = reached.declare()
    reached.push(minutes=1)
    effect = delivery_of(reached, incident, Via.SMS)
    sms = {"MessageSid": "SM1", "To": "+15550101"}
    reached.news.twilio_status(effect, sms | {"MessageStatus": "undelivered", "ErrorCode": "30007"})

    def known() -> bool:
        return any(p.key.startswith(UNDELIVERED) for p in reached.parts.store.problems.current())

    assert known()
    for cure in (
        {"CallSid": "CA1", "CallStatus": "in-progress", "To": "+15550101"},  # the call that followed
        {"MessageSid": "SM2", "MessageStatus": "delivered", "To": "+4915112345678"},
    ):
        reached.news.twilio_status(effect, cure)
        assert known()
    reached.news.twilio_status(effect, sms | {"MessageStatus": "delivered"})
    assert not known()


@pytest.mark.parametrize("delivery", ["INC-20241218-099-7-page", "nonsense", "..", ""])
def test_a_status_of_what_is_not_known_changes_nothing(reached: Reached, delivery: str) -> None:
    """A status of an unknown delivery is taken note of in the log only."""
    reached.news.twilio_status(delivery, {"MessageSid": "SM1", "MessageStatus": "delivered"})
