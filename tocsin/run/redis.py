"""Build the Redis client: URL, embedded server or Sentinel."""

from collections.abc import Sequence
from typing import Any

from redis import Redis, Sentinel
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio import Sentinel as AsyncSentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.retry import Retry
from redis.sentinel import SentinelManagedConnection

from escalation.storage.alarms import Commit
from escalation.storage.store import Store
from tocsin.config.addresses import Sentinel as SentinelAddress
from tocsin.config.addresses import is_sentinel, sentinel
from tocsin.config.settings import Settings
from tocsin.run import embedded

TIMEOUT = 5.0  # seconds
SENTINEL_TIMEOUT = 0.5  # seconds; the next sentinel knows as much, and the bot has 1.5 seconds for all of it
_BRIEF = {"socket_timeout": SENTINEL_TIMEOUT, "socket_connect_timeout": SENTINEL_TIMEOUT}
_PATIENT = (ExponentialBackoff(cap=0.4, base=0.05), 6, (RedisConnectionError,))


def address(settings: Settings) -> str:
    """URL of Redis: REDIS_URL, else the embedded server's."""
    return settings.redis_url.get_secret_value() if settings.redis_url else embedded.url(settings.data)


def connect(settings: Settings, *, retry: bool = False) -> Redis:
    """Build a client that returns bytes. It retries no command by itself: the caller knows whether that is safe.

    The bot sets `retry`: what it does is idempotent, and a person who clicks while the server restarts should not
    notice. It gives up after 1.5 seconds, in time for an answer that Slack still takes.
    """
    url = address(settings)
    options = _options(url) | {"retry": Retry(*_PATIENT) if retry else Retry(NoBackoff(), 0)}
    return _through_sentinel(url, options) if is_sentinel(url) else Redis.from_url(url, **options)


def connect_on_loop(settings: Settings) -> AsyncRedis:
    """Build a client for the bot's event loop, as patient as the bot's other one."""
    url = address(settings)
    options = _options(url) | {"retry": AsyncRetry(*_PATIENT)}
    if not is_sentinel(url):
        return AsyncRedis.from_url(url, **options)
    named = sentinel(url)
    retry = AsyncRetry(NoBackoff(), 0)
    watchers = AsyncSentinel(list(named.hosts), sentinel_kwargs=_BRIEF | {"retry": retry}, **options)  # type: ignore[no-untyped-call]
    login: dict[str, Any] = {"username": named.username, "password": named.password}
    master: AsyncRedis = watchers.master_for(named.master, db=named.db, **login)
    return master


def _options(url: str) -> dict[str, Any]:
    options: dict[str, Any] = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
    if not url.startswith("unix://"):
        options |= {"socket_keepalive": True, "health_check_interval": 30}
    return options


def _through_sentinel(url: str, options: dict[str, Any]) -> Redis:
    """Build a client that asks the sentinels for the master on each connect, so that it follows a failover."""
    named = sentinel(url)
    login = {"username": named.username, "password": named.password, "connection_class": _MasterConnection}
    master: Redis = sentinels(named, **options).master_for(named.master, db=named.db, **login)  # type: ignore[no-untyped-call]
    return master


class _MasterConnection(SentinelManagedConnection):
    """Connection that leaves a master which refuses writes because it was cut off from its replicas.

    Such a master may have been replaced long ago. redis-py leaves one that has become a replica, but not this one: it
    still answers.
    """

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)
        except ResponseError as refused:
            if not str(refused).startswith("NOREPLICAS"):
                raise
            self.disconnect()  # type: ignore[no-untyped-call]
            raise RedisConnectionError(str(refused)) from refused


def sentinels(named: SentinelAddress, **options: Any) -> Sentinel:
    """Build the client of the sentinels. One that is down costs SENTINEL_TIMEOUT once and is asked last afterwards."""
    return Sentinel(list(named.hosts), sentinel_kwargs=_BRIEF | {"retry": Retry(NoBackoff(), 0)}, **options)  # type: ignore[no-untyped-call]


def read_only_store(redis: Redis) -> Store:
    """A store without an outbox: the command line changes nothing, and a commit raises RuntimeError."""
    return Store(redis, _no_outbox)


def _no_outbox(pipe: object, changes: Sequence[Commit]) -> None:
    raise RuntimeError("the terminal only reads")


def redis_name(settings: Settings) -> str:
    """Name of the Redis server for people: its URL without user and password."""
    if settings.redis_url is None:
        return f"the embedded server of {settings.data}"
    scheme, _, rest = settings.redis_url.get_secret_value().partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
