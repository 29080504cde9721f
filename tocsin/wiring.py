"""Hands the rooms to each other: the only place where the bot, the workers and the local workspace are started.

Kept apart from the commands that only read, which need not wait for Slack's and RQ's libraries. Each process imports
its own room when it starts: all of them would be 0.7 seconds of a processor and 30 MB more, seven times over.
"""

# ruff: noqa: PLC0415 - for the reason above

import asyncio

from escalation.desk import Desk
from escalation.store import Store
from tocsin import config, running
from tocsin.server import connect
from tocsin.settings import Settings


def bot(settings: Settings) -> None:
    """The Slack side and the web app, until told to end."""
    from bot.parts import BotParts
    from bot.web import serve

    loaded = config.load(settings.config)
    store, desk = _store_and_desk(settings, loaded, patient=True)
    parts = BotParts(
        bot_token=settings.bot_token.get_secret_value(),
        app_token=settings.app_token.get_secret_value() if settings.app_token else None,
        signing_secret=settings.signing_secret.get_secret_value() if settings.signing_secret else None,
        slack_api_url=settings.api_url,
        host=settings.listen.host,
        port=settings.listen.port,
        redis=store.redis,
        store=store,
        desk=desk,
        company=loaded.company,
        policy=loaded.policy,
    )
    asyncio.run(serve(parts))


def worker_part(settings: Settings, part: running.Part) -> None:
    """One of a worker's processes, until told to end."""
    from tocsin import ways
    from workers import processes
    from workers.channels.slack import SlackDoor
    from workers.context import Context

    loaded = config.load(settings.config)
    ways.check(settings, loaded.company)
    store, desk = _store_and_desk(settings, loaded)
    slack = SlackDoor(settings.bot_token.get_secret_value(), settings.api_url, store.redis)
    context = Context(
        store.redis,
        store,
        desk,
        slack,
        desk.clock,
        mail=ways.mail(settings),
        pagerduty=ways.pagerduty(settings),
    )
    processes.run_part(part, context)


def local_workspace(settings: Settings) -> None:
    """The local Slack workspace alone, until told to end."""
    from sandbox.server import serve

    serve(str(settings.sandbox_listen), running.workspace_folder(settings))


def _store_and_desk(settings: Settings, loaded: config.Loaded, *, patient: bool = False) -> tuple[Store, Desk]:
    from workers import outbox

    store = Store(connect(settings, patient=patient), outbox.post)
    return store, Desk(store, loaded.company, loaded.policy, store.now, settings.speed)
