"""Answers to pages without Slack: links, phone keys, SMS, Pushover. All of it works while Slack is down."""

from collections.abc import Awaitable, Callable, Mapping

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.access import Access, StoreUnavailable
from bot.alerts.mail.reply import read_reply
from bot.deps import AnswerDeps, VendorNews
from bot.http.forms import form_of, value_of
from bot.http.twilio_signature import is_signed
from bot.pages import answer as answer_page
from bot.pages.answer import AnswerPage
from escalation.answers import Answer, AnswerService, PageToAnswer
from escalation.errors import NotFound, Refused
from escalation.incident.reach import How
from escalation.messages import pages as words
from escalation.storage.answers.limits import AnswerLimits
from escalation.text import text

LONGEST_TEXT = 1600  # characters, of an SMS of several segments
# https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out: Twilio answers these itself, and passes them on.
# So it does YES, by which people mean a page: in silence they would believe that they have it.
STOPS = ("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout")
OPERATORS = frozenset((*STOPS, "start", "unstop", "help", "info"))

log = structlog.get_logger("bot")
UNSIGNED = "answers by phone key and SMS are refused: Twilio signs them for another token or address"


def answer_routes(deps: AnswerDeps, access: Access) -> list[Route]:
    """Build the routes."""
    links, phone = _Links(access), _Phone(deps, access)
    routes = [Route("/ack/{token}", links.show), Route("/ack/{token}", links.press, methods=["POST"])]
    if deps.twilio_tokens:
        routes += [
            Route("/twilio/key/{token}", phone.key, methods=["POST"]),
            Route("/twilio/sms", phone.sms, methods=["POST"]),
            Route("/twilio/status/{delivery}", phone.status, methods=["POST"]),
        ]
    if deps.news:
        routes.append(Route("/pushover/{token}", _pushover(deps.news, access), methods=["POST"]))
    return routes


class _Links:
    """The page behind a link."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._service = access.deps.service
        self._answers = AnswerService(self._service)
        self._limits = AnswerLimits(self._service.store.redis)

    async def show(self, request: Request) -> Response:
        """Show how a page stands. Changes nothing: scanners open every link."""
        return await self._answered(lambda: self._render(request.path_params["token"]))

    async def press(self, request: Request) -> Response:
        """Answer a page, by a button of the page that was shown."""
        form = form_of(await request.body())
        nonce, answer = value_of(form, "nonce"), value_of(form, "answer")
        return await self._answered(lambda: self._press(request.path_params["token"], nonce, answer))

    async def _answered(self, act: Callable[[], Response]) -> Response:
        try:
            return await self._access.run(act)
        except NotFound as unknown:
            return answer_page.unknown(_not_found(unknown))
        except (StoreUnavailable, Refused):  # Refused: during an upgrade
            return answer_page.unavailable()

    def _render(self, token: str, note: str = "") -> Response:
        found = self._answers.by_token(token)
        page = AnswerPage(self._service.company, self._service.store.directory())
        return page.show(found, self._limits.nonce(found.ref), note)

    def _press(self, token: str, nonce: str, answer: str) -> Response:
        found = self._answers.by_token(token)
        if answer not in set(Answer) or not self._limits.spend(nonce, found.ref):
            return self._render(token, "Nothing was recorded yet: press the button again.")
        return self._render(token, _answer(self._answers, found, Answer(answer), How.LINK, nonce))


class _Phone:
    """Keys, SMS and statuses from Twilio."""

    def __init__(self, deps: AnswerDeps, access: Access) -> None:
        self._deps = deps
        self._access = access
        self._answers = AnswerService(access.deps.service)
        self._limits = AnswerLimits(access.deps.store.redis)

    async def key(self, request: Request) -> Response:
        """Answer a page by a key of the phone."""
        return await self._verified(request, lambda form: self._key(request.path_params["token"], form))

    async def sms(self, request: Request) -> Response:
        """Answer a page by its code in an SMS."""
        return await self._verified(request, self._sms)

    async def status(self, request: Request) -> Response:
        """Record a status. 204: Twilio logs an empty 200 without a content type as a failure."""
        delivery = request.path_params["delivery"]

        def record(form: Mapping[str, str]) -> Response:
            if self._deps.news:
                self._deps.news.twilio_status(delivery, form)
            return Response(status_code=204)

        return await self._verified(request, record)

    async def _verified(self, request: Request, act: Callable[[Mapping[str, str]], Response]) -> Response:
        form = form_of(await request.body())
        query = f"?{request.url.query}" if request.url.query else ""
        path = request.scope["raw_path"].decode("latin-1")  # as it came: Slashes changes the other
        url = f"{self._deps.public_url}{path}{query}"
        if not is_signed(url, form, request.headers, self._deps.twilio_tokens, self._deps.twilio_keys):
            log.warning("request refused: not signed by Twilio for this address; see TOCSIN_URL, TWILIO_AUTH_TOKEN")
            if "x-twilio-signature" in request.headers:
                self._access.doors.turned_away("twilio", UNSIGNED, "correct TWILIO_AUTH_TOKEN, and TOCSIN_URL")
            return Response(status_code=403)
        self._access.doors.let_in("twilio")
        try:
            return await self._access.run(act, {name: values[-1] for name, values in form.items()})
        except NotFound as unknown:
            log.warning("callback of a page that is not known", why=_not_found(unknown))
            return _twiml(words.spoken("This page is not known any more. Look in Slack. Good bye."))
        except (StoreUnavailable, Refused):
            return Response(status_code=503)  # Twilio tries again

    # A request that comes again is known by Twilio's id of the message or call: that is signed, a header is not.

    def _key(self, token: str, form: Mapping[str, str]) -> Response:
        found = self._answers.by_token(token)
        answer = _KEYS.get(form.get("Digits", "").strip()[:1])
        if answer is None:
            url = f"{self._deps.public_url}/twilio/key/{token}"
            return _twiml(words.question(found.incident, url, "That key has no meaning here."))
        said = _answer(self._answers, found, answer, How.KEY, form.get("CallSid", ""))
        return _twiml(words.spoken(f"{said} Good bye."))

    def _sms(self, form: Mapping[str, str]) -> Response:
        sid, sender, body = form.get("MessageSid", ""), form.get("From", ""), form.get("Body", "")[:LONGEST_TEXT]
        if form.get("OptOutType") or body.strip().lower() in OPERATORS or (sid and self._limits.seen(sid)):
            return _twiml(words.replied(""))
        reply = self._reply(sender, body, sid)
        if sid:
            self._limits.note(sid)
        return _twiml(words.replied(reply))

    def _reply(self, sender: str, body: str, sid: str) -> str:
        """The reply to an SMS; empty once a number has sent too much that means nothing."""
        said = read_reply(body)
        if not said.code or said.answer is None:
            return self._limited(sender, "Send the code of the page, like 1234, or 1234 2 if you can't take it.")
        if self._limits.is_spent(sender):
            return ""
        try:
            page = self._answers.by_number(sender, said.code)
        except NotFound as unknown:
            return self._limited(sender, _not_found(unknown))
        return _answer(self._answers, page, said.answer, How.SMS, sid)

    def _limited(self, sender: str, reply: str) -> str:
        return reply if self._limits.spend_reply(sender) else ""


_KEYS = {words.ACKNOWLEDGES: Answer.ACKNOWLEDGE, words.DECLINES: Answer.DECLINE}


def _answer(answers: AnswerService, found: PageToAnswer, answer: Answer, how: How, key: str) -> str:
    """Answer a page; returns what it came to, in words."""
    try:
        incident = answers.answer(found, answer, how, key)
    except Refused as refused:
        return text([refused.words], answers.names())
    if answer is Answer.ACKNOWLEDGE:
        return f"{incident.severity} {incident.id} is acknowledged."
    return f"Noted: you can't take {incident.id}. The next person is paged."


def _not_found(unknown: NotFound) -> str:
    said = str(unknown.args[0])
    return said if " " in said else str(unknown)


def _pushover(news: VendorNews, access: Access) -> Callable[[Request], Awaitable[Response]]:
    async def callback(request: Request) -> Response:
        """Take note that a notification was acknowledged. It is not signed: the receipt is read again."""
        receipt = value_of(form_of(await request.body()), "receipt")
        try:
            await access.run(news.pushover, request.path_params["token"], receipt[:60])
        except NotFound:
            return Response(status_code=404)
        except (StoreUnavailable, Refused):
            return Response(status_code=503)
        return Response(status_code=204)

    return callback


def _twiml(document: str) -> Response:
    return Response(document, media_type="text/xml; charset=utf-8")
