"""Settings from the environment and `.env`. One error names every missing or invalid variable."""

import math
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from tocsin.config import mail_settings as mail
from tocsin.config import people_settings as people
from tocsin.config import process_settings as process
from tocsin.config import slack_settings as slack
from tocsin.config import webhook_settings as webhooks
from tocsin.config.addresses import Address, check_redis_url, is_real_slack, parse_address

LOCAL_ALERTS_TOKEN = "tocsin-sandbox-alerts"  # noqa: S105
PAGERDUTY_EVENTS = "https://events.pagerduty.com/v2/enqueue"
STATUSPAGE_API = "https://api.statuspage.io"
ZOOM_API = "https://api.zoom.us"
CONFLUENCE_KEYS = ("CONFLUENCE_URL", "CONFLUENCE_USER", "CONFLUENCE_TOKEN")
ZOOM_KEYS = ("ZOOM_ACCOUNT_ID", "ZOOM_CLIENT_ID", "ZOOM_CLIENT_SECRET")
GITHUB_API = "https://api.github.com"
EXAMPLE_CONFIG = Path(__file__).parents[1] / "example.yml"
LOCAL_SPEED = 60.0
ALERTS_TOKEN = "ALERTS_TOKEN"  # noqa: S105 - the variable's name
ALERT_SECRETS = (
    ALERTS_TOKEN,
    *(f"ALERTS_SECRET_{source}" for source in ("SENTRY", "PAGERDUTY", "GRAFANA", "GENERIC", "MAIL")),
)
SNS_TOPICS = "ALERTS_SNS_TOPICS"
HOOK_SECRETS = (
    *("PAGERDUTY_WEBHOOK_SECRET", "OPSGENIE_WEBHOOK_TOKEN", "TWILIO_WEBHOOK_SECRET"),
    *("GITHUB_WEBHOOK_SECRET", "JIRA_WEBHOOK_SECRET"),
)

T = TypeVar("T")


class Environment(BaseSettings):
    """The variables, unchecked; an empty one counts as unset."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="allow")

    slack_bot_token: str | None = None
    slack_app_token: str | None = None
    slack_signing_secret: str | None = None
    slack_api_url: str | None = None
    redis_url: str | None = None
    tocsin_config: str | None = None
    tocsin_data: str = "./data"
    tocsin_status_dir: str | None = None
    tocsin_listen: str = "127.0.0.1:3000"
    tocsin_sandbox_listen: str = "127.0.0.1:8080"
    tocsin_speed: str | None = None
    tocsin_workers: str = "1"
    log_level: str | None = None
    smtp_url: str | None = None
    smtp_from: str | None = None
    status_mail_from: str | None = None
    pagerduty_routing_key: str | None = None
    pagerduty_url: str = PAGERDUTY_EVENTS
    alerts_token: str | None = None
    alerts_secret_sentry: str | None = None
    alerts_secret_pagerduty: str | None = None
    alerts_secret_grafana: str | None = None
    alerts_secret_generic: str | None = None
    alerts_secret_mail: str | None = None
    alerts_sns_topics: str | None = None
    mail_reply_to: str | None = None
    tocsin_url: str | None = None
    twilio_account_sid: str | None = None
    twilio_auth_token: str | None = None
    twilio_from: str | None = None
    twilio_messaging_service: str | None = None
    twilio_api_url: str | None = None
    twilio_webhook_secret: str | None = None
    pushover_token: str | None = None
    pushover_api_url: str | None = None
    ntfy_url: str | None = None
    ntfy_token: str | None = None
    apprise_urls: str | None = None
    pagerduty_webhook_secret: str | None = None
    pagerduty_api_token: str | None = None
    pagerduty_api_url: str | None = None
    opsgenie_api_key: str | None = None
    opsgenie_url: str | None = None
    opsgenie_webhook_token: str | None = None
    statuspage_api_key: str | None = None
    statuspage_page: str | None = None
    statuspage_url: str | None = None
    zoom_account_id: str | None = None
    zoom_client_id: str | None = None
    zoom_client_secret: str | None = None
    zoom_hosts: str | None = None
    zoom_url: str | None = None
    github_token: str | None = None
    github_url: str | None = None
    github_webhook_secret: str | None = None
    jira_url: str | None = None
    jira_user: str | None = None
    jira_token: str | None = None
    jira_webhook_secret: str | None = None
    confluence_url: str | None = None
    confluence_user: str | None = None
    confluence_token: str | None = None
    tocsin_mcp_person: str | None = None
    watchdog_to: str | None = None
    watchdog_heartbeat_url: str | None = None

    def variable(self, name: str) -> str:
        """The value of any other variable, of the environment or of `.env`; empty if it is not set."""
        return os.environ.get(name) or str((self.model_extra or {}).get(name.lower()) or "")

    @property
    def local(self) -> bool:
        """True if none of the three Slack secrets is set: the local workspace replaces Slack."""
        return not (self.slack_bot_token or self.slack_app_token or self.slack_signing_secret)


class Problem(NamedTuple):
    """A missing or invalid variable, and how to set it. Never holds a secret's value."""

    variable: str
    text: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.text}"


class SettingsError(Exception):
    """All problems of the environment, one line each."""

    def __init__(self, problems: Collection[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(["Tocsin cannot start with these settings:", *(f"  {p}" for p in problems)]))


@dataclass(frozen=True)
class Settings:
    """The checked settings. `speed` divides distances in time; `redis_url` None means the embedded server of `data`."""

    bot_token: SecretStr
    app_token: SecretStr | None
    signing_secret: SecretStr | None
    api_url: str
    local: bool
    redis_url: SecretStr | None
    config: Path
    data: Path
    status_dir: Path
    listen: Address
    sandbox_listen: Address
    speed: float
    workers: int
    log_level: str | None
    smtp_url: SecretStr | None = None
    smtp_from: str = ""
    status_mail_from: str = ""
    mail_reply_to: str = ""
    pagerduty_key: SecretStr | None = None
    pagerduty_url: str = PAGERDUTY_EVENTS
    alert_secrets: Mapping[str, tuple[SecretStr, ...]] = field(default_factory=dict)
    sns_topics: tuple[str, ...] = ()
    public_url: str = ""
    twilio_sid: str = ""
    twilio_token: SecretStr | None = None
    twilio_from: str = ""
    twilio_service: str = ""
    twilio_url: str = people.TWILIO_API
    pushover_token: SecretStr | None = None
    pushover_url: str = people.PUSHOVER_API
    ntfy_url: str = ""
    ntfy_token: SecretStr | None = None
    apprise_urls: tuple[SecretStr, ...] = ()
    pagerduty_token: SecretStr | None = None
    pagerduty_api_url: str = people.PAGERDUTY_API
    opsgenie_key: SecretStr | None = None
    opsgenie_url: str = people.OPSGENIE_API
    hook_secrets: Mapping[str, tuple[SecretStr, ...]] = field(default_factory=dict)
    statuspage_key: SecretStr | None = None
    statuspage_page: str = ""
    statuspage_url: str = STATUSPAGE_API
    zoom_account: str = ""
    zoom_client: str = ""
    zoom_secret: SecretStr | None = None
    zoom_hosts: tuple[str, ...] = ()
    zoom_url: str = ZOOM_API
    github_token: SecretStr | None = None
    github_url: str = GITHUB_API
    jira_url: str = ""
    jira_user: str = ""
    jira_token: SecretStr | None = None
    confluence_url: str = ""
    confluence_user: str = ""
    confluence_token: SecretStr | None = None
    mcp_person: str = ""
    watchdog_to: tuple[str, ...] = ()
    heartbeat_url: SecretStr | None = None

    @property
    def real_slack(self) -> bool:
        """True if the Web API is Slack's own."""
        return is_real_slack(self.api_url)

    def hook_secret(self, variable: str) -> tuple[str, ...]:
        """The secrets of a webhook, of HOOK_SECRETS."""
        return tuple(secret.get_secret_value() for secret in self.hook_secrets.get(variable, ()))

    def secrets(self) -> Iterator[str]:
        """Every value that must never be logged or printed."""
        own = (self.bot_token, self.app_token, self.signing_secret, self.pagerduty_key, self.heartbeat_url)
        tokens = (
            self.twilio_token,
            self.pushover_token,
            self.ntfy_token,
            self.opsgenie_key,
            self.pagerduty_token,
            self.statuspage_key,
            self.zoom_secret,
            self.github_token,
            self.jira_token,
            self.confluence_token,
        )
        for secret in (*own, *tokens, *self.apprise_urls):
            if secret:
                yield secret.get_secret_value()
        for several in (*self.alert_secrets.values(), *self.hook_secrets.values()):
            yield from (secret.get_secret_value() for secret in several)
        for url in (self.redis_url, self.smtp_url):
            if password := urlsplit(url.get_secret_value()).password if url else None:
                yield password


def load(needs: Collection[str] | None = None) -> Settings:
    """Load the settings. SettingsError lists the problems among the variables that this command needs (None: all)."""
    settings, problems = read()
    if named := [p for p in problems if needs is None or p.variable in needs]:
        raise SettingsError(named)
    return settings


def read() -> tuple[Settings, list[Problem]]:
    """Read the settings, with a default in place of each invalid value, and the problems found."""
    env, problems = Environment(), list[Problem]()

    def check(variable: str, parse: Callable[[Environment], T], default: T) -> T:
        try:
            return parse(env)
        except ValueError as error:
            problems.append(Problem(variable, str(error)))
            return default

    sandbox = check(
        "TOCSIN_SANDBOX_LISTEN", lambda e: process.sandbox_listen(e.tocsin_sandbox_listen), Address("127.0.0.1", 8080)
    )
    api_url = check("SLACK_API_URL", lambda e: slack.api_url(e.slack_api_url, e.local, sandbox), slack.SLACK_API)
    settings = Settings(
        **_slack_tokens(check),
        api_url=api_url,
        local=env.local,
        redis_url=_secret(check("REDIS_URL", _redis_url, None)),
        config=check("TOCSIN_CONFIG", lambda e: _config(e, api_url), EXAMPLE_CONFIG),
        data=check("TOCSIN_DATA", lambda e: process.data(e.tocsin_data), Path("./data").resolve()),
        status_dir=check(
            "TOCSIN_STATUS_DIR",
            lambda e: process.status_dir(e.tocsin_status_dir, e.tocsin_data),
            Path("./data/status").resolve(),
        ),
        listen=check("TOCSIN_LISTEN", lambda e: parse_address(e.tocsin_listen), Address("127.0.0.1", 3000)),
        sandbox_listen=sandbox,
        speed=check("TOCSIN_SPEED", lambda e: _speed(e, api_url), 1.0),
        workers=check("TOCSIN_WORKERS", lambda e: process.workers(e.tocsin_workers), 1),
        log_level=check("LOG_LEVEL", lambda e: process.log_level(e.log_level), None),
        **_mail_settings(check),
        pagerduty_key=_secret(env.pagerduty_routing_key),
        pagerduty_url=check("PAGERDUTY_URL", _pagerduty_url, PAGERDUTY_EVENTS),
        **_people_settings(check),
        **_tracker_settings(check),
        alert_secrets={name: check(name, partial(_secrets, name), ()) for name in ALERT_SECRETS},
        sns_topics=check(SNS_TOPICS, lambda e: webhooks.sns_topics(e.alerts_sns_topics), ()),
        hook_secrets={name: check(name, partial(_secrets, name), ()) for name in HOOK_SECRETS},
        mcp_person=env.tocsin_mcp_person or "",
        watchdog_to=check("WATCHDOG_TO", lambda e: mail.watchdog_to(e.watchdog_to), ()),
        heartbeat_url=_secret(check("WATCHDOG_HEARTBEAT_URL", _heartbeat_url, None)),
    )
    return settings, problems


Check = Callable[[str, Callable[[Environment], Any], Any], Any]  # variable, its check, and the default


def _slack_tokens(check: Check) -> dict[str, Any]:
    """The tokens of Slack, or those of the local workspace."""
    bot = check("SLACK_BOT_TOKEN", lambda e: slack.bot_token(e.slack_bot_token, e.local), "")
    app = check("SLACK_APP_TOKEN", lambda e: slack.app_token(e.slack_app_token, e.slack_signing_secret, e.local), None)
    secret = check("SLACK_SIGNING_SECRET", lambda e: slack.signing_secret(e.slack_signing_secret, e.local), None)
    return {"bot_token": SecretStr(bot), "app_token": _secret(app), "signing_secret": _secret(secret)}


def _mail_settings(check: Check) -> dict[str, Any]:
    """The settings of mail, out and in."""
    return {
        "smtp_url": _secret(check("SMTP_URL", lambda e: mail.smtp_url(e.smtp_url), None)),
        "smtp_from": check("SMTP_FROM", lambda e: mail.smtp_from(e.smtp_from, e.smtp_url), ""),
        "status_mail_from": check("STATUS_MAIL_FROM", lambda e: mail.status_mail_from(e.status_mail_from), ""),
        "mail_reply_to": check(
            "MAIL_REPLY_TO", lambda e: mail.reply_to(e.mail_reply_to, e.smtp_url, _mail_comes_in(e)), ""
        ),
    }


def _people_settings(check: Check) -> dict[str, Any]:
    """The settings of the services beside Slack and mail that reach people."""

    def address(variable: str, default: str, example: str) -> Any:
        return check(variable, lambda e: people.web_address(getattr(e, variable.lower()), example) or default, default)

    def env_key(variable: str, *others: str, vendor: str = "Statuspage") -> Any:
        return check(variable, lambda e: _together(e, variable, others, vendor), None)

    zoom_account, zoom_client, zoom_secret = (env_key(key, *ZOOM_KEYS, vendor="Zoom") for key in ZOOM_KEYS)

    return {
        "public_url": check("TOCSIN_URL", lambda e: people.public_url(e.tocsin_url), ""),
        "twilio_sid": check(
            "TWILIO_ACCOUNT_SID",
            lambda e: people.twilio_sid(e.twilio_account_sid, e.twilio_auth_token, e.twilio_from),
            "",
        ),
        "twilio_token": _secret(
            check("TWILIO_AUTH_TOKEN", lambda e: people.twilio_token(e.twilio_auth_token, e.twilio_account_sid), "")
        ),
        "twilio_from": check(
            "TWILIO_FROM",
            lambda e: people.twilio_from(e.twilio_from, e.twilio_account_sid, e.twilio_messaging_service),
            "",
        ),
        "twilio_service": check(
            "TWILIO_MESSAGING_SERVICE", lambda e: people.twilio_service(e.twilio_messaging_service), ""
        ),
        "twilio_url": address("TWILIO_API_URL", people.TWILIO_API, people.TWILIO_API),
        "pushover_token": _secret(
            check("PUSHOVER_TOKEN", lambda e: people.pushover_token(e.pushover_token, e.pushover_api_url), "")
        ),
        "pushover_url": address("PUSHOVER_API_URL", people.PUSHOVER_API, people.PUSHOVER_API),
        "ntfy_url": address("NTFY_URL", "", "https://ntfy.example.com"),
        "ntfy_token": _secret(check("NTFY_TOKEN", lambda e: people.ntfy_token(e.ntfy_token, e.ntfy_url), "")),
        "apprise_urls": tuple(map(SecretStr, check("APPRISE_URLS", lambda e: people.apprise_urls(e.apprise_urls), ()))),
        "pagerduty_token": _secret(check("PAGERDUTY_API_TOKEN", lambda e: e.pagerduty_api_token, None)),
        "pagerduty_api_url": address("PAGERDUTY_API_URL", people.PAGERDUTY_API, people.PAGERDUTY_API),
        "opsgenie_key": _secret(check("OPSGENIE_API_KEY", lambda e: e.opsgenie_api_key, None)),
        "statuspage_key": _secret(env_key("STATUSPAGE_API_KEY", "STATUSPAGE_PAGE")),
        "statuspage_page": env_key("STATUSPAGE_PAGE", "STATUSPAGE_API_KEY") or "",
        "statuspage_url": address("STATUSPAGE_URL", STATUSPAGE_API, STATUSPAGE_API),
        "opsgenie_url": address("OPSGENIE_URL", people.OPSGENIE_API, people.OPSGENIE_API),
        "zoom_account": zoom_account or "",
        "zoom_client": zoom_client or "",
        "zoom_secret": _secret(zoom_secret),
        "zoom_hosts": check("ZOOM_HOSTS", lambda e: people.zoom_hosts(e.zoom_hosts), ()),
        "zoom_url": address("ZOOM_URL", ZOOM_API, ZOOM_API),
    }


def _tracker_settings(check: Check) -> dict[str, Any]:
    """The settings of the trackers that tickets go to, and of Confluence, where reviews do."""

    def confluence(variable: str) -> Any:
        return check(variable, lambda e: _together(e, variable, CONFLUENCE_KEYS, "Confluence"), None)

    def confluence_url(env: Environment) -> str:
        url = _together(env, "CONFLUENCE_URL", CONFLUENCE_KEYS, "Confluence")
        return people.web_address(url, "https://example.atlassian.net/wiki")

    return {
        "github_token": _secret(check("GITHUB_TOKEN", lambda e: e.github_token, None)),
        "github_url": check("GITHUB_URL", lambda e: people.web_address(e.github_url, GITHUB_API), "") or GITHUB_API,
        "jira_url": check("JIRA_URL", lambda e: people.jira_url(e.jira_url, e.jira_token), ""),
        "jira_user": check("JIRA_USER", lambda e: e.jira_user, None) or "",
        "jira_token": _secret(
            check("JIRA_TOKEN", lambda e: people.jira_token(e.jira_token, e.jira_url, e.jira_user), None)
        ),
        "confluence_url": check("CONFLUENCE_URL", confluence_url, ""),
        "confluence_user": confluence("CONFLUENCE_USER") or "",
        "confluence_token": _secret(confluence("CONFLUENCE_TOKEN")),
    }


def _together(env: Environment, variable: str, others: Collection[str], vendor: str) -> str | None:
    value: str | None = getattr(env, variable.lower())
    if not value and (given := next((other for other in others if getattr(env, other.lower())), "")):
        needed = "both" if len({variable, *others}) == 2 else "all of them"
        raise ValueError(f"is missing, and {given} is set; {vendor} needs {needed}")
    return value


def _secret(value: str | None) -> SecretStr | None:
    return SecretStr(value) if value else None


def _redis_url(env: Environment) -> str | None:
    return check_redis_url(env.redis_url) if env.redis_url else None


def _config(env: Environment, api_url: str) -> Path:
    if env.tocsin_config:
        path = Path(env.tocsin_config).expanduser()
        if not path.is_file():
            raise ValueError(f"there is no file {path}; `tocsin init --output {path}` writes one")
        return path
    if not env.local and is_real_slack(api_url):
        raise ValueError("is missing; `tocsin init` writes your configuration, then set TOCSIN_CONFIG to that file")
    return EXAMPLE_CONFIG


def _speed(env: Environment, api_url: str) -> float:
    if env.tocsin_speed is None:
        return LOCAL_SPEED if env.local else 1.0
    try:
        speed = float(env.tocsin_speed)
    except ValueError:
        speed = math.nan
    if not 0 < speed <= 86400:
        raise ValueError(f"'{env.tocsin_speed}' is not a speed; write a number like 1 or 60")
    if speed != 1 and not env.local and is_real_slack(api_url):
        raise ValueError(f"is {env.tocsin_speed}, but real Slack runs at 1; leave it unset (a drill has its own speed)")
    return speed


def _mail_comes_in(env: Environment) -> bool:
    return bool(env.alerts_token or env.alerts_secret_mail or env.alerts_sns_topics)


def _pagerduty_url(env: Environment) -> str:
    if urlsplit(env.pagerduty_url).scheme not in ("http", "https"):
        raise ValueError(f"is not a web address; leave it unset for PagerDuty itself ({PAGERDUTY_EVENTS})")
    return env.pagerduty_url


def _secrets(variable: str, env: Environment) -> tuple[SecretStr, ...]:
    """Several, with commas between, for rotation. A short one can be guessed from outside."""
    words = tuple(w for word in (getattr(env, variable.lower()) or "").split(",") if (w := word.strip()))
    if any(len(word) < webhooks.MIN_SECRET for word in words):
        raise ValueError(
            f"is too short to be a secret; use {webhooks.MIN_SECRET} characters or more: `openssl rand -hex 24`"
        )
    if variable == "ALERTS_SECRET_GENERIC" and not all(map(webhooks.is_webhook_secret, words)):
        raise ValueError(webhooks.SIGNS_NOTHING)
    if variable == ALERTS_TOKEN and not words and _is_for_this_machine(env):
        words = (LOCAL_ALERTS_TOKEN,)
    return tuple(SecretStr(word) for word in words)


def _is_for_this_machine(env: Environment) -> bool:
    """True beside the local workspace, if nobody from elsewhere reaches the web app: its page sends sample alerts."""
    try:
        return env.local and parse_address(env.tocsin_listen).loopback
    except ValueError:
        return False


def webhook_secrets(variable: str) -> tuple[str, ...]:
    """The secrets of a variable that the configuration names; several, for rotation. ValueError says what is wrong."""
    words = tuple(w for word in Environment().variable(variable).split(",") if (w := word.strip()))
    if not words:
        raise ValueError("is missing; make a secret: `echo whsec_$(openssl rand -base64 24)`")
    if not all(map(webhooks.is_webhook_secret, words)):
        raise ValueError(webhooks.SIGNS_NOTHING)
    return words


def _heartbeat_url(env: Environment) -> str | None:
    if env.watchdog_heartbeat_url and urlsplit(env.watchdog_heartbeat_url).scheme not in ("http", "https"):
        raise ValueError("is not a web address; copy the ping URL of your dead man's switch")
    return env.watchdog_heartbeat_url
