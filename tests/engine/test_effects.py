"""Effects say what they are: who may read them, whether they call somebody, and which channel carries them."""

from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from escalation.config.notify import Via
from escalation.incident import effects
from escalation.incident.effects import SLACK, Effect, aside_of, effect_id, is_page

NOW = datetime(2024, 12, 18, 15, 30, tzinfo=UTC)
ALL: tuple[Any, ...] = get_args(get_args(Effect)[0])
# What each list of effect kinds held while there were such lists. A new effect changes these on purpose, or not at all.
TRAITS = {
    "public": {
        "PostCard",
        "OpenRoom",
        "Invite",
        "PinCard",
        "BookmarkLink",
        "OpenMeeting",
        "SetTopic",
        "Say",
        "Remind",
        "MailOut",
        "CallWebhook",
        "Publish",
        "UpdateIssue",
        "LinkOther",
    },
    "calls": {"SendPage", "PageBy", "Alert"},
    "message": {
        "SendPage",
        "PageBy",
        "Alert",
        "MailOut",
        "CallWebhook",
        "MailReview",
        "SendInvitation",
        "Publish",
        "PostCard",
        "Say",
        "Tell",
        "Remind",
        "RemindPerson",
    },
    "optional": {
        "SetTopic",
        "PinCard",
        "BookmarkLink",
        "OpenMeeting",
        "DeleteMeeting",
        "MailReview",
        "SendInvitation",
        "Invite",
        "ArchiveRoom",
        "StopPage",
        "RunAction",
    },
}
CARRIED_BY = {
    "PageBy": "mail",
    "MailOut": "mail",
    "MailReview": "mail",
    "CallWebhook": "webhooks",
    "SendInvitation": "mail",
    "Publish": "status_page",
    "Withdraw": "status_page",
    "Alert": "pagerduty",
    "LinkOther": "",
    "TellOriginal": "",
    "TellDuplicate": "",
    "StopPage": "pushover",
    "RunAction": "actions",
    "OpenMeeting": "meetings",
    "DeleteMeeting": "meetings",
    "UpdateIssue": "tickets",
}
SPECIAL: dict[str, dict[str, str]] = {
    "PostCard": {"place": "channel"},
    "UpdateIssue": {"action": "open", "vendor": "github"},
}
FIELDS = {
    "page": 1,
    "action": "trigger",
    "entry": 1,
    "place": "room",
    "lists": (),
    "name": "inc",
    "private": False,
    "people": (),
    "title": "T",
    "url": "https://example.com",
    "person": "U1",
    "other": "INC-1",
    "copy_id": "c",
    "face": 1,
    "about": "update",
    "channel": "C1",
    "ts": "1.1",
    "sent": "e",
    "topic": "T",
    "means": "social_media",
    "n": 1,
    "sequence": 0,
    "starts": NOW,
    "meeting": "1",
}


def made(kind: Any) -> Any:
    """An effect of that class."""
    wanted = {name: FIELDS[name] for name, field in kind.model_fields.items() if name in FIELDS and field.is_required()}
    return kind(id="INC-20241218-001-1", at=NOW, **wanted | SPECIAL.get(kind.__name__, {}))


@pytest.mark.parametrize(("trait", "names"), TRAITS.items())
def test_the_traits_say_what_the_lists_said(trait: str, names: set[str]) -> None:
    """Forgetting one among the public ones would leak a private incident."""
    assert {kind.__name__ for kind in ALL if getattr(kind, trait)} == names


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_each_is_carried_by_one_channel(kind: Any) -> None:
    """Slack unless said."""
    assert made(kind).carried_by == CARRIED_BY.get(kind.__name__, SLACK)


@pytest.mark.parametrize("via", Via)
def test_a_page_by_another_channel_is_carried_by_it(via: Via) -> None:
    """The name in the configuration is the name of the channel."""
    assert effects.PageBy(id="e", at=NOW, page=1, via=via).carried_by == via


def test_an_effect_that_does_not_say_whether_it_is_public_cannot_be_made() -> None:
    """There is no default."""
    with pytest.raises(TypeError, match="public"):

        class Forgotten(effects._Effect):
            kind: str = "forgotten"


def test_an_id_says_whether_it_calls_somebody() -> None:
    """For whoever puts pages first without reading the incident."""
    assert {kind.__name__ for kind in ALL if is_page(effect_id("INC-20241218-001", 7, kind))} == TRAITS["calls"]


def test_an_id_says_which_threads_an_effect_has_for_itself() -> None:
    """A system of the company's that hangs delays no ticket, a tracker no action, and neither of them a message."""
    aside = {kind.__name__: name for kind in ALL if (name := aside_of(effect_id("INC-20241218-001", 7, kind)))}
    assert aside == {"RunAction": "action", "UpdateIssue": "ticket"}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_it_is_stored_as_its_fields_alone(kind: Any) -> None:
    """What a class says of itself is no part of the document."""
    adapter: TypeAdapter[Any] = TypeAdapter(Effect)
    stored = adapter.dump_json(made(kind))
    assert adapter.validate_json(stored) == made(kind)
    assert not {"public", "calls", "message", "optional", "carried_by"} & set(
        adapter.validate_json(stored).model_dump()
    )
