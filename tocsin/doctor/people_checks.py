"""Health checks of the services that reach people by SMS, call and push. Nothing is sent to anybody."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from escalation.config.company import Company
from escalation.hosts import is_loopback
from tocsin.config.settings import Settings
from tocsin.doctor.finding import Finding, failed, ok, warning
from tocsin.run import channels
from workers.channels.failures import Failed, Kind
from workers.channels.people.pushover import PushoverClient
from workers.channels.people.twilio import TwilioClient
from workers.channels.public.statuspage import StatuspageClient
from workers.channels.refusals.twilio import country_code

MOST_COUNTRIES = 5  # of one code that are asked for: +1 has two dozen


def people_findings(settings: Settings, company: Company | None) -> Iterator[Finding]:
    """Check each service that the environment sets up, and the addresses of the configuration's people there."""
    if twilio := channels.twilio(settings):
        yield from _tried("twilio", lambda: _twilio(twilio, settings, company))
    if pushover := channels.pushover(settings):
        yield from _tried("pushover", lambda: _pushover(pushover, company))
    if ntfy := channels.ntfy(settings):
        yield from _checked("ntfy", ntfy.check, "the server is healthy")
    if apprise := channels.apprise(settings):
        count = len(settings.apprise_urls)
        yield from _checked("apprise", apprise.check, f"{count} address{'es' * (count != 1)} can be used")
    if directory := channels.pagerduty_directory(settings):
        yield from _checked("pagerduty", directory.check, "takes our API token")
    if opsgenie := channels.opsgenie(settings):
        yield from _checked("opsgenie", opsgenie.check, "takes our key")
    if statuspage := channels.statuspage(settings):
        yield from _tried("statuspage", lambda: _statuspage(statuspage, company))
    if any((settings.twilio_sid, settings.pushover_token, settings.ntfy_url, settings.smtp_url)):
        yield from _public_url(settings)


def _tried(about: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except Failed as failure:
        yield failure_of(about, failure, f"check the address of {about}, and the way there from here")


def _checked(about: str, check: Callable[[], None], fine: str) -> Iterator[Finding]:
    def findings() -> Iterator[Finding]:
        check()
        yield ok(about, fine)

    return _tried(about, findings)


def failure_of(about: str, failure: Failed, way: str) -> Finding:
    """A failed check. What passes may have passed by the next time, and is a failure now all the same."""
    remedy = f"try again; {way}" if failure.kind is Kind.PASSING else failure.reason.remedy or way
    return failed(about, failure.reason.text, remedy)


def _statuspage(client: StatuspageClient, company: Company | None) -> Iterator[Finding]:
    known = client.components()
    yield ok("statuspage", "takes our key")
    page = company.status_page if company else None
    if page is None:
        yield warning("statuspage", "the configuration has no status_page, so nothing goes there", "add status_page")
        return
    if missing := [name for name in page.components if name not in known]:
        what = f"has no component called {', '.join(missing)}: their states do not show there"
        yield warning("statuspage", what, "create it there, under the same name")


def _twilio(client: TwilioClient, settings: Settings, company: Company | None) -> Iterator[Finding]:
    account = client.account()
    if not account.active:
        yield failed("twilio", "the account is not active", "see console.twilio.com")
        return
    yield ok("twilio", "takes our login")
    if account.trial:
        what = "a trial account reaches verified numbers only, and speaks a notice first"
        yield warning("twilio", what, "upgrade the account")
    if settings.twilio_from:
        yield from _sender(client.sender(), settings)
    else:
        yield warning("twilio", "nobody can be called: TWILIO_FROM is not set", "set a number of the account")
    if settings.twilio_from.startswith("+1"):
        what = "SMS to the US need a registered sender (A2P 10DLC, or a verified toll-free number), which takes weeks"
        yield warning("twilio", what, "register it in the console; calls and push work without")
    numbers = (entry.number for entry in company.people.values()) if company else ()
    for code in sorted({country_code(number) for number in numbers if number}):
        yield from _country(client, code)


def _country(client: TwilioClient, code: str) -> Iterator[Finding]:
    """Check that numbers of a country may be called and written to. Where several share a code, in any of them."""
    try:
        countries = client.countries(code)
        texts = any(client.texts_allowed(country.iso) for country in countries[:MOST_COUNTRIES])
    except Failed as failure:
        if failure.kind is Kind.PASSING:
            raise
        yield warning("twilio", f"does not tell whether numbers of {code} are allowed", "see Geo permissions there")
        return
    where = f"{code} ({countries[0].name})" if len(countries) == 1 else code
    if countries and not any(country.calls for country in countries):
        yield failed("twilio", f"calls to {where} are switched off", "allow it under Voice, Geo Permissions")
    if countries and not texts:
        yield failed("twilio", f"SMS to {where} are switched off", "allow it under Messaging, Geo permissions")


def _sender(number: Any, settings: Settings) -> Iterator[Finding]:
    """Check our number's capabilities, and that an SMS to it comes to us."""
    if number is None:
        yield failed("twilio", "TWILIO_FROM is not a number of the account", "set one of console.twilio.com")
        return
    can = number.get("capabilities") or {}
    for capability, what in (("voice", "call"), ("sms", "send SMS")):
        if not can.get(capability) and not (capability == "sms" and settings.twilio_service):
            yield failed("twilio", f"TWILIO_FROM cannot {what}", "set a number with that capability")
    wanted = f"{settings.public_url}/twilio/sms"
    if settings.public_url and not settings.twilio_service and number.get("sms_url") != wanted:
        what = "an SMS to TWILIO_FROM does not come to us, so a page cannot be acknowledged by SMS"
        yield warning("twilio", what, f"set the number's webhook for incoming messages to {wanted}")


def _pushover(client: PushoverClient, company: Company | None) -> Iterator[Finding]:
    client.check()
    yield ok("pushover", "takes our token")
    for key, entry in (company.people if company else {}).items():
        user = getattr(entry, "pushover", None)
        if not user:
            continue
        try:
            client.validate(user)
        except Failed as failure:
            if failure.kind is not Kind.PERSON:
                raise
            yield failed("pushover", f"does not know the user key of {key}", f"correct people.{key}.pushover")


def _public_url(settings: Settings) -> Iterator[Finding]:
    """Say what is missing while nobody can reach us."""
    host = urlsplit(settings.public_url).hostname or ""
    if not settings.public_url:
        what = "TOCSIN_URL is not set: pages have no link, and nobody can acknowledge by phone key or SMS"
        yield warning("web", what, "set it to an address that leads to TOCSIN_LISTEN, like https://tocsin.example.com")
    elif is_loopback(host):
        what = f"TOCSIN_URL leads to {host}, which no other machine can reach"
        yield warning("web", what, "set it to an address that phones and Twilio can reach")
    elif settings.public_url.startswith("http:"):
        yield warning("web", "TOCSIN_URL is http: others on the way can read its links", "use https where you can")
