"""The local workspace: run it, and find the one that runs on a data folder."""

import contextlib
import os
from dataclasses import replace
from pathlib import Path

from tocsin.config.settings import Settings
from tocsin.run import embedded

ADDRESS = "address"  # file in the workspace's folder, which holds the URL of the latest that ran there


def serve(settings: Settings) -> None:
    """Run the local Slack workspace, until told to end. Its address is left in its folder, for other commands."""
    from sandbox.server import serve  # noqa: PLC0415 - other commands need not wait for it

    folder = _folder(settings)
    folder.mkdir(exist_ok=True)
    (folder / ADDRESS).write_text(settings.sandbox_listen.url)
    serve(str(settings.sandbox_listen), folder)


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
