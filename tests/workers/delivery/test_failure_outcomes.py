"""What each failure means for each effect, as a table."""

from datetime import UTC, datetime

import pytest

from escalation.incident.effects import (
    Effect,
    Invite,
    OpenRoom,
    PinCard,
    Place,
    PostCard,
    Refresh,
    Say,
    SendPage,
    SetTopic,
    Tell,
)
from escalation.incident.events.outcomes import Delivered, Dropped, MessageGone, PersonRefused, RoomOpened, Trouble
from escalation.incident.model import Incident
from escalation.incident.state.rooms import Room
from tests.support.incidents import incident_after
from tests.support.story import Story
from workers.channels.failures import Failed, Kind, back_off, kind_of
from workers.delivery.failure_outcomes import outcome_of
from workers.delivery.plan import Plan, SendResult
from workers.delivery.privacy import Address, Leak, permitted

NOW = datetime(2024, 12, 18, 15, 30, tzinfo=UTC)
ROOM = Room(channel="CROOM", name="inc-1", private=False)


def delivered_incident() -> Incident:
    """An incident with a room, its card in the incidents channel, and one page that arrived."""
    story = Story()
    for effect in story.incident.effects:
        match effect:
            case OpenRoom():
                story.do(RoomOpened(effect=effect.id, room=ROOM))
            case PostCard(place="channel"):
                story.do(Delivered(effect=effect.id, channel="CINC", ts="1.1", face=1))
            case SendPage(page=1):
                story.do(Delivered(effect=effect.id, channel="D1", ts="1.2", face=1))
    return story.incident


def copy_id(channel: str) -> str:
    return next(c.id for c in delivered_incident().copies if c.channel == channel)


EFFECTS: dict[str, Effect] = {
    "page": SendPage(id="e", at=NOW, page=1),
    "card": PostCard(id="e", at=NOW, place="channel"),
    "room card": PostCard(id="e", at=NOW, place="room"),
    "say": Say(id="e", at=NOW, entry=1, place=Place.THREAD),
    "tell": Tell(id="e", at=NOW, entry=1, person="U1"),
    "room": OpenRoom(id="e", at=NOW, name="inc", private=False),
    "topic": SetTopic(id="e", at=NOW),
    "pin": PinCard(id="e", at=NOW),
    "invite": Invite(id="e", at=NOW, people=("U1",)),
    "refresh of the card": Refresh(id="e", at=NOW, copy_id=copy_id("CINC"), face=1),
    "refresh of a page": Refresh(id="e", at=NOW, copy_id=copy_id("D1"), face=1),
}
R, D, T, P, G = "retry", "dropped", "trouble", "refused", "message gone"
# An error, the channel it came from, and what becomes of which effect.
TABLE = [
    ("ratelimited", "CINC", dict.fromkeys(EFFECTS, R)),
    ("internal_error", "CROOM", dict.fromkeys(EFFECTS, R)),
    ("invalid_auth", "", dict.fromkeys(EFFECTS, T)),
    ("is_archived", "CROOM", dict.fromkeys(EFFECTS, "room lost")),
    ("channel_not_found", "CROOM", {"say": "room lost", "room card": "room lost", "topic": "room lost"}),
    ("is_archived", "CFORMER", {"say": D, "topic": D}),
    ("is_archived", "D1", {"refresh of a page": D}),
    ("user_disabled", "", {"page": P, "tell": P, "invite": D, "refresh of a page": D, "card": T}),
    ("cannot_dm_bot", "", {"page": P, "tell": P}),
    ("users_not_found", "", {"page": P, "tell": P}),
    ("message_not_found", "CINC", {"refresh of the card": G, "refresh of a page": G, "pin": D}),
    ("thread_not_found", "CINC", {"say": G, "tell": D}),
    ("card_gone", "CINC", {"say": G, "refresh of the card": G}),
    ("cant_update_message", "CINC", {"refresh of the card": D}),
    ("edit_window_closed", "CINC", {"refresh of the card": T, "refresh of a page": T}),
    ("missing_scope", "CROOM", {"topic": D, "pin": D, "invite": D, "room": T, "page": T, "card": T}),
    ("plan_upgrade_required", "CROOM", {"topic": D, "pin": D, "invite": D}),
    ("restricted_action", "CINC", {"card": T, "room": T, "page": T, "pin": D}),
    ("invalid_blocks", "CINC", {"card": T, "page": T, "say": T}),
    ("an_error_of_tomorrow", "CINC", {"card": T, "page": T, "topic": D}),
]


@pytest.mark.parametrize(
    ("error", "channel", "effect", "outcome"), [(e, c, k, o) for e, c, row in TABLE for k, o in row.items()]
)
def test_each_failure_has_its_meaning(error: str, channel: str, effect: str, outcome: str) -> None:
    """Passing ones are retried, the person's are theirs, ours are said, and what nobody misses is dropped."""
    match outcome_of(delivered_incident(), EFFECTS[effect], Failed(error, channel=channel), NOW):
        case None:
            found = R
        case Dropped(gone="CROOM"):
            found = "room lost"
        case Dropped():
            found = D
        case PersonRefused():
            found = P
        case MessageGone():
            found = G
        case Trouble():
            found = T
    assert found == outcome


@pytest.mark.parametrize(
    ("failed", "times", "seconds"),
    [
        (Failed("ratelimited", wait=17.0), 1, 17.0),
        (Failed("ratelimited", wait=17.0), 9, 17.0),
        (Failed("internal_error"), 1, 0.5),
        (Failed("internal_error"), 2, 1.0),
        (Failed("internal_error"), 5, 8.0),
        (Failed("internal_error"), 50, 30.0),
        (Failed("invalid_auth"), 50, 60.0),
        (Failed("invalid_blocks"), 50, 60.0),
        (Failed("internal_error"), 0, 0.5),
    ],
)
def test_waits_are_those_asked_for_or_double(failed: Failed, times: int, seconds: float) -> None:
    """From half a second up to half a minute; up to a minute where somebody has to mend something first."""
    assert back_off(failed, times) == seconds


def test_an_unknown_error_is_ours() -> None:
    """So that it is retried and seen, rather than lost."""
    assert kind_of("an_error_of_tomorrow") is Kind.OURS


# Privacy of a security incident --------------------------------------------------------------------------------------

SECRET = incident_after(security=True).model_copy(update={"room": Room(channel="CSECRET", name="x", private=True)})
PUBLIC_ROOM = SECRET.model_copy(update={"room": ROOM})


@pytest.mark.parametrize(
    ("incident", "to", "neutral", "goes"),
    [
        (SECRET, Address("CSECRET"), False, True),
        (SECRET, Address("D123", "U1"), False, True),
        (SECRET, Address("CINC"), True, True),
        (SECRET, Address("CINC"), False, False),
        (SECRET, Address("CROOM"), False, False),
        (SECRET, Address("C123", "U1"), False, False),
        (SECRET, Address("D123"), False, False),
        (PUBLIC_ROOM, Address("CROOM"), False, False),
        (incident_after(), Address("CINC"), False, True),
    ],
)
def test_words_of_a_security_incident_fail_closed(incident: Incident, to: Address, neutral: bool, goes: bool) -> None:
    """Its own private room, a person directly, or no word of it: all else is stopped."""
    plan = Plan(None, lambda again: SendResult(Dropped(effect="e", why="")))  # its budget is not read
    if goes:
        assert permitted(incident, to, plan, neutral=neutral) is plan
    else:
        with pytest.raises(Leak):
            permitted(incident, to, plan, neutral=neutral)
