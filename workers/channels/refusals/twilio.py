"""Refusals of Twilio, by its codes."""

import re

from workers.channels.failures import Failed, Kind, Reason

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


# A country that is switched off, or numbers of it that are filtered or want a registered sender: what reaches other
# countries says nothing of it.
_OF_A_COUNTRY = frozenset({13227, 21215, 21408, 21608, 21219, 30007, 30032, 30034})
# https://www.itu.int/pub/T-SP-E.164D: a country's code has one digit, two, or three.
_COUNTRY = re.compile(r"\+(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})")


def twilio_failure(status: int, code: int = 0, wait: float = 0.0, to: str = "") -> Failed:
    """Classify a refusal by Twilio's code, else by the HTTP status. `to` is the number that it was for."""
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
    about = country_code(to) if code in _OF_A_COUNTRY else ""
    if about:
        reason = reason._replace(text=f"{reason.text} ({about})")
    return Failed(error, kind, wait=wait, reason=reason, about=about)


def country_code(number: str) -> str:
    """Return the country code of a number (E.164), `+49`; empty for none."""
    found = _COUNTRY.match(number)
    return found[0] if found else ""


_BY_TWILIO_CODE = {int(code): kind for kind, codes in _TWILIO.items() for code in codes.split()}
