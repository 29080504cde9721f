"""Signed tokens for one person: in links to pages of ours, and in the session that such a link opens."""

import hmac
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from redis import Redis

from escalation.errors import NotFound
from escalation.storage.answers.keys import signature
from escalation.values import PersonId

REPORTS = "/reports/"  # the page of reports
INCIDENTS = "/incidents/"  # the list of incidents, and the page of each below it
NOT_VALID = "This link is not valid, or not any more. Ask in Slack for another: `/incident web` or `/incident report`."


class Purpose(StrEnum):
    """What a token is for: a link is followed within minutes, a session lasts a working day."""

    LINK = "link"
    SESSION = "session"

    @property
    def lasts(self) -> timedelta:
        """How long a token is valid."""
        return timedelta(minutes=10) if self is Purpose.LINK else timedelta(hours=12)


class PersonLinks:
    """Makes tokens and reads them. One person's token is of no use for another purpose, or after its time."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def token(self, person: PersonId, purpose: Purpose, now: datetime) -> str:
        """Return a token: letters, digits and dots."""
        plain = f"{purpose}.{person}.{int((now + purpose.lasts).timestamp())}"
        return f"{plain}.{signature(self._redis, plain)}"

    def link(self, url: str, page: str, person: PersonId, now: datetime) -> str:
        """Return the link that opens a page (`/reports/`) for one person; empty where nobody can reach us."""
        return f"{url}{page}open/{self.token(person, Purpose.LINK, now)}" if url else ""

    def person(self, token: str, purpose: Purpose, now: datetime) -> PersonId:
        """Return whose token it is; NotFound for one that we never made, of another purpose, or too old."""
        plain, _, mac = token.strip().rpartition(".")
        genuine = token.isascii() and hmac.compare_digest(mac, signature(self._redis, plain))
        made_for, _, rest = plain.partition(".")
        person, _, expires = rest.rpartition(".")
        if not genuine or made_for != purpose or datetime.fromtimestamp(int(expires), UTC) <= now:
            raise NotFound(NOT_VALID)
        return person
