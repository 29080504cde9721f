"""The local workspace: run it, and find the one that runs on a data folder."""

# ruff: noqa: PLC0415 - other commands need not wait for what it imports

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.config.settings import ALERTS_TOKEN, SNS_TOPICS, Settings
from tocsin.run import embedded

if TYPE_CHECKING:
    from sandbox.setup import Monitoring

ADDRESS = "address"  # file in the workspace's folder, which holds the URL of the latest that ran there


def serve(settings: Settings) -> None:
    """Run the local Slack workspace, until told to end. Its address is left in its folder, for other commands."""
    from sandbox.server import serve
    from sandbox.setup import Setup

    folder = _folder(settings)
    folder.mkdir(exist_ok=True)
    (folder / ADDRESS).write_text(settings.sandbox_listen.url)
    serve(str(settings.sandbox_listen), folder, setup=Setup(monitoring=monitoring(settings)))


def monitoring(settings: Settings) -> "Monitoring | None":
    """Sample alerts that the page can send: of each source that the token lets in. None without a token."""
    from bot.alerts import samples
    from bot.alerts.sources import SOURCES
    from escalation.alerts.alert import AlertState
    from sandbox.setup import Monitoring, SampleAlert

    tokens = settings.alert_secrets.get(ALERTS_TOKEN, ())
    signing = {name for name, several in settings.alert_secrets.items() if several}
    signing |= {SNS_TOPICS} if settings.sns_topics else set()
    bodies = tuple(
        SampleAlert(
            name,
            SOURCES[name].title,
            samples.sample(name, AlertState.FIRING),
            samples.sample(name, AlertState.RESOLVED),
        )
        for name in samples.names()
        if SOURCES[name].secret not in signing  # one that signs is not let in by the token
    )
    if not tokens:
        return None
    return Monitoring(f"{settings.listen.url}/alerts", {"x-tocsin-token": tokens[0].get_secret_value()}, bodies)


def at_its_address(settings: Settings) -> Settings:
    """The settings with the address of the workspace that runs on the data folder, unless the environment names one."""
    if not settings.local or "TOCSIN_SANDBOX_LISTEN" in os.environ:
        return settings
    with contextlib.suppress(OSError):
        return replace(settings, api_url=f"{(settings.data / 'workspace' / ADDRESS).read_text()}/api/")
    return settings


def _folder(settings: Settings) -> Path:
    """Folder of the local workspace's state; its parent is made."""
    embedded.make_folder(settings.data)
    return settings.data / "workspace"
