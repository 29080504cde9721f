"""The way to Redis: the one that is set or the embedded one, directly or through sentinels."""

from collections.abc import Sequence
from typing import Any

from redis import Redis, Sentinel
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError as Gone
from redis.exceptions import ResponseError
from redis.retry import Retry
from redis.sentinel import SentinelManagedConnection

from escalation.storage.alarms import Commit
from escalation.storage.store import Store
from tocsin.config.addresses import Sentinel as Where
from tocsin.config.addresses import is_sentinel, sentinel
from tocsin.config.settings import Settings
from tocsin.run import embedded

TIMEOUT = 5.0  # seconds
SENTINEL_TIMEOUT = 0.5  # seconds; the next sentinel knows as much, and the bot has 1.5 seconds for all of it


def address(settings: Settings) -> str:
    """The URL of Redis: the one that is set, else the embedded server's."""
    return settings.redis_url.get_secret_value() if settings.redis_url else embedded.url(settings.data)


def connect(settings: Settings, *, patient: bool = False) -> Redis:
    """A client of bytes. It repeats no command on its own: the caller knows whether that is safe.

    The bot is `patient`: what it does is safe to repeat, and a person who clicks while the server restarts should not
    notice. It gives up after 1.5 seconds, in time for an answer that Slack still takes.
    """
    options: dict[str, Any] = {
        "retry": Retry(ExponentialBackoff(cap=0.4, base=0.05), 6, (Gone,)) if patient else Retry(NoBackoff(), 0),
        "socket_timeout": TIMEOUT,
        "socket_connect_timeout": TIMEOUT,
    }
    url = address(settings)
    if url.startswith("unix://"):
        return Redis.from_url(url, **options)
    options |= {"socket_keepalive": True, "health_check_interval": 30}
    return _through_sentinel(url, options) if is_sentinel(url) else Redis.from_url(url, **options)


def _through_sentinel(url: str, options: dict[str, Any]) -> Redis:
    """A client that asks the sentinels for the master each time it connects, so that a failover is followed."""
    where = sentinel(url)
    how = {"username": where.username, "password": where.password, "connection_class": _ToMaster}
    master: Redis = watchers(where, **options).master_for(where.master, db=where.db, **how)  # type: ignore[no-untyped-call]
    return master


class _ToMaster(SentinelManagedConnection):
    """A master that was cut off from everybody but us refuses writes for good, and may long have a successor.

    redis-py leaves one that has become a replica, and stays with this one: it answers, after all.
    """

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)
        except ResponseError as refused:
            if not str(refused).startswith("NOREPLICAS"):
                raise
            self.disconnect()  # type: ignore[no-untyped-call]
            raise Gone(str(refused)) from refused


def watchers(where: Where, **options: Any) -> Sentinel:
    """The sentinels themselves; one that is away costs half a second at most, and is asked last from then on."""
    quick = {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": SENTINEL_TIMEOUT,
        "socket_connect_timeout": SENTINEL_TIMEOUT,
    }
    return Sentinel(list(where.hosts), sentinel_kwargs=quick, **options)  # type: ignore[no-untyped-call]


def reading(redis: Redis) -> Store:
    """A store that is only read from: the terminal changes nothing."""
    return Store(redis, _no_outbox)


def _no_outbox(pipe: object, changes: Sequence[Commit]) -> None:
    raise RuntimeError("the terminal only reads")


def redis_name(settings: Settings) -> str:
    """Redis as people may read it: no password."""
    if settings.redis_url is None:
        return f"the embedded server of {settings.data}"
    scheme, _, rest = settings.redis_url.get_secret_value().partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
