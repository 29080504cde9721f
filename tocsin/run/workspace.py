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
    from bot.alerts.source import Source
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
    """Sample alerts that the page can send: of each source that our token or signature lets in. None for none.

    Nobody but Amazon can sign as Amazon does.
    """
    from bot.alerts import samples
    from bot.alerts.sources import SOURCES
    from escalation.alerts.alert import AlertState
    from sandbox.setup import Monitoring, SampleAlert, SampleBody

    found = list[SampleAlert]()
    for name in samples.names():
        bodies = [samples.sample(name, state) for state in (AlertState.FIRING, AlertState.RESOLVED)]
        sent = [SampleBody(raw, headers) for raw in bodies if (headers := _lets_in(settings, SOURCES[name], raw))]
        if sent:
            found.append(SampleAlert(name, SOURCES[name].title, *sent))
    if mail_in := _lets_in(settings, SOURCES["mail"], samples.mail()):
        form = {**mail_in, "content-type": "application/x-www-form-urlencoded"}
        found.append(SampleAlert("mail", SOURCES["mail"].title, SampleBody(samples.mail(), form)))
    return Monitoring(f"{settings.listen.url}/alerts", tuple(found)) if found else None


def _lets_in(settings: Settings, source: "Source", raw: bytes) -> dict[str, str]:
    """The headers that let a body in: its signature where the source has a secret of its own, else the token."""
    from bot.alerts import samples

    own = settings.sns_topics if source.secret == SNS_TOPICS else settings.alert_secrets.get(source.secret, ())
    if own and not source.token_too:
        secrets = settings.alert_secrets.get(source.secret, ())
        return samples.signature(source.name, raw, secrets[0].get_secret_value()) if secrets else {}
    tokens = settings.alert_secrets.get(ALERTS_TOKEN, ())
    return {"x-tocsin-token": tokens[0].get_secret_value()} if tokens else {}


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
