"""Hands the rooms to each other: the only place where the bot, the workers and the local workspace are started.

Kept apart from the commands that only read, which need not wait for Slack's and RQ's libraries. Each process imports
its own room when it starts, unless the supervisor that it was forked from has done so.
"""

# ruff: noqa: PLC0415 - for the reason above

from importlib import import_module
from pathlib import Path

from escalation.processes import Part
from escalation.service import IncidentService
from escalation.storage.store import Store
from tocsin.config.loader import Loaded
from tocsin.config.settings import Settings
from tocsin.run import embedded, lifeline, logs
from tocsin.run.redis import connect


def import_bot() -> None:
    """What `bot` imports, before it is forked."""
    for room in ("bot.deps", "bot.process", "uvloop"):
        import_module(room)


def import_worker() -> None:
    """What `worker_part` imports and reads, before it is forked."""
    for room in ("tocsin.run.channels", "workers.process", "workers.channels.slack", "workers.queue.outbox"):
        import_module(room)
    import_module("workers.channels.tls").ssl_context()


def bot(settings: Settings, loaded: Loaded) -> None:
    """The Slack side and the web app, until told to end."""
    _begin(settings, "bot")
    import uvloop

    from bot.deps import BotDeps
    from bot.process import serve

    store, service = _store_and_service(settings, loaded, patient=True)
    parts = BotDeps(
        bot_token=settings.bot_token.get_secret_value(),
        app_token=settings.app_token.get_secret_value() if settings.app_token else None,
        signing_secret=settings.signing_secret.get_secret_value() if settings.signing_secret else None,
        slack_api_url=settings.api_url,
        host=settings.listen.host,
        port=settings.listen.port,
        redis=store.redis,
        store=store,
        service=service,
        company=loaded.company,
        policy=loaded.policy,
    )
    uvloop.run(serve(parts))


def worker_part(settings: Settings, loaded: Loaded, part: Part) -> None:
    """One of a worker's processes, until told to end."""
    _begin(settings, f"worker {part}")
    from tocsin.run import channels
    from workers import process
    from workers.context import Context

    store, service = _store_and_service(settings, loaded)
    context = Context(store.redis, store, service, channels.connect(settings, store.redis), service.clock)
    process.run_part(part, context)


def local_workspace(settings: Settings) -> None:
    """The local Slack workspace alone, until told to end."""
    _begin(settings, "workspace")
    from sandbox.server import serve

    serve(str(settings.sandbox_listen), workspace_folder(settings))


def workspace_folder(settings: Settings) -> Path:
    """Where the local workspace keeps its messages."""
    embedded.make_folder(settings.data)
    return settings.data / "workspace"


def check_channels(settings: Settings, loaded: Loaded) -> None:
    """SettingsError when the configuration asks for channels that the environment does not set up."""
    from tocsin.run import channels

    channels.check(settings, loaded.company)


def _begin(settings: Settings, process: str) -> None:
    """What every process that works does first: hold on to its supervisor, and set up its logs."""
    lifeline.hold()
    logs.setup(process, settings.log_level, settings.secrets())


def _store_and_service(settings: Settings, loaded: Loaded, *, patient: bool = False) -> tuple[Store, IncidentService]:
    from workers.queue import outbox

    store = Store(connect(settings, patient=patient), outbox.post)
    return store, IncidentService(store, loaded.company, loaded.policy, store.now, settings.speed)
