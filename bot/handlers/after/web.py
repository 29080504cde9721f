"""`/incident web [ID]`: a link that opens incidents in the browser, for one person."""

from bot.access import Access, Requester
from bot.render.blockkit import Block, Message, link_button
from bot.render.common import summary
from escalation.errors import Refused
from escalation.incident.model import Incident
from escalation.storage.answers.person_links import INCIDENTS, PersonLinks

NO_ADDRESS = "Incidents cannot be opened in the browser: whoever runs Tocsin has to set TOCSIN_URL."
FOR_YOU = "This link is for you alone, and valid for ten minutes; the browser that opens it knows you for 12 hours."


class WebPages:
    """Handler of the command."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def answer(self, requester: Requester, incident: Incident | None) -> Message:
        """Answer with a link to the list, or to one incident. Raises Refused."""
        if incident:
            incident = await self._access.see(requester, incident.id)
        else:
            await self._access.admit("see", requester)
        if not self._access.deps.service.public_url:
            raise Refused(NO_ADDRESS)
        link = await self._access.run(self._link, requester)
        label = "Open on the web" if incident else "Open incidents on the web"
        button = link_button("open-web", label, f"{link}?to={incident.id}" if incident else link)
        text = f"{summary(incident)}\n{FOR_YOU}" if incident else FOR_YOU
        blocks: list[Block] = [
            {"type": "section", "text": {"type": "mrkdwn", "text": text}},
            {"type": "actions", "block_id": "web", "elements": [button]},
        ]
        return Message(text=text, blocks=blocks)

    def _link(self, requester: Requester) -> str:
        deps = self._access.deps
        links = PersonLinks(deps.store.redis)
        return links.link(deps.service.public_url, INCIDENTS, requester.id, deps.service.clock())
