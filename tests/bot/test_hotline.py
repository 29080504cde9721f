"""Hotline and vendor are one tap away on a page: numbers that a phone dials."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.render.mrkdwn import dialled
from bot.render.pages import page
from escalation.messages.mail import IncidentPage, page_mail
from tests.support.story import Story


@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        ("+1 555 0100", "<tel:+15550100|+1 555 0100>"),
        ("AWS Support · +49 (30) 1234-567 · 24/7", "AWS Support · <tel:+49301234567|+49 (30) 1234-567> · 24/7"),
        ("Stripe · https://support.stripe.com", "Stripe · https://support.stripe.com"),
        ("<!channel> · 112", "&lt;!channel&gt; · 112"),
    ],
)
def test_a_number_is_a_link_that_a_phone_dials(contact: str, shown: str) -> None:
    """Numbers alone; whatever else a contact says is text."""
    assert dialled(contact) == shown


@given(st.text(max_size=60))
def test_no_contact_is_markup(contact: str) -> None:
    """Whatever somebody writes as a contact, no tag but our own stands in it."""
    assert all(tag.startswith(("tel:+", *(f"tel:{n}" for n in range(10)))) for tag in dialled(contact).split("<")[1:])


def test_a_page_has_call_hotline_and_vendor_one_tap_away() -> None:
    """Below its buttons in Slack, and in its mail; a private incident's mail does not name the vendor."""
    contacts = {"hotline": "+1 555 0100 · 24/7", "vendor": "Stripe · +1 555 0199"}
    incident = Story().incident.model_copy(update=contacts)
    blocks = json.dumps(page(incident, 1).blocks)
    assert "<https://meet.example/abc|Join the call>" in blocks
    assert "*Hotline:* <tel:+15550100|+1 555 0100>" in blocks
    assert "*Vendor:* Stripe" in blocks
    assert "<tel:+15550199|+1 555 0199>" in blocks
    mail = page_mail([IncidentPage(incident, incident.page(1))], {})
    assert "+1 555 0100" in mail.body
    assert "+1 555 0199" in mail.body
    private = Story(security=True).incident.model_copy(update=contacts)
    mail = page_mail([IncidentPage(private, private.page(1))], {})
    assert "+1 555 0100" in mail.body
    assert "Stripe" not in mail.body
