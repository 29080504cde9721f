"""Twilio: SMS and calls.

https://www.twilio.com/docs/messaging/api/message-resource and https://www.twilio.com/docs/voice/api/call-resource

Neither has an idempotency key, and a request that failed may have been carried out
(https://www.twilio.com/docs/api/errors/20500). So both are looked for before they are sent again: by the first
callback, which has our id in its path, then in Twilio's own list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from workers.channels.failures import asked_wait, no_answer
from workers.channels.refusals.twilio import twilio_failure
from workers.channels.replies import json_object, not_theirs
from workers.channels.tls import ssl_context

API = "https://api.twilio.com"
TIMEOUT = 10.0  # seconds
DOUBT = 10.0  # seconds to wait for the callback of a request that got no answer
LISTED = 20  # of the latest to one number, among which a lost one is looked for
RING = 25  # seconds, the time until most mailboxes answer
VALIDITY = (6, 36_000)  # seconds, https://www.twilio.com/docs/messaging/api/message-resource: ValidityPeriod
LONGEST_TWIML = 4000  # characters, https://www.twilio.com/docs/voice/api/call-resource: Twiml
# https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides: three retries if we cannot be reached.
RETRIES = "#rc=3&rp=5xx,ct,rt"
CALL_EVENTS = ("initiated", "ringing", "answered", "completed")


@dataclass(frozen=True)
class TwilioAccount:
    """Account and sender. `service` is a Messaging Service; `public_url` is where Twilio can reach us, or empty."""

    sid: str
    token: str
    sender: str = ""
    service: str = ""
    url: str = API
    public_url: str = ""


@dataclass(frozen=True)
class Listed:
    """A message or call as Twilio lists it."""

    sid: str
    status: str
    body: str = ""
    created: datetime | None = None
    error: int = 0


@dataclass(frozen=True)
class AccountState:
    """What the doctor wants to know of an account."""

    active: bool
    trial: bool


@dataclass(frozen=True)
class Country:
    """A country by its ISO code (`DE`) and name, and whether the account may call numbers there."""

    iso: str
    name: str
    calls: bool


class TwilioClient:
    """Client of one account. All methods raise Failed."""

    def __init__(self, account: TwilioAccount) -> None:
        self._account = account
        self._url = f"{account.url.rstrip('/')}/2010-04-01/Accounts/{account.sid}"
        self._http = httpx2.Client(auth=(account.sid, account.token), timeout=TIMEOUT, verify=ssl_context())

    @property
    def has_callbacks(self) -> bool:
        """True if Twilio is told where to reach us."""
        return bool(self._account.public_url)

    def callback(self, what: str, delivery: str) -> str:
        """Address of a callback about a delivery."""
        return f"{self._account.public_url.rstrip('/')}/twilio/{what}/{delivery}"

    def send_text(self, to: str, body: str, delivery: str, valid_seconds: float) -> Listed:
        """Send an SMS. An operator that cannot deliver it within `valid_seconds` drops it: a late page misleads."""
        shortest, longest = VALIDITY
        form: dict[str, Any] = {
            "To": to,
            "Body": body,
            "SmartEncoded": "true",
            "ValidityPeriod": str(round(min(max(valid_seconds, shortest), longest))),
        }
        form |= (
            {"MessagingServiceSid": self._account.service} if self._account.service else {"From": self._account.sender}
        )
        if self.has_callbacks:
            form["StatusCallback"] = self.callback("status", delivery) + RETRIES
        return _listed(self._post("/Messages.json", form))

    def call(self, to: str, twiml: str, delivery: str) -> Listed:
        """Call a number and speak. The TwiML goes along, so that it is spoken even while our web app is down."""
        form: dict[str, Any] = {"To": to, "From": self._account.sender, "Twiml": twiml, "Timeout": str(RING)}
        if self.has_callbacks:
            form |= {"StatusCallback": self.callback("status", delivery) + RETRIES, "StatusCallbackEvent": CALL_EVENTS}
        return _listed(self._post("/Calls.json", form))

    def texts_to(self, to: str) -> list[Listed]:
        """The latest SMS to a number. Not filtered by day: that one is of sending, and misses what is still queued."""
        return self._list("/Messages.json", "messages", to)

    def calls_to(self, to: str) -> list[Listed]:
        """The latest calls to a number."""
        return self._list("/Calls.json", "calls", to)

    def account(self) -> AccountState:
        """Fetch the account: nothing is sent to anybody."""
        found = self._get(".json")
        return AccountState(active=found.get("status") == "active", trial=found.get("type") == "Trial")

    def sender(self) -> Mapping[str, Any] | None:
        """Our number as the account has it, with its capabilities and webhooks; None if it is not the account's."""
        numbers = self._get("/IncomingPhoneNumbers.json", PhoneNumber=self._account.sender)
        found: list[dict[str, Any]] = numbers.get("incoming_phone_numbers", [])
        return found[0] if found else None

    def countries(self, code: str) -> list[Country]:
        """The countries of a country code (`+49`). https://www.twilio.com/docs/voice/api/dialingpermissions-country-resource."""
        url = f"{self._host('voice')}/v1/DialingPermissions/Countries"
        found = self._request("GET", url, params={"CountryCode": code.removeprefix("+"), "PageSize": "50"})
        return [
            Country(str(row.get("iso_code")), str(row.get("name")), bool(row.get("low_risk_numbers_enabled")))
            for row in found.get("content", [])
        ]

    def texts_allowed(self, iso: str) -> bool:
        """True if SMS may go to a country: Messaging/GeoPermissions of Twilio's Accounts API, version 1."""
        url = f"{self._host('accounts')}/v1/Messaging/GeoPermissions"
        permissions = self._request("GET", url, params={"CountryCode": iso}).get("permissions", [])
        return any(permission.get("enabled") for permission in permissions)

    def _host(self, product: str) -> str:
        """Address of another API of Twilio's: beside `api`, in the same region."""
        return self._account.url.rstrip("/").replace("://api.", f"://{product}.", 1)

    def _list(self, path: str, key: str, to: str) -> list[Listed]:
        return [_listed(item) for item in self._get(path, To=to, PageSize=str(LISTED)).get(key, [])]

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        return self._request("GET", self._url + path, params=query)

    def _post(self, path: str, form: dict[str, Any]) -> dict[str, Any]:
        return self._request("POST", self._url + path, data=form)

    def _request(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, url, **more)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:  # it cannot have been carried out
            raise no_answer("Twilio", error) from None
        except httpx2.HTTPError as error:
            raise no_answer("Twilio", error, wait=self._doubt(method)) from None
        found = json_object(response)
        if response.status_code < 300:
            if not found or (method == "POST" and not found.get("sid")):
                raise not_theirs("Twilio", "TWILIO_API_URL")
            return found
        code = found.get("code")
        failed = twilio_failure(
            response.status_code,
            code if isinstance(code, int) else 0,
            asked_wait(response.headers),
            more.get("data", {}).get("To", ""),
        )
        if response.status_code >= 500 and not failed.wait:
            failed.wait = self._doubt(method)
        raise failed

    def _doubt(self, method: str) -> float:
        """Seconds until a request is looked for that may have been carried out: its callback comes first."""
        return DOUBT if method == "POST" and self.has_callbacks else 0.0


def _listed(item: Mapping[str, Any]) -> Listed:
    code = item.get("error_code")
    return Listed(
        sid=str(item.get("sid") or ""),
        status=str(item.get("status") or ""),
        body=str(item.get("body") or ""),
        created=_time(item.get("date_created")),
        error=int(code) if code and str(code).isdigit() else 0,
    )


def _time(text: Any) -> datetime | None:
    """A time as the REST API writes it (RFC 2822); None if it is none."""
    try:
        return parsedate_to_datetime(str(text)).astimezone(UTC)
    except ValueError:
        return None
