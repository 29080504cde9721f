"""Routes of subscribing to the status page by mail: double opt-in, and one click to leave (RFC 8058).

Answers are the same whether an address is known or not. Nothing is logged of an address, a token or a reader.
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.access import Access, StoreUnavailable
from bot.http.forms import form_of, value_of
from bot.pages import subscribe as pages
from escalation.storage.public.log import PublicLog
from escalation.storage.public.subscribers import Subscribers, is_address

NOT_AN_ADDRESS = "That is no mail address. Write one like name@example.com."


def subscriber_routes(title: str, access: Access, *, offered: bool) -> list[Route]:
    """Build the routes; they go before those of the folder. Where it is not offered, the address says what is."""
    if not offered:

        async def not_offered(request: Request) -> Response:
            """Say so."""
            return pages.not_offered(title)

        return [Route("/status/subscribe", not_offered)]
    forms = _Forms(title, access)
    return [
        Route("/status/subscribe", forms.show),
        Route("/status/subscribe", forms.ask, methods=["POST"]),
        Route("/status/confirm/{token}", forms.show_confirm),
        Route("/status/confirm/{token}", forms.confirm, methods=["POST"]),
        Route("/status/unsubscribe/{token}", forms.show_leave),
        Route("/status/unsubscribe/{token}", forms.leave, methods=["POST"]),
    ]


class _Forms:
    """The forms, and what their buttons do."""

    def __init__(self, title: str, access: Access) -> None:
        self._title = title
        self._access = access
        self._subscribers = Subscribers(access.deps.redis)
        self._log = PublicLog(access.deps.redis)

    async def show(self, request: Request) -> Response:
        """Show the form."""
        return pages.form(self._title)

    async def ask(self, request: Request) -> Response:
        """Have a link to confirm sent."""
        address = value_of(form_of(await request.body()), "address").strip()
        if not is_address(address):
            return pages.form(self._title, NOT_AN_ADDRESS, 400)
        host = request.client.host if request.client else ""

        def ask() -> Response:
            return (pages.asked if self._subscribers.ask(address, host) else pages.too_many)(self._title)

        return await self._done(ask)

    async def show_confirm(self, request: Request) -> Response:
        """Show the button that confirms."""
        token = request.path_params["token"]
        return await self._done(
            lambda: (pages.confirm if self._subscribers.is_asked(token) else pages.expired)(self._title)
        )

    async def confirm(self, request: Request) -> Response:
        """Subscribe who holds the link."""
        token = request.path_params["token"]

        def confirm() -> Response:
            latest = max((p.n for p in self._log.publications()), default=0)
            return (pages.confirmed if self._subscribers.confirm(token, latest) else pages.expired)(self._title)

        return await self._done(confirm)

    async def show_leave(self, request: Request) -> Response:
        """Show the button that ends it."""
        return pages.leave(self._title)

    async def leave(self, request: Request) -> Response:
        """End a subscription: by the button, or by a mail program's one click. No cookie, no redirect."""
        token = request.path_params["token"]

        def leave() -> Response:
            self._subscribers.end(token)
            return pages.left(self._title)

        return await self._done(leave)

    async def _done(self, act: Callable[[], Response]) -> Response:
        try:
            return await self._access.run(act)
        except StoreUnavailable:
            return pages.unavailable(self._title)
