"""Wire the packages together, and start the bot, the workers and the local workspace.

Kept apart from the commands that only read, which need not wait for Slack's and RQ's libraries. Each process imports
its own package when it starts, unless the supervisor that it was forked from has done so.
"""

# ruff: noqa: PLC0415 - for the reason above

from email.utils import parseaddr
from importlib import import_module
from typing import TYPE_CHECKING

from escalation.notify.mailboxes import Mailboxes
from escalation.processes import Part
from escalation.service import IncidentService
from escalation.storage.intake import AsyncIntake
from escalation.storage.public.folder import StatusFolder
from escalation.storage.public.log import PublicLog
from escalation.storage.store import Store
from tocsin.config.action_checks import secrets_of
from tocsin.config.loader import Loaded
from tocsin.config.settings import ALERTS_TOKEN, SNS_TOPICS, Settings
from tocsin.run import lifeline, logs, workspace
from tocsin.run.fork import collect_seldom
from tocsin.run.redis import connect, connect_on_loop

SPOOL = "spool"  # folder under TOCSIN_DATA

if TYPE_CHECKING:
    from bot.alerts.authentication import AlertSecrets
    from bot.deps import AnswerDeps


def import_bot() -> None:
    """Import what `bot` needs, before it is forked."""
    for module in ("bot.deps", "bot.process", "uvloop"):
        import_module(module)


def import_worker() -> None:
    """Import and read what `worker_part` needs, before it is forked."""
    for module in ("tocsin.run.channels", "workers.process", "workers.channels.slack", "workers.queue.outbox"):
        import_module(module)
    import_module("workers.channels.tls").ssl_context()


def bot(settings: Settings, loaded: Loaded) -> None:
    """Run the Slack side and the web app, until told to end."""
    _prepare(settings, "bot")
    import uvloop

    from bot.deps import BotDeps
    from bot.process import serve
    from workers.queue import outbox

    store, service = _store_and_service(settings, loaded, retry=True)
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
        intake=AsyncIntake(store.redis, outbox.post_alerts, connect_on_loop(settings)),
        alert_secrets=_alert_secrets(settings),
        answers=_answer_deps(settings, service),
        spool=settings.data / SPOOL,
        status=_status_folder(settings, loaded, store),
    )
    collect_seldom()
    uvloop.run(serve(parts))


def _alert_secrets(settings: Settings) -> "AlertSecrets":
    from bot.alerts.authentication import AlertSecrets

    secrets = {name: tuple(s.get_secret_value() for s in several) for name, several in settings.alert_secrets.items()}
    return AlertSecrets(secrets.get(ALERTS_TOKEN, ()), secrets | {SNS_TOPICS: settings.sns_topics})


def _answer_deps(settings: Settings, service: IncidentService) -> "AnswerDeps":
    from bot.deps import AnswerDeps
    from tocsin.run import channels
    from workers.delivery.people.news import News
    from workers.delivery.trackers.news import TrackerNews

    return AnswerDeps(
        public_url=settings.public_url,
        twilio_tokens=(settings.twilio_token.get_secret_value(),) if settings.twilio_token else (),
        twilio_keys=settings.hook_secret("TWILIO_WEBHOOK_SECRET"),
        pagerduty_secrets=settings.hook_secret("PAGERDUTY_WEBHOOK_SECRET"),
        opsgenie_tokens=settings.hook_secret("OPSGENIE_WEBHOOK_TOKEN"),
        github_secrets=settings.hook_secret("GITHUB_WEBHOOK_SECRET"),
        jira_secrets=settings.hook_secret("JIRA_WEBHOOK_SECRET"),
        trackers=TrackerNews(service),
        news=News(service, channels.pushover(settings), channels.pagerduty_directory(settings)),
    )


def worker_part(settings: Settings, loaded: Loaded, part: Part) -> None:
    """Run one part of a worker, until told to end."""
    _prepare(settings, f"worker {part}", *secrets_of(loaded.company))
    from tocsin.run import channels
    from workers import process
    from workers.context import Context

    store, service = _store_and_service(settings, loaded)
    context = Context(
        store.redis,
        store,
        service,
        channels.connect(settings, store.redis),
        service.clock,
        spool=settings.data / SPOOL,
        status=_status_folder(settings, loaded, store),
    )
    collect_seldom()
    process.run_part(part, context)


def _status_folder(settings: Settings, loaded: Loaded, store: Store) -> StatusFolder | None:
    page = loaded.company.status_page
    if page is None:
        return None
    subscribe = f"{settings.public_url}/status/subscribe" if settings.smtp_url and settings.public_url else ""
    return StatusFolder(settings.status_dir, page, PublicLog(store.redis), store.problems, subscribe)


def local_workspace(settings: Settings) -> None:
    """Run the local Slack workspace, until told to end."""
    _prepare(settings, "workspace")
    workspace.serve(settings)


def check_channels(settings: Settings, loaded: Loaded) -> None:
    """Check that the environment sets up each channel that the configuration asks for; SettingsError when not."""
    from tocsin.run import channels

    channels.check(settings, loaded.company)


def _prepare(settings: Settings, process: str, *secrets: str) -> None:
    """Prepare a process: end with its supervisor, and set up its logs, which show none of the secrets."""
    lifeline.exit_with_supervisor()
    logs.setup(process, settings.log_level, (*settings.secrets(), *secrets))


def _store_and_service(settings: Settings, loaded: Loaded, *, retry: bool = False) -> tuple[Store, IncidentService]:
    from tocsin.run import channels
    from workers.queue import outbox

    store = Store(connect(settings, retry=retry), outbox.post)
    service = IncidentService(
        store,
        loaded.company,
        loaded.policy,
        store.now,
        settings.speed,
        channels.set_up(settings),
        settings.public_url,
        mailboxes=Mailboxes(parseaddr(settings.smtp_from)[1], settings.mail_reply_to),
        own_meetings=channels.zoom(settings) is not None,
    )
    return store, service
