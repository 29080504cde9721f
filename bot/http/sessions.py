"""Sessions in the browser: a link from Slack, ten minutes valid and for one person, opens one.

Each request asks again whether they may: somebody who left, or became a guest, sees nothing more.
"""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.access import Access, Requester
from escalation.storage.answers.person_links import PersonLinks, Purpose
from escalation.values import PersonId

COOKIE = "tocsin_session"


class Sessions:
    """Opens sessions and tells whose they are."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._links = PersonLinks(access.deps.store.redis)

    async def open(self, token: str, path: str) -> Response:
        """Begin a session and go on to a page. Raises NotFound for a link that is not valid, StoreUnavailable."""
        session = await self._access.run(self._begin, token)
        answer = RedirectResponse(path, status_code=303, headers={"Cache-Control": "no-store"})
        answer.set_cookie(
            COOKIE,
            session,
            max_age=int(Purpose.SESSION.lasts.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=self._access.deps.service.public_url.startswith("https://"),
        )
        return answer

    async def requester(self, request: Request) -> Requester:
        """Return who asks. Raises NotFound without a valid session, Refused for whoever may see nothing."""
        person = await self._access.run(self._person, request.cookies.get(COOKIE, ""), Purpose.SESSION)
        requester = Requester(person)
        await self._access.admit("see", requester)
        return requester

    def _begin(self, token: str) -> str:
        person = self._person(token, Purpose.LINK)
        return self._links.token(person, Purpose.SESSION, self._access.deps.service.clock())

    def _person(self, token: str, purpose: Purpose) -> PersonId:
        return self._links.person(token, purpose, self._access.deps.service.clock())
