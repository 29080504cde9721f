"""One classification of failures for all channels: a table for each vendor."""

import pytest

from workers.channels.failures import Failed, Kind, kind_of
from workers.channels.refusals.mail import smtp_failure
from workers.channels.refusals.paging import pagerduty_failure
from workers.channels.refusals.trackers import confluence_failure, github_failure, jira_failure

PASSING, PERSON, OURS, TOKEN = Kind.PASSING, Kind.PERSON, Kind.OURS, Kind.TOKEN


@pytest.mark.parametrize(
    ("errors", "method", "kind"),
    [
        ("ratelimited internal_error fatal_error request_timeout too_many_requests", "chat.postMessage", PASSING),
        ("user_not_found user_disabled user_not_visible cannot_dm_bot", "conversations.open", PERSON),
        ("messages_tab_disabled not_enough_users missing_scope restricted_action", "conversations.open", OURS),
        ("messages_tab_disabled ekm_access_denied no_permission invalid_blocks", "chat.postMessage", OURS),
        ("cant_invite no_permission no_external_invite_permission user_is_restricted", "conversations.invite", PERSON),
        ("missing_scope restricted_action", "conversations.invite", OURS),
        ("no_permission cant_invite", "pins.add", OURS),
        ("invalid_auth token_revoked account_inactive", "auth.test", TOKEN),
        ("channel_not_found is_archived not_in_channel", "conversations.setTopic", Kind.LOST),
        ("message_not_found cant_update_message", "chat.update", Kind.GONE),
        ("edit_window_closed", "chat.update", OURS),
        ("an_error_of_tomorrow", "bookmarks.add", OURS),
    ],
)
def test_slacks_errors_are_classified_by_code_and_method(errors: str, method: str, kind: Kind) -> None:
    """The person's is what concerns the person alone; what no table knows is ours."""
    assert {kind_of(error, method) for error in errors.split()} == {kind}


MAIL_REPLIES = {
    # passing, whatever the enhanced code says
    "421 4.3.2 going down": PASSING,
    "450 5.1.1 the code decides": PASSING,
    "450 mailbox busy": PASSING,
    "451 greylisted, try again": PASSING,
    "452 4.2.2 mailbox full for now": PASSING,
    "452 4.3.1 no space": PASSING,
    "454 4.7.0 authentication failed for now": PASSING,
    # the recipient's: the address
    **{f"550 5.1.{n} bad": PERSON for n in (0, 1, 2, 3, 4, 6, 9, 10, 11)},
    "550 5.4.1 Recipient address rejected: Access denied": PERSON,  # Exchange, of an unknown one
    "550 5.4.4 no route to the domain": PERSON,
    "550 5.7.17 mailbox owner has changed": PERSON,
    "550 no such user": PERSON,
    "550 5.0.0 User unknown": PERSON,
    "550 Requested action not taken: mailbox unavailable": PERSON,
    "550 <a@example.com>: Recipient address rejected: User unknown in local recipient table": PERSON,
    "551 user not local": PERSON,
    "553 mailbox name not allowed": PERSON,
    "556 domain takes no mail": PERSON,
    # the recipient's: the mailbox
    "550 5.2.0 mailbox has a problem": PERSON,
    "550 5.2.1 mailbox disabled": PERSON,
    "552 5.2.2 mailbox full": PERSON,
    "552 exceeded storage allocation": PERSON,
    "552 5.2.3 too large for the mailbox": PERSON,
    # ours: the sender, the login, relays, policies, the protocol
    "550 5.1.7 bad sender": OURS,
    "550 5.1.8 sender's domain is unknown": OURS,
    "550 5.2.4 mailing list": OURS,
    "552 5.3.4 message too big": OURS,
    "550 5.7.1 Relay access denied": OURS,
    "554 5.7.1 Relay access denied": OURS,
    "550 5.7.2 mailing list": OURS,
    "550 5.7.26 DMARC": OURS,
    "550 relay not permitted": OURS,
    "550 mailbox unavailable: blocked by policy": OURS,
    "550 no": OURS,
    "530 5.7.0 log in first": OURS,
    "530 log in first": OURS,
    "535 5.7.8 wrong password": OURS,
    "535 wrong password": OURS,
    "500 what?": OURS,
    "503 bad sequence": OURS,
    "521 takes no mail": OURS,
    "554 transaction failed": OURS,
    "555 parameters not known": OURS,
    "554 5.6.1 media not supported": OURS,
}


@pytest.mark.parametrize(("reply", "kind"), MAIL_REPLIES.items())
def test_a_mail_servers_replies_are_classified_by_whose_fault_they_are(reply: str, kind: Kind) -> None:
    """4xx passes, addresses and mailboxes are the person's, and each refusal of us comes with a remedy."""
    code, _, text = reply.partition(" ")
    failed = smtp_failure(int(code), text)
    assert failed.kind is kind
    assert kind is not OURS or "SMTP_" in failed.reason.remedy or "relay" in failed.reason.remedy
    assert failed.for_now is (reply in ("552 5.2.2 mailbox full", "552 exceeded storage allocation"))


@pytest.mark.parametrize("reply", ["550 no such user", "552 too much", "553 bad sender", "550 mailbox unavailable"])
def test_a_reply_about_the_sender_is_never_the_recipients(reply: str) -> None:
    """Without a code of its own only the command says whom a reply means."""
    code, _, text = reply.partition(" ")
    assert smtp_failure(int(code), text, rcpt=False).kind is OURS


@pytest.mark.parametrize(
    ("status", "kind"), [(408, PASSING), (429, PASSING), (500, PASSING), (503, PASSING), (400, OURS), (404, OURS)]
)
def test_pagerdutys_answers_are_classified_by_status(status: int, kind: Kind) -> None:
    """Limits and breakdowns pass; a refused key is ours and comes with its remedy."""
    failed = pagerduty_failure(status)
    assert failed.kind is kind
    assert ("PAGERDUTY_ROUTING_KEY" in failed.reason.remedy) is (kind is OURS)


GONE, LATER = Kind.GONE, {"x-ratelimit-remaining": "0", "date": "Sun, 29 Nov 2026 04:00:00 GMT"}


@pytest.mark.parametrize(
    ("status", "headers", "where", "kind", "wait"),
    [
        (401, {}, "acme/shop/issues", OURS, 0),
        (403, {}, "acme/shop/issues", OURS, 0),
        (403, {"retry-after": "90"}, "acme/shop/issues", PASSING, 90),
        (403, LATER | {"x-ratelimit-reset": "1795925100"}, "acme/shop/issues", PASSING, 300),
        (403, LATER, "acme/shop/issues", PASSING, 60),
        (429, {}, "acme/shop/issues", PASSING, 60),
        (404, {}, "acme/shop/issues", OURS, 0),
        (410, {}, "acme/shop/issues", OURS, 0),
        (410, {}, "acme/shop/issues/12", GONE, 0),
        (422, {}, "acme/shop/issues", OURS, 0),
        (502, {}, "acme/shop/issues", PASSING, 0),
    ],
)
def test_githubs_answers_are_classified(
    status: int, headers: dict[str, str], where: str, kind: Kind, wait: float
) -> None:
    """403 is a limit where its headers say so, and how long; 410 is a deleted ticket, or issues that are off."""
    failed = github_failure(status, headers, where)
    assert (failed.kind, failed.wait) == (kind, wait)
    assert kind is not OURS or failed.reason.remedy


@pytest.mark.parametrize(
    ("status", "headers", "kind", "wait"),
    [
        (400, {}, OURS, 0),
        (401, {}, OURS, 0),
        (403, {}, OURS, 0),
        (404, {}, OURS, 0),
        (429, {"retry-after": "7"}, PASSING, 7),
        (503, {}, PASSING, 0),
    ],
)
def test_jiras_answers_are_classified(status: int, headers: dict[str, str], kind: Kind, wait: float) -> None:
    """A refused field is named, and each refusal of us comes with a remedy."""
    failed = jira_failure(status, headers, ["labels"])
    assert (failed.kind, failed.wait) == (kind, wait)
    assert kind is not OURS or failed.reason.remedy
    assert ("labels" in failed.reason.text) is (status == 400)


@pytest.mark.parametrize(
    ("status", "headers", "kind", "wait"),
    [
        (400, {}, OURS, 0),
        (401, {}, OURS, 0),
        (403, {}, OURS, 0),
        (404, {}, OURS, 0),
        (409, {}, PASSING, 0),
        (413, {}, OURS, 0),
        (429, {"retry-after": "7"}, PASSING, 7),
        (503, {}, PASSING, 0),
    ],
)
def test_confluences_answers_are_classified(status: int, headers: dict[str, str], kind: Kind, wait: float) -> None:
    """A page that somebody saves just now is tried again; each refusal of us comes with a remedy."""
    failed = confluence_failure(status, headers, "OPS")
    assert (failed.kind, failed.wait) == (kind, wait)
    assert kind is not OURS or failed.reason.remedy


@pytest.mark.parametrize("error", ["messages_tab_disabled", "missing_scope", "token_revoked", "an_error_of_tomorrow"])
def test_what_is_ours_has_a_remedy(error: str) -> None:
    """Whoever reads the failure is told what to do about it."""
    assert Failed(error).reason.remedy
