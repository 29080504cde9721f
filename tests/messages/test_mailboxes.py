"""Our own mail addresses: each page has its own for answers, and mail that comes back is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.notify.mailboxes import Mailboxes

BOXES = Mailboxes("tocsin@example.com", "reply@in.example.com")
TOKENS = st.from_regex(r"inc-[0-9]{8}-[0-9]{3}\.[0-9]{1,3}\.[a-z2-7]{24}", fullmatch=True)


@given(TOKENS, st.booleans())
def test_an_address_for_answers_gives_its_token_back(token: str, shouted: bool) -> None:
    """In any case, as mail programs write it, among other recipients; its name keeps to the 64 letters of SMTP."""
    address = BOXES.reply_address(token)
    assert len(address.partition("@")[0]) <= 64
    assert BOXES.token_of(["dana@example.com", address.upper() if shouted else address]) == token
    assert BOXES.is_own(address)


@pytest.mark.parametrize(
    "recipient", ["reply@in.example.com", "reply+x@example.com", "other+x@in.example.com", "", "+x@in.example.com"]
)
def test_another_address_has_no_token(recipient: str) -> None:
    """Nor has any where no address for answers is set."""
    assert BOXES.token_of([recipient]) == ""
    assert Mailboxes("tocsin@example.com").token_of(["reply+x@in.example.com", "+x@"]) == ""
    assert Mailboxes("tocsin@example.com").reply_address("x") == ""


@pytest.mark.parametrize(
    ("message_id", "incident"),
    [
        ("INC-20241218-001-15-page@example.com", "INC-20241218-001"),
        ("INC-20241218-001-1734535800@EXAMPLE.com", "INC-20241218-001"),
        ("INC-20241218-001-15-page@evil.example", ""),
        ("x-INC-20241218-001@example.com", ""),
        ("INC-20241218-001", ""),
        ("", ""),
    ],
)
def test_a_mail_of_ours_names_its_incident(message_id: str, incident: str) -> None:
    """By its Message-ID, of our own domain."""
    assert BOXES.incident_of(message_id) == incident
    assert Mailboxes().incident_of(message_id) == ""
