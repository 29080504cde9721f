"""A bot with every route open, its routes as the app itself lists them, and requests that pass their doors."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import httpx2
from starlette.routing import Route

from bot.alerts.authentication import AlertSecrets, signed
from bot.alerts.sources import SOURCES
from bot.deps import AnswerDeps
from bot.http.routes import web_app
from escalation.config.status_page import StatusPage
from escalation.storage.intake import Intake
from escalation.storage.public.folder import StatusFolder
from escalation.storage.public.log import PublicLog
from tests.support.bot import BotAtWork, patient_workspace, running_bot
from tests.support.clock import PushedClock
from tests.support.company import example
from tests.support.waiting import eventually
from tests.support.worker import Works, bots_intake, redis_of, works
from workers.delivery.people.news import News
from workers.delivery.trackers.news import TrackerNews
from workers.queue.outbox import post_alerts

TOKEN = "a-token-that-opens-every-door"
PUBLIC = "https://tocsin.example.com"
SIGNING = ("ALERTS_SECRET_SENTRY", "ALERTS_SECRET_PAGERDUTY", "ALERTS_SECRET_GRAFANA", "ALERTS_SECRET_GENERIC")


@dataclass(repr=False)
class Outside:
    """The bot, the workers' work, and its addresses: (method, path), one for each source."""

    bot: BotAtWork
    parts: Works
    addresses: list[tuple[str, str]]

    def __repr__(self) -> str:
        """Short, for what hypothesis prints."""
        return self.bot.url

    def send(self, method: str, path: str, raw: Any = b"", secret: str = TOKEN, **headers: str) -> httpx2.Response:
        """Send a request that carries every kind of credential at once; `raw` may be an iterator, sent in chunks."""
        known = raw if isinstance(raw, bytes) else b""
        all_headers = credentials(path, known, secret) | {name.replace("_", "-"): v for name, v in headers.items()}
        encoded = [(name.encode(), value.encode("utf-8", "replace")) for name, value in all_headers.items()]
        url = f"{self.bot.url}{quote(path, safe='/')}"
        return self.bot.web.request(method, url, content=raw, headers=encoded)

    def intake(self) -> Intake:
        """The intake of alerts, to look into."""
        return Intake(self.parts.redis, post_alerts)


def credentials(path: str, raw: bytes, secret: str, at: float = 0.0) -> dict[str, str]:
    """Headers that let a request in wherever it goes: the token, and each signature; `at`: when, if not now."""
    stamp, plain = str(int(at or time.time())), signed(secret, raw)
    form = "".join(sorted(name + value for name, value in _form(raw)))
    twilio = hmac.new(secret.encode(), f"{PUBLIC}{path}{form}".encode("utf-8", "replace"), hashlib.sha1).digest()
    return {
        "authorization": f"Bearer {secret}".strip(),
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": "v0=" + signed(secret, f"v0:{stamp}:".encode() + raw),
        "x-twilio-signature": base64.b64encode(twilio).decode(),
        "x-pagerduty-signature": f"v1={plain}",
        "x-hub-signature-256": f"sha256={plain}",
        "x-hub-signature": f"sha256={plain}",
        "x-github-event": "issues",
        "sentry-hook-signature": plain,
        "x-grafana-alerting-signature": plain,
    }


def _form(raw: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=200)
    except ValueError:
        return []


def addresses_of(routes: Any) -> Iterator[tuple[str, str]]:
    """Every method and path of an app, with something in the place of each parameter."""
    for route in routes:
        assert isinstance(route, Route)
        for source in SOURCES if "{source}" in route.path else ("",):
            path = route.path.replace("{source}", source).replace("{rest:path}", "some-alias/close")
            for parameter in ("token", "delivery", "id", "name", "path:path"):
                path = path.replace(f"{{{parameter}}}", "some-id")
            assert "{" not in path, f"say what stands in {path}"
            yield from ((method, path) for method in sorted(route.methods or ()))


@contextmanager
def outside(folder: Path, *, secrets_of_sources: bool = False) -> Iterator[Outside]:
    """Run a bot to which everything is open. Its alerts are held: they wait in a list, and declare nothing."""
    page = StatusPage(title="Example", components=("checkout",))
    rules = {"routes": [{"hold": True}], "generic": {"title": "title", "fingerprint": "id"}}
    changes = {"alerts": rules, "status_page": page.model_dump(mode="json")}
    company = type(example()).model_validate(example().model_dump(mode="json", by_alias=True) | changes)
    with patient_workspace() as workspace, redis_of("valkey") as redis:
        parts = works(redis, workspace, PushedClock(), company)
        parts.service.public_url = PUBLIC
        status = StatusFolder(
            folder / "status", page, PublicLog(redis), parts.store.problems, f"{PUBLIC}/status/subscribe"
        )
        every = (TOKEN,)
        answers = AnswerDeps(
            public_url=PUBLIC,
            twilio_tokens=every,
            pagerduty_secrets=every,
            opsgenie_tokens=every,
            github_secrets=every,
            jira_secrets=every,
            news=News(parts.service),
            trackers=TrackerNews(parts.service),
        )
        with running_bot(
            workspace,
            parts.service,
            http=True,
            connected=False,
            signing_secret=TOKEN,
            intake=bots_intake(redis),
            alert_secrets=AlertSecrets(every, dict.fromkeys(SIGNING, every) if secrets_of_sources else {}),
            answers=answers,
            spool=folder / "spool",
            status=status,
        ) as bot:
            eventually(lambda: len(parts.store.directory().names) > 5)
            yield Outside(bot, parts, [*addresses_of(web_app(bot.bot).routes)])
