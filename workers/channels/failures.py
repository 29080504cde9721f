"""Failures of calls, classified in one place: a table for each vendor. What no table knows is ours.

Redis has its own table (escalation.storage.redis_faults): the bot needs it too.
"""

import re
from collections.abc import Container, Iterable, Mapping
from email.utils import parsedate_to_datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Kind(StrEnum):
    """Kind of a failed call.

    Passing: retry. Person: that person cannot be reached. Lost: the channel is gone or archived. Gone: the message is.
    Ours: token, scope, settings; an operator has to fix it. Token: ours, and nothing at all will work until then.
    Bug: a fault of Tocsin itself; nobody else is to blame.
    """

    PASSING = "passing"
    PERSON = "person"
    LOST = "lost"
    GONE = "gone"
    OURS = "ours"
    TOKEN = "token"  # noqa: S105  # a kind, not a secret
    BUG = "bug"


class Reason(NamedTuple):
    """A failure in words, and what to do about it (empty where nothing can be done)."""

    text: str
    remedy: str = ""

    def sentence(self) -> str:
        """Both as one sentence, without its full stop."""
        return f"{self.text}: {self.remedy}" if self.remedy else self.text


# Slack ---------------------------------------------------------------------------------------------------------------

# https://docs.slack.dev/reference/methods lists each method's errors.
_SLACK = {
    Kind.PASSING: (
        "ratelimited rate_limited message_limit_exceeded too_many_requests internal_error fatal_error "
        "service_unavailable request_timeout team_added_to_org update_failed fetch_members_failed "
        "external_channel_migrating timeout connection_failed unreadable_response"
    ),
    Kind.PERSON: (
        "user_not_found users_not_found user_disabled user_not_visible user_is_restricted cannot_dm_bot "
        "invalid_user_combination org_user_not_in_team invitee_cant_see_channel ura_max_channels user_not_in_team"
    ),
    Kind.LOST: "channel_not_found is_archived not_in_channel",
    Kind.GONE: (
        "message_not_found cant_update_message edit_window_closed thread_not_found "
        "cannot_reply_to_message not_pinnable card_gone"
    ),
    Kind.TOKEN: (
        "not_authed invalid_auth account_inactive token_revoked token_expired org_login_required "
        "team_access_not_granted two_factor_setup_required not_allowed_token_type"
    ),
}
# The same words mean something else there: the person named, and not the bot, lacks the permission.
_SLACK_OF_METHOD = {
    "conversations.invite": {
        Kind.PERSON: "cant_invite no_permission no_external_invite_permission app_cannot_join_channel"
    },
}
_REASONS = {
    "user_disabled": Reason("the account is deactivated"),
    "user_not_found": Reason("there is no such member of the workspace"),
    "users_not_found": Reason("the workspace has nobody with that e-mail address"),
    "user_not_visible": Reason("the bot cannot see that person"),
    "cannot_dm_bot": Reason("it is a bot"),
    "channel_not_found": Reason("their direct messages cannot be opened"),
    "user_is_restricted": Reason("guests cannot be in that channel"),
    "ura_max_channels": Reason("a single-channel guest cannot join a second channel"),
    "cant_invite": Reason("Slack does not let that person join"),
    "no_permission": Reason("Slack does not let the bot invite that person"),
    "no_external_invite_permission": Reason("the bot may not invite people of other companies"),
    "messages_tab_disabled": Reason(
        "the app's Messages tab is off", "switch it on under App Home, Show Tabs, in the app's settings"
    ),
    "not_enough_users": Reason(
        "Slack opens no direct messages for the app", "update the app from manifest.yml and reinstall it"
    ),
    "missing_scope": Reason("the bot token lacks a scope", "see tocsin doctor, then reinstall the app"),
    "restricted_action": Reason(
        "the workspace's settings do not let the bot do this", "ask a workspace admin to allow it for the app"
    ),
    "ekm_access_denied": Reason("your admins switched off messages there", "ask them to allow the app"),
    "app_access_restricted": Reason("the app is restricted in the workspace", "ask a workspace admin to approve it"),
    "no_free_name": Reason("every name for the war room is taken", "archive or rename older rooms"),
    "permission_denied": Reason(
        "the workspace does not let the app change user groups", "ask a workspace admin to allow it for the app"
    ),
    "no_such_subteam": Reason("Slack has no user group of that handle", "correct rotations.*.group, or create it"),
    "invalid_users": Reason("Slack refuses the group's members", "look at who is on call with /incident oncall"),
    "no_users_provided": Reason("nobody on call can be a member", "give the shift to somebody who is there"),
    "plan_upgrade_required": Reason("the workspace's plan does not include this", "upgrade it, or do without"),
    "too_many_pins": Reason("the channel has too many pins", "remove some"),
    "too_many_bookmarks": Reason("the channel has too many bookmarks", "remove some"),
    "invalid_auth": Reason("Slack refuses the bot token", "set SLACK_BOT_TOKEN"),
    "not_authed": Reason("Slack got no bot token", "set SLACK_BOT_TOKEN"),
    "token_expired": Reason("the bot token expired", "install the app again, and set SLACK_BOT_TOKEN"),
    "token_revoked": Reason("the bot token was revoked", "install the app again, and set SLACK_BOT_TOKEN"),
    "account_inactive": Reason("the bot's account is deactivated", "install the app again"),
}


def kind_of(error: str, method: str = "") -> Kind:
    """Classify a Slack error code, as that method means it."""
    special = _BY_METHOD.get(method, {})
    return special.get(error) or _BY_ERROR.get(error, Kind.OURS)


def _by_error(table: dict[Kind, str]) -> dict[str, Kind]:
    return {error: kind for kind, errors in table.items() for error in errors.split()}


_BY_ERROR = _by_error(_SLACK)
_BY_METHOD = {method: _by_error(table) for method, table in _SLACK_OF_METHOD.items()}

# SMTP ----------------------------------------------------------------------------------------------------------------

# What a 5xx says of a recipient: https://www.rfc-editor.org/rfc/rfc3463 section 3, and
# https://www.iana.org/assignments/smtp-enhanced-status-codes for later codes. A prefix stands for all that begin so.
# What stands in no line is ours: 5.3 (the mail system), 5.5 (the protocol), 5.6 (the content), 5.7 (policy, login).
_SMTP_PERSON = {
    "5.1.": Reason("the mail server does not know the address"),
    "5.2.": Reason("their mailbox takes no mail"),
    "5.2.1": Reason("their mailbox is switched off"),
    "5.2.2": Reason("their mailbox is full"),
    "5.2.3": Reason("the mail is too large for their mailbox"),
    "5.4.": Reason("no mail server takes mail for the address"),  # Exchange says 5.4.1 of an unknown recipient
    "5.7.17": Reason("the mailbox belongs to somebody else now"),
    "5.7.18": Reason("the address's domain belongs to somebody else now"),
}
_SMTP_OURS = {
    "5.1.7": "correct SMTP_FROM",
    "5.1.8": "correct SMTP_FROM",
    "5.2.4": "let SMTP_FROM write to the mailing list, or give an address that it can write to",
    "5.3.4": "let the mail server take larger mails from SMTP_FROM",
    "5.7.2": "let SMTP_FROM write to the mailing list, or give an address that it can write to",
    "5.7.8": "correct user and password in SMTP_URL",
    **dict.fromkeys(
        (f"5.7.{n}" for n in range(20, 30)), "correct SPF, DKIM, DMARC and reverse DNS of SMTP_FROM's domain"
    ),
}
FULL = "5.2.2"
# Replies without such a code, to RCPT: https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3, and RFC 7504 for 556.
_SMTP_BARE = {551: "5.1.6", 552: FULL, 553: "5.1.3", 556: "5.1.10"}
_MAIL_REMEDIES = {
    530: "put user and password into SMTP_URL",
    534: "check user, password and port in SMTP_URL",
    535: "correct user and password in SMTP_URL",
    538: "set a port with TLS in SMTP_URL",
    552: "let the mail server take larger mails from SMTP_FROM",
    550: "let the mail server relay for this host and for SMTP_FROM",
    554: "let the mail server relay for this host and for SMTP_FROM",
}
_ENHANCED_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
# A bare 550 is said of unknown recipients and of refused relays alike. Its words are all there is.
_DENIED = re.compile(r"relay|den(y|ied)|block|spam|polic|spf|dkim|dmarc|authenti|permitted|allowed|reputation", re.I)
_UNKNOWN = re.compile(
    r"(unknown|no such|invalid|bad|nonexist\w*) (local )?(user|mailbox|recipient|address|account|person)"
    r"|(user|mailbox|recipient|address|account)\b.{0,60}\b"
    r"(unknown|unavailable|not found|not exist|n't exist|disabled|inactive|invalid|rejected|no longer)"
    r"|no mailbox",
    re.I,
)


def smtp_failure(code: int, text: bytes | str, *, rcpt: bool = True) -> "Failed":
    """Classify a reply: 4xx is passing (RFC 5321, 4.2.1). `rcpt`: it is about the recipient, not about the sender."""
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    found = _ENHANCED_CODE.match(words)
    status = found[0] if found else ""
    error = f"smtp: {code} {status}".rstrip()
    if 400 <= code < 500:
        return Failed(error, Kind.PASSING, reason=Reason(f"the mail server does not take it now ({error})"))
    if status in ("", "5.0.0") and rcpt:
        status = "5.1.1" if code == 550 and _is_unknown(words) else _SMTP_BARE.get(code, "")
    person = None if status in _SMTP_OURS else _SMTP_PERSON.get(status) or _SMTP_PERSON.get(status[:4])
    if person:
        return Failed(error, Kind.PERSON, reason=Reason(f"{person.text} ({error})"), for_now=status == FULL)
    remedy = _SMTP_OURS.get(status) or _MAIL_REMEDIES.get(code, "check SMTP_URL and SMTP_FROM")
    return Failed(error, Kind.OURS, reason=Reason(f"the mail server refuses us ({error})", remedy))


def _is_unknown(words: str) -> bool:
    return bool(_UNKNOWN.search(words)) and not _DENIED.search(words)


# PagerDuty -----------------------------------------------------------------------------------------------------------

_PAGERDUTY_PASSING = frozenset({408, 425, 429})


def pagerduty_failure(status: int, wait: float = 0.0) -> "Failed":
    """Classify a status. https://developer.pagerduty.com/docs/send-alert-event#api-response-codes--retry-logic"""
    error = f"pagerduty: {status}"
    if status in _PAGERDUTY_PASSING or status >= 500:
        return Failed(error, Kind.PASSING, wait=wait, reason=Reason(f"PagerDuty does not take it ({status})"))
    reason = Reason(f"PagerDuty refuses us ({status})", "correct PAGERDUTY_ROUTING_KEY")
    return Failed(error, Kind.OURS, reason=reason)


# Twilio --------------------------------------------------------------------------------------------------------------

# https://www.twilio.com/docs/api/errors lists every code. Those of a status callback are in the same numbers. What
# stands in neither line is ours when Twilio refuses the request (4xx), and passing when it fails itself (5xx).
_TWILIO = {
    Kind.PERSON: "13224 21211 21214 21216 21217 21265 21421 21610 21612 21614 21635 30004 30005 30006 30011",
    Kind.PASSING: "10004 11200 20429 20500 20503 20504 21611 30001 30003 30008 30009 30010 30017 30410",
}
_TWILIO_REASONS = {
    13224: Reason("the number is not valid"),
    20003: Reason("Twilio refuses our login", "correct TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"),
    20005: Reason("the Twilio account is not active", "see console.twilio.com"),
    20006: Reason("the Twilio account has no right to this", "see console.twilio.com"),
    20429: Reason("Twilio takes no more requests just now"),
    21210: Reason("Twilio has not verified TWILIO_FROM", "set a number of your account"),
    21211: Reason("the number is not valid"),
    21212: Reason("TWILIO_FROM is not a number", "set a number of your account"),
    21214: Reason("the number cannot be called"),
    21215: Reason(
        "calls to that country are switched off", "allow it under Voice, Geo Permissions, in Twilio's console"
    ),
    21216: Reason("Twilio does not call that number"),
    21217: Reason("the number is not valid"),
    21265: Reason("the number is not valid"),
    21408: Reason(
        "SMS to that country are switched off", "allow it under Messaging, Geo permissions, in Twilio's console"
    ),
    21421: Reason("the number is not valid"),
    21606: Reason("TWILIO_FROM cannot send SMS to that number", "set a number of your account that can send SMS"),
    21608: Reason(
        "a trial account reaches verified numbers only", "upgrade the Twilio account, or verify the number there"
    ),
    21609: Reason("Twilio cannot use TOCSIN_URL for its callbacks", "set TOCSIN_URL to an address that it can reach"),
    21610: Reason("they sent STOP to our number: they have to send START"),
    21611: Reason("Twilio's queue for our number is full"),
    21612: Reason("Twilio has no route to the number"),
    21614: Reason("the number cannot receive SMS"),
    21617: Reason("the SMS is too long", "report it: Tocsin should have cut it"),
    21219: Reason("a trial account reaches verified numbers only", "upgrade the Twilio account, or verify the number"),
    21635: Reason("the number is a landline"),
    30001: Reason("Twilio's queue for our number is full"),
    30002: Reason("the Twilio account is suspended", "see console.twilio.com"),
    30003: Reason("the phone is off or out of reach"),
    30004: Reason("their phone or operator blocks our SMS"),
    30005: Reason("the number is unknown"),
    30006: Reason("the number is a landline, or cannot be reached"),
    30007: Reason("the operator filtered the SMS as spam", "see Twilio's page on error 30007, and register the number"),
    30008: Reason("the operator did not deliver it, and does not say why"),
    30032: Reason("the toll-free number is not verified", "verify it in Twilio's console"),
    30034: Reason("the number is not registered for SMS in the US", "register it for A2P 10DLC in Twilio's console"),
    13227: Reason(
        "calls to that country are switched off", "allow it under Voice, Geo Permissions, in Twilio's console"
    ),
}


def twilio_failure(status: int, code: int = 0, wait: float = 0.0) -> "Failed":
    """Classify a refusal by Twilio's code, else by the HTTP status."""
    kind = _BY_TWILIO_CODE.get(code)
    if kind is None:
        kind = Kind.PASSING if status >= 500 or status in (408, 425, 429) else Kind.OURS
    error = f"twilio: {code or status}"
    known = _TWILIO_REASONS.get(code)
    if kind is Kind.PASSING:
        reason = known or Reason(f"Twilio does not take it ({code or status})")
    else:
        page = f"see https://www.twilio.com/docs/api/errors/{code}" if code else "check TWILIO_API_URL"
        reason = known or Reason(f"Twilio refuses it ({code or status})", page)
    return Failed(error, kind, wait=wait, reason=reason)


_BY_TWILIO_CODE = {int(code): kind for kind, codes in _TWILIO.items() for code in codes.split()}

# Pushover and ntfy ---------------------------------------------------------------------------------------------------


def pushover_failure(status: int, errors: str = "", fields: Container[str] = (), wait: float = 0.0) -> "Failed":
    """Classify an answer. https://pushover.net/api#friendly: 4xx is final, and names the wrong field; 5xx is passing.

    `fields` are the parameters that the answer names. A quota that is used up (429) lasts until the month ends.
    """
    error = f"pushover: {status}"
    if status >= 500 or status in (408, 425):
        return Failed(error, Kind.PASSING, wait=max(wait, 5.0), reason=Reason(f"Pushover does not take it ({status})"))
    if status == 429:
        reason = Reason("Pushover's quota for this month is used up", "buy more messages at pushover.net")
        return Failed(error, Kind.OURS, reason=reason)
    if "user" in fields and "token" not in fields:
        return Failed(error, Kind.PERSON, reason=Reason("Pushover does not know their user key"))
    said = f": {errors}" if errors else ""
    remedy = "correct PUSHOVER_TOKEN" if "token" in fields or status == 401 else "see https://pushover.net/api"
    return Failed(error, Kind.OURS, reason=Reason(f"Pushover refuses it ({status}{said})", remedy))


def ntfy_failure(status: int, code: int = 0, wait: float = 0.0) -> "Failed":
    """Classify an answer. Codes: https://github.com/binwiederhier/ntfy/blob/main/server/errors.go"""
    error = f"ntfy: {code or status}"
    if status >= 500 or status in (408, 425, 429):
        return Failed(error, Kind.PASSING, wait=wait, reason=Reason(f"ntfy does not take it ({code or status})"))
    if status == 401:
        return Failed(error, Kind.OURS, reason=Reason("ntfy refuses our token", "correct NTFY_TOKEN"))
    if status == 403:
        remedy = "allow NTFY_TOKEN's user to write to the people's topics"
        return Failed(error, Kind.OURS, reason=Reason("ntfy does not let us write to the topic", remedy))
    if code == 40009:  # the topic's name
        return Failed(error, Kind.PERSON, reason=Reason("ntfy does not take the name of their topic"))
    return Failed(error, Kind.OURS, reason=Reason(f"ntfy refuses it ({code or status})", "check NTFY_URL"))


# Opsgenie, Jira Service Management -----------------------------------------------------------------------------------


def opsgenie_failure(status: int, wait: float = 0.0) -> "Failed":
    """Classify a status. https://docs.opsgenie.com/docs/response"""
    error = f"opsgenie: {status}"
    if status >= 500 or status in (408, 425, 429):
        return Failed(error, Kind.PASSING, wait=wait, reason=Reason(f"Opsgenie does not take it ({status})"))
    remedy = "correct OPSGENIE_API_KEY" if status in (401, 403) else "check OPSGENIE_URL"
    return Failed(error, Kind.OURS, reason=Reason(f"Opsgenie refuses us ({status})", remedy))


# Actions -------------------------------------------------------------------------------------------------------------


def action_failure(host: str, status: int, wait: float = 0.0) -> "Failed":
    """Classify the answer of a system of the company's."""
    error, answered = f"{host}: {status}", f"{host} answered {status}"
    if status >= 500 or status in (408, 425, 429):
        return Failed(error, Kind.PASSING, wait=wait, reason=Reason(answered))
    return Failed(error, Kind.OURS, reason=Reason(answered, "check `url` and `secret_env` of the action"))


# GitHub and Jira -----------------------------------------------------------------------------------------------------

_NONE: Mapping[str, str] = MappingProxyType({})
LIMITED_FOR = 60.0  # seconds: https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api


def github_failure(status: int, headers: Mapping[str, str] = _NONE, where: str = "") -> "Failed":
    """Classify an answer. 403 is a rate limit too, as its headers say: the one of a token, or the secondary one.

    `where` is the path that was asked for. 404 stands for what we may not see. 410: deleted, or issues are off.
    """
    error = f"github: {status}"
    spent = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
    if status == 429 or (status == 403 and spent):
        reason = Reason(f"GitHub takes no more requests just now ({status})")
        return Failed(error, Kind.PASSING, wait=asked_wait(headers) or _until_reset(headers), reason=reason)
    if status >= 500 or status == 408:
        reason = Reason(f"GitHub does not take it ({status})")
        return Failed(error, Kind.PASSING, wait=asked_wait(headers), reason=reason)
    repository, _, rest = where.partition("/issues")
    if status == 410 and rest.strip("/"):
        return Failed(error, Kind.GONE, reason=Reason("the issue was deleted in GitHub"))
    known = {
        401: Reason("GitHub refuses our token", "correct GITHUB_TOKEN; it may have expired"),
        403: Reason(f"GitHub does not let us write to {repository}", "give GITHUB_TOKEN the permission Issues: write"),
        404: Reason(
            f"GitHub shows us no {repository}", "correct the repository in the configuration, or the token's access"
        ),
        410: Reason(f"issues are switched off in {repository}", "switch them on in its settings, or name another"),
    }
    default = Reason(f"GitHub refuses the issue ({status})", "look at the repository's settings, and make it by hand")
    return Failed(error, Kind.OURS, reason=known.get(status, default))


def _until_reset(headers: Mapping[str, str]) -> float:
    """Seconds until GitHub takes requests again, by its own clock; a minute where it does not say."""
    try:
        now = parsedate_to_datetime(headers["date"]).timestamp()
        return min(max(float(headers["x-ratelimit-reset"]) - now, 1.0), 3600.0)
    except (KeyError, ValueError):
        return LIMITED_FOR


def jira_failure(status: int, headers: Mapping[str, str] = _NONE, fields: Iterable[str] = ()) -> "Failed":
    """Classify an answer; `fields` are those that it refuses. 404 stands for what we may not see.

    https://developer.atlassian.com/cloud/jira/platform/rate-limiting/
    """
    error = f"jira: {status}"
    if status == 429 or status >= 500 or status == 408:
        return Failed(error, Kind.PASSING, wait=asked_wait(headers), reason=Reason(f"Jira does not take it ({status})"))
    named = ", ".join(sorted(fields))
    known = {
        401: Reason("Jira refuses our login", "correct JIRA_USER and JIRA_TOKEN"),
        403: Reason("Jira does not let us do this", "give JIRA_TOKEN's user the permissions of the project"),
        404: Reason("Jira shows us no such project or ticket", "correct tickets, or the user's access"),
    }
    refused = Reason(f"Jira refuses the fields {named}", "put them on the project's screens, or change tickets")
    default = refused if named else Reason(f"Jira refuses it ({status})", "check JIRA_URL and tickets")
    return Failed(error, Kind.OURS, reason=known.get(status, default))


# No answer -----------------------------------------------------------------------------------------------------------


def confluence_failure(status: int, headers: Mapping[str, str] = _NONE, where: str = "") -> "Failed":
    """Classify an answer. 404 stands for what we may not see; 409: somebody else saved the page in this moment.

    `where` is the space, or the page. https://developer.atlassian.com/cloud/confluence/rest/v2/intro/
    """
    error = f"confluence: {status}"
    if status in (408, 409, 429) or status >= 500:
        reason = Reason(f"Confluence does not take it ({status})")
        return Failed(error, Kind.PASSING, wait=asked_wait(headers), reason=reason)
    known = {
        401: Reason(
            "Confluence refuses our login", "correct CONFLUENCE_USER and CONFLUENCE_TOKEN; it may have expired"
        ),
        403: Reason(f"Confluence does not let us write in {where}", "let CONFLUENCE_USER add and edit pages there"),
        404: Reason(f"Confluence shows us no {where}", "correct reviews, or the user's access"),
        413: Reason("a review is too large for Confluence", "put it there by hand: tocsin review --format confluence"),
    }
    default = Reason(
        f"Confluence refuses the page ({status})", "check CONFLUENCE_URL, and reviews in the configuration"
    )
    return Failed(error, Kind.OURS, reason=known.get(status, default))


# Statuspage -----------------------------------------------------------------------------------------------------------


def statuspage_failure(status: int, wait: float = 0.0) -> "Failed":
    """Classify a status; 420 and 429 are its rate limit. https://developer.statuspage.io/#section/Authentication"""
    error = f"statuspage: {status}"
    if status >= 500 or status in (408, 420, 429):
        return Failed(error, Kind.PASSING, wait=wait, reason=Reason(f"Statuspage does not take it ({status})"))
    remedy = "correct STATUSPAGE_API_KEY and STATUSPAGE_PAGE"
    if status == 422:
        return Failed(error, Kind.OURS, reason=Reason("Statuspage refused an update (422)", "publish it there by hand"))
    return Failed(error, Kind.OURS, reason=Reason(f"Statuspage refuses us ({status})", remedy))


# Zoom ----------------------------------------------------------------------------------------------------------------

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


def zoom_failure(status: int, code: int = 0, wait: float = 0.0) -> "Failed":
    """Classify a refusal by Zoom's number, else by the HTTP status."""
    error = f"zoom: {code or status}"
    if status >= 500 or status in (408, 425, 429) or code == _ZOOM_IN_USE:
        return Failed(error, Kind.PASSING, wait=wait, reason=Reason(f"Zoom does not take it ({code or status})"))
    known = _ZOOM_REASONS.get(code)
    return Failed(error, Kind.OURS, reason=known or Reason(f"Zoom refuses us ({code or status})", "see tocsin doctor"))


def zoom_login_failure(status: int, wait: float = 0.0) -> "Failed":
    """Classify a refused token. https://developers.zoom.us/docs/internal-apps/s2s-oauth/"""
    if status >= 500 or status in (408, 425, 429):
        return zoom_failure(status, wait=wait)
    remedy = "correct ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET, and activate the app"
    return Failed(f"zoom: {status}", Kind.OURS, reason=Reason(f"Zoom refuses our login ({status})", remedy))


# No answer ------------------------------------------------------------------------------------------------------------


def no_answer(vendor: str, error: Exception, *, wait: float = 0.0) -> "Failed":
    """A request that got no answer; it may have been carried out all the same, unless no connection was made."""
    reason = Reason(f"{vendor} does not answer ({type(error).__name__})")
    return Failed(f"{vendor.lower()}: {type(error).__name__}", Kind.PASSING, wait=wait, reason=reason)


def asked_wait(headers: Mapping[str, str]) -> float:
    """Seconds that an answer's Retry-After asks for; 0 if it asks for nothing, or for a date."""
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0


# A failed call -------------------------------------------------------------------------------------------------------


class Failed(Exception):
    """A call failed, or may have. `wait`: seconds that the other side asked for; `channel`: where, if known.

    `reason` is the failure in words, by default those of Slack's error code. `reported`: it stands among the problems.
    `for_now`: it is the person's, and they can end it, as a full mailbox: their address is good.
    """

    def __init__(
        self,
        error: str,
        kind: Kind | None = None,
        *,
        wait: float = 0.0,
        channel: str = "",
        reason: Reason | None = None,
        reported: bool = False,
        for_now: bool = False,
    ) -> None:
        super().__init__(error)
        self.error = error
        self.kind = kind or kind_of(error)
        self.wait = wait
        self.reported = reported
        self.for_now = for_now
        self.channel = channel
        self.reason = reason or _REASONS.get(error) or Reason(f"Slack says {error}", "see tocsin doctor")


def bug(error: Exception) -> Failed:
    """Classify an error that nothing expected: a fault of Tocsin, never said to be a vendor's or a person's."""
    name = type(error).__name__
    remedy = 'look for "delivery failed" in the log, and report it'
    return Failed(name, Kind.BUG, reason=Reason(f"a fault in Tocsin itself ({name})", remedy))


_FIRST_WAIT = 0.5
_LONGEST_WAIT = {Kind.OURS: 60.0, Kind.TOKEN: 60.0, Kind.BUG: 60.0}
_LONGEST_OPTIONAL_WAIT = 300.0


def back_off(failed: Failed, times: int, *, optional: bool = False) -> float:
    """Seconds until the next retry: what the other side asked for, else doubling from half a second."""
    if failed.wait:
        return failed.wait
    longest = _LONGEST_OPTIONAL_WAIT if optional else _LONGEST_WAIT.get(failed.kind, 30.0)
    return min(longest, _FIRST_WAIT * float(1 << min(max(times, 1) - 1, 10)))
