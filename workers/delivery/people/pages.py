"""What the planners of pages have in common: the page, where it goes, how long it is worth sending."""

from dataclasses import dataclass
from datetime import datetime

from escalation.answers import AnswerService
from escalation.incident.effects import Effect, PageBy
from escalation.incident.events.outcomes import Dropped
from escalation.incident.model import Incident
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.pages import Page
from escalation.notify.methods import addresses
from escalation.service import IncidentService
from escalation.storage.vendor_ids import VendorIds

LONGEST = 900.0  # seconds that a page is worth sending while nothing follows


@dataclass(frozen=True)
class PageToSend:
    """A page that has to be sent to an address."""

    incident: Incident
    page: Page
    effect: PageBy
    to: str

    @property
    def urgent(self) -> bool:
        """True if it may break through Do Not Disturb."""
        return self.incident.policy.is_urgent(self.page.tier) and not self.incident.drill


class Pages:
    """Finds what is to be sent."""

    def __init__(self, service: IncidentService) -> None:
        self.service = service
        self.answers = AnswerService(service)
        self.ids = VendorIds(service.store.redis)

    def of(self, incident: Incident, effect: Effect) -> PageToSend | Dropped:
        """Return the page of an effect, or why there is none to send."""
        if not isinstance(effect, PageBy):
            raise TypeError(f"pages do not carry {effect.kind}")
        page = incident.page_to_send(effect)
        if page is None:
            return Dropped(effect=effect.id, why="moot")
        known = addresses(self.service.company, page.person, self.service.store.directory())
        to = known.get(effect.via)
        return PageToSend(incident, page, effect, to) if to else Dropped(effect=effect.id, why="no address is known")

    def link(self, found: PageToSend) -> str:
        """Return the link that answers a page; empty where nobody can reach us."""
        return self.answers.link(found.incident, found.page)


def seconds_left(incident: Incident, now: datetime) -> float:
    """Seconds until the policy pages on: a page that comes later only misleads."""
    kinds = (CheckpointKind.POLICY, CheckpointKind.REPEAT)
    later = [c.due for c in incident.checkpoints if c.kind in kinds and c.due > now]
    return min((due - now).total_seconds() for due in later) if later else LONGEST
