"""An incident's ticket in a tracker, as last seen there."""

from datetime import datetime

from escalation.config.tickets import Vendor
from escalation.values import Frozen


class Issue(Frozen):
    """A ticket in a tracker. `key` is its name there: `owner/repo#12`, `OPS-12`.

    `assignees` are logins. `updated` is the tracker's time of the state that is known: older news is no news. `gone`:
    it was deleted there. `private`: it is in the tracker of private incidents.
    """

    vendor: Vendor
    key: str
    url: str
    open: bool = True
    assignees: tuple[str, ...] = ()
    updated: datetime | None = None
    gone: bool = False
    private: bool = False
