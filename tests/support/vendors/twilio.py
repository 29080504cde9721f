"""Twilio on this machine: Messages, Calls, the account and its numbers, and callbacks that are signed as Twilio does.

Callbacks, key presses and replies are made by the test, in any order: `callback`, `press`, `reply`.
"""

import base64
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urldefrag, urlsplit
from xml.etree import ElementTree

from twilio.request_validator import RequestValidator

from tests.support.http import web
from tests.support.vendors.server import Answer, Asked, Vendor

SID, TOKEN = "AC" + "0" * 32, "the-account's-auth-token"
NUMBER = "+15005550006"
COUNTRIES, GEO_PERMISSIONS = "/v1/DialingPermissions/Countries", "/v1/Messaging/GeoPermissions"
_COUNTRIES = (
    ("DE", "Germany", "49"),
    ("FR", "France", "33"),
    ("US", "United States", "1"),
    ("CA", "Canada", "1"),
)
_E164 = re.compile(r"\+[1-9]\d{6,14}")


@dataclass
class TwilioStandIn(Vendor):
    """`refusals`: a number -> the code that a request gets; `sms_refusals`: an SMS. `now` stamps what is made."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)
    sms_refusals: dict[str, int] = field(default_factory=dict)
    account: dict[str, Any] = field(default_factory=lambda: {"sid": SID, "status": "active", "type": "Full"})
    sms_url: str = ""
    switched_off: set[str] = field(default_factory=set)  # `calls DE`, `texts FR`
    permissions: bool = True  # the account may read them
    hides: bool = False  # the lists do not show what was made
    now: Any = field(default=lambda: datetime.now(UTC))

    def answer(self, asked: Asked) -> Answer:
        wanted = "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
        if asked.headers.get("authorization") != wanted:
            return _refused(401, 20003, "Authenticate")
        if asked.path in (COUNTRIES, GEO_PERMISSIONS):
            return self._permissions(asked) if self.permissions else _refused(403, 20003, "Permission Denied")
        route = asked.path.removeprefix(f"/2010-04-01/Accounts/{SID}")
        match asked.method, route:
            case "POST", "/Messages.json":
                return self._message(asked)
            case "POST", "/Calls.json":
                return self._call(asked)
            case "GET", "/Messages.json":
                return self._list("messages", self.messages, asked)
            case "GET", "/Calls.json":
                return self._list("calls", self.calls, asked)
            case "GET", ".json":
                return 200, self.account
            case "GET", "/IncomingPhoneNumbers.json":
                return 200, {"incoming_phone_numbers": self._numbers(asked.form.get("PhoneNumber", ""))}
        return _refused(404, 20404, "The requested resource was not found")

    def _permissions(self, asked: Asked) -> Answer:
        if asked.path == GEO_PERMISSIONS:
            iso = asked.form["CountryCode"]
            enabled = f"texts {iso}" not in self.switched_off
            return 200, {"permissions": [{"country_code": iso, "type": "country", "enabled": enabled}]}
        found = [row for row in _COUNTRIES if row[2] == asked.form["CountryCode"]]
        content = [
            {"iso_code": iso, "name": name, "country_codes": [code], "low_risk_numbers_enabled": on}
            for iso, name, code in found
            for on in (f"calls {iso}" not in self.switched_off,)
        ]
        return 200, {"content": content, "meta": {"page_size": 50, "key": "content"}}

    def _numbers(self, number: str) -> list[dict[str, Any]]:
        capabilities = {"sms": True, "mms": True, "voice": True, "fax": False}
        mine: Any = {
            "phone_number": NUMBER,
            "capabilities": capabilities,
            "sms_url": self.sms_url,
            "sms_method": "POST",
        }
        return [mine] if number == NUMBER else []

    def _message(self, asked: Asked) -> Answer:
        form = asked.form
        body = form.get("Body", "")
        if not body:
            return _refused(400, 21602, "Message body is required.")
        if len(body) > 1600:
            return _refused(400, 21617, "The concatenated message body exceeds the 1600 character limit")
        if "ValidityPeriod" in form and not 1 <= int(form["ValidityPeriod"]) <= 36_000:
            return _refused(400, 20001, "ValidityPeriod is out of range")
        if refused := self._common(asked, service=True):
            return refused
        return 201, self._made(self.messages, "SM", form, body=body, status="queued", num_segments="1")

    def _call(self, asked: Asked) -> Answer:
        form = asked.form
        twiml = form.get("Twiml", "")
        if not twiml or len(twiml) > 4000:
            return _refused(400, 21205, "Url parameter is required, or Twiml is longer than 4000 characters")
        ElementTree.fromstring(twiml)
        if refused := self._common(asked, service=False):
            return refused
        events = asked.lists.get("StatusCallbackEvent", [])
        return 201, self._made(self.calls, "CA", form, status="queued", twiml=twiml, start_time=None, events=events)

    def _common(self, asked: Asked, *, service: bool) -> Answer | None:
        form = asked.form
        to, callback = form.get("To", ""), form.get("StatusCallback", "")
        if not _E164.fullmatch(to):
            return _refused(400, 21211, f"The 'To' number {to} is not a valid phone number.")
        if form.get("From") != NUMBER and not (service and form.get("MessagingServiceSid", "").startswith("MG")):
            return _refused(400, 21606, "The 'From' number is not a valid, SMS-capable Twilio number")
        if callback and (not urlsplit(callback).hostname or "_" in (urlsplit(callback).hostname or "")):
            return _refused(400, 21609, "The StatusCallback URL is not valid")
        if code := self.refusals.get(to) or (self.sms_refusals.get(to) if service else 0):
            return _refused(429 if code == 20429 else 400, code, "refused")
        return None

    def _made(self, where: list[dict[str, Any]], prefix: str, form: dict[str, str], **more: Any) -> dict[str, Any]:
        made = {
            "sid": prefix + uuid.uuid4().hex,
            "account_sid": SID,
            "api_version": "2010-04-01",
            "to": form["To"],
            "from": form.get("From"),
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "date_created": format_datetime(self.now()),
            "date_sent": None,
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            **more,
        }
        where.append({**made, "form": form})
        return made

    def _list(self, key: str, where: list[dict[str, Any]], asked: Asked) -> Answer:
        found = [i for i in reversed(where) if i["to"] == asked.form.get("To", i["to"])]
        items = [] if self.hides else [{k: v for k, v in i.items() if k not in ("form", "twiml")} for i in found]
        return 200, {key: items[: int(asked.form.get("PageSize", 50))], "next_page_uri": None, "page": 0}

    # By itself ----------------------------------------------------------------------------------------

    def callback(self, item: dict[str, Any], status: str, code: int = 0, **more: str) -> Any:
        """Report a status of a message or call."""
        item["status"] = status
        kind = "Message" if item["sid"].startswith("SM") else "Call"
        form = {f"{kind}Sid": item["sid"], f"{kind}Status": status, "To": item["to"], "AccountSid": SID}
        form |= {"ErrorCode": str(code)} if code else {}
        return self.post(item["form"]["StatusCallback"], form | more)

    def press(self, call: dict[str, Any], digits: str, n: int = 0) -> Any:
        """Press keys at the n-th question of a call; returns the answer, whose text is the TwiML to go on with."""
        gathers = ElementTree.fromstring(call["twiml"]).findall("Gather")
        form = {"CallSid": call["sid"], "From": NUMBER, "To": call["to"], "Digits": digits, "AccountSid": SID}
        return self.post(gathers[n].attrib["action"], form)

    def reply(self, sender: str, body: str, url: str = "", **more: str) -> Any:
        """Send an SMS to our number."""
        form = {"MessageSid": "SM" + uuid.uuid4().hex, "From": sender, "To": NUMBER, "Body": body, "AccountSid": SID}
        return self.post(url or self.sms_url, form | more)

    def post(self, url: str, form: dict[str, str], *, token: str = TOKEN, headers: dict[str, str] | None = None) -> Any:
        """Post a form to us, signed as Twilio signs it; the fragment stays behind."""
        plain = urldefrag(url).url
        signature = RequestValidator(token).compute_signature(plain, form)
        signed = {"X-Twilio-Signature": signature, "I-Twilio-Idempotency-Token": str(uuid.uuid4())}
        return web.post(plain, data=form, headers=signed | (headers or {}))


def _refused(status: int, code: int, message: str) -> Answer:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return status, {"code": code, "message": message, "more_info": more, "status": status}
