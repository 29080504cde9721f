"""Work on the post-incident review of an incident."""

from datetime import datetime

from escalation.config.rules.reviews import SectionKey
from escalation.incident.state.facts import Signed
from escalation.values import Frozen, PersonId


class ReviewWork(Frozen):
    """Work on a post-incident review from the resolution until it is held: whose it is, and what there is of it.

    `meeting` is when it is proposed for. `written` are the sections in which people wrote; `commitments` are action
    items with an owner and a day. `no_meeting` and `no_follow_ups` say why none is needed.
    """

    owner: PersonId = ""
    meeting: datetime | None = None
    no_meeting: Signed | None = None
    written: tuple[SectionKey, ...] = ()
    commitments: int = 0
    no_follow_ups: Signed | None = None
