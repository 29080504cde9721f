"""The environment: what is read, what is refused, and that one error names all of it."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from escalation.hosts import drop_proxies_for, is_loopback
from tocsin.commands.check import exposures
from tocsin.config import settings
from tocsin.config.addresses import Address, parse_address, sentinel
from tocsin.config.settings import Environment, SettingsError, load

VARIABLES = [name.upper() for name in Environment.model_fields]
STAND_IN = {
    "SLACK_BOT_TOKEN": "xoxb-1",
    "SLACK_APP_TOKEN": "xapp-1",
    "SLACK_API_URL": "http://127.0.0.1:9999/api",
}
REAL = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the machine and no .env of the folder reaches a test."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def use(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def refusals(monkeypatch: pytest.MonkeyPatch, **variables: str) -> dict[str, str]:
    """What is refused, by variable."""
    use(monkeypatch, **variables)
    with pytest.raises(SettingsError) as refused:
        load()
    return {p.variable: p.text for p in refused.value.problems}


def test_with_nothing_set_the_local_workspace_is_chosen(tmp_path: Path) -> None:
    """No token: the local workspace's tokens, its address, the example company, clocks sixty times as fast."""
    found = load()
    assert found.local
    assert found.bot_token.get_secret_value() == "xoxb-tocsin-sandbox"
    assert found.app_token is not None
    assert found.app_token.get_secret_value() == "xapp-tocsin-sandbox"
    assert found.api_url == "http://127.0.0.1:8080/api/"
    assert found.config == settings.EXAMPLE_CONFIG
    assert (found.speed, found.workers, found.redis_url) == (60, 1, None)
    assert found.data == tmp_path / "data"


@pytest.mark.parametrize(
    ("variables", "tokens"),
    [
        ({}, ["tocsin-sandbox-alerts"]),
        ({"TOCSIN_LISTEN": "0.0.0.0:3000"}, []),
        ({"ALERTS_TOKEN": "a-long-token"}, ["a-long-token"]),
        (STAND_IN, []),
    ],
)
def test_the_local_workspace_may_send_alerts(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], tokens: list[str]
) -> None:
    """Its published token lets in where nobody from elsewhere can reach the web app, and nowhere else."""
    use(monkeypatch, **variables)
    assert [token.get_secret_value() for token in load().alert_secrets["ALERTS_TOKEN"]] == tokens


def test_the_local_workspace_follows_its_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Web API's address is where the workspace listens."""
    use(monkeypatch, TOCSIN_SANDBOX_LISTEN="127.0.0.1:18080")
    assert load().api_url == "http://127.0.0.1:18080/api/"


def test_a_stand_in_gets_the_example_company_and_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens with another API address: no configuration is needed, clocks run at 1."""
    use(monkeypatch, **STAND_IN)
    found = load()
    assert (found.local, found.real_slack, found.speed) == (False, False, 1)
    assert found.api_url == "http://127.0.0.1:9999/api/"
    assert found.config == settings.EXAMPLE_CONFIG


def test_a_stand_in_may_run_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speed is refused against real Slack only."""
    use(monkeypatch, **STAND_IN, TOCSIN_SPEED="3600")
    assert load().speed == 3600


def test_the_dotenv_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`.env` of the working folder fills in what the environment leaves open."""
    (tmp_path / ".env").write_text("TOCSIN_SPEED=5\nTOCSIN_WORKERS=3\n")
    use(monkeypatch, TOCSIN_WORKERS="2")
    assert (load().speed, load().workers) == (5, 2)


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """`SLACK_BOT_TOKEN=` is what a template leaves behind."""
    use(monkeypatch, SLACK_BOT_TOKEN="", REDIS_URL="")
    assert load().local


@pytest.mark.parametrize(
    ("variables", "variable", "words"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, "SLACK_APP_TOKEN", "is missing, and so is SLACK_SIGNING_SECRET"),
        ({"SLACK_APP_TOKEN": "xapp-1"}, "SLACK_BOT_TOKEN", "is missing"),
        ({"SLACK_SIGNING_SECRET": "0123"}, "SLACK_BOT_TOKEN", "is missing"),
        (REAL | {"SLACK_BOT_TOKEN": "xoxp-1"}, "SLACK_BOT_TOKEN", "begins with xoxb-"),
        (REAL | {"SLACK_APP_TOKEN": "xoxb-1"}, "SLACK_APP_TOKEN", "begins with xapp-"),
        (REAL | {"SLACK_SIGNING_SECRET": "xapp-1"}, "SLACK_SIGNING_SECRET", "holds a token"),
        (REAL, "TOCSIN_CONFIG", "tocsin init"),
        (REAL | {"TOCSIN_SPEED": "2"}, "TOCSIN_SPEED", "real Slack runs at 1"),
        (REAL | {"SLACK_API_URL": "https://acme.slack.com/api/", "TOCSIN_SPEED": "2"}, "TOCSIN_SPEED", "real Slack"),
        (REAL | {"SLACK_API_URL": "http://slack.com/api/"}, "SLACK_API_URL", "in the clear"),
        (REAL | {"SLACK_API_URL": "slack"}, "SLACK_API_URL", "not a web address"),
        ({"SLACK_API_URL": "http://127.0.0.1:1/api/"}, "SLACK_API_URL", "no Slack token is"),
        ({"TOCSIN_SPEED": "fast"}, "TOCSIN_SPEED", "'fast' is not a speed"),
        ({"TOCSIN_SPEED": "0"}, "TOCSIN_SPEED", "is not a speed"),
        ({"TOCSIN_SPEED": "nan"}, "TOCSIN_SPEED", "is not a speed"),
        ({"TOCSIN_WORKERS": "-1"}, "TOCSIN_WORKERS", "not a number of workers"),
        ({"TOCSIN_LISTEN": "3000"}, "TOCSIN_LISTEN", "is not host:port"),
        ({"TOCSIN_LISTEN": "::1:3000"}, "TOCSIN_LISTEN", "is not host:port"),
        ({"TOCSIN_SANDBOX_LISTEN": "0.0.0.0:8080"}, "TOCSIN_SANDBOX_LISTEN", "no passwords"),
        ({"TOCSIN_CONFIG": "nowhere.yml"}, "TOCSIN_CONFIG", "there is no file nowhere.yml"),
        ({"REDIS_URL": "http://host"}, "REDIS_URL", "is not the address of a Redis"),
        ({"REDIS_URL": "redis://host/one"}, "REDIS_URL", "is not the address of a Redis"),
        ({"REDIS_URL": "redis+sentinel://host:26379"}, "REDIS_URL", "no sentinel or no master"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL", "is not a level"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], variable: str, words: str
) -> None:
    """Each wrong or missing variable, and what is said of it."""
    assert words in refusals(monkeypatch, **variables)[variable]


def test_a_file_is_no_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TOCSIN_DATA names a folder."""
    (tmp_path / "taken").write_text("")
    assert "is a file" in refusals(monkeypatch, TOCSIN_DATA="taken")["TOCSIN_DATA"]


def test_one_error_names_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is wrong comes at once, not one start after another."""
    wrong = refusals(monkeypatch, SLACK_BOT_TOKEN="nonsense", TOCSIN_SPEED="2", TOCSIN_LISTEN="x", REDIS_URL="y")
    assert set(wrong) == {
        "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "TOCSIN_CONFIG", "TOCSIN_SPEED", "TOCSIN_LISTEN", "REDIS_URL",
    }  # fmt: skip


@pytest.mark.parametrize(
    "variables",
    [
        {"SLACK_BOT_TOKEN": "hush-hush-1"},
        {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "hush-hush-1"},
        {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "xapp-hush-hush"},
        {"REDIS_URL": "redis://:hush-hush#@host:6379/0"},
        {"REDIS_URL": "http://user:hush-hush@host"},
        {"REDIS_URL": "redis+sentinel://user:hush-hush@/x"},
    ],
)
def test_no_secret_is_ever_repeated(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """The error names the variable, not its value."""
    assert "hush-hush" not in str(refusals(monkeypatch, **variables))


def test_secrets_do_not_show_in_the_settings_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A settings value may end up in a traceback."""
    use(monkeypatch, SLACK_BOT_TOKEN="xoxb-hush", SLACK_SIGNING_SECRET="hush", REDIS_URL="redis://:hush@host/0")
    found, _ = settings.read()
    assert "hush" not in repr(found)
    assert set(found.secrets()) == {"xoxb-hush", "hush"}


def test_a_command_only_minds_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """`tocsin list` works while a token is missing."""
    use(monkeypatch, SLACK_BOT_TOKEN="xoxb-1")
    assert load(("REDIS_URL", "TOCSIN_DATA")).workers == 1


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:3000", Address("127.0.0.1", 3000)), ("[::1]:8080", Address("::1", 8080)), ("db:1", Address("db", 1))],
)
def test_addresses_are_read_and_written_alike(text: str, address: Address) -> None:
    """host:port, IPv6 in brackets."""
    from_text = parse_address(text)
    assert from_text == address
    assert str(from_text) == text


def test_a_sentinel_address_is_taken_apart() -> None:
    """Several hosts, a default port, a login, the master and the database."""
    found = sentinel("redis+sentinel://app:p%40ss@one:26379,two/mymaster/3")
    assert found.hosts == (("one", 26379), ("two", 26379))
    assert (found.master, found.db, found.username, found.password) == ("mymaster", 3, "app", "p@ss")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2", "::1"])
def test_this_machine_is_known(host: str) -> None:
    """By its name and by every address of its own."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "10.0.0.1", "0.0.0.0", "localhost.example.com", "slack.com"])
def test_others_are_not_this_machine(host: str) -> None:
    """Proxies stay before them."""
    assert not is_loopback(host)


def test_proxies_are_dropped_for_a_stand_in_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack's clients send even loopback traffic to a proxy."""
    use(monkeypatch, HTTPS_PROXY="http://proxy:3128", http_proxy="http://proxy:3128")
    drop_proxies_for(load().api_url, os.environ)
    assert not {"HTTPS_PROXY", "http_proxy"} & set(os.environ)


# The services that reach people --------------------------------------------------------------------------------------

MAIL = {
    "SMTP_URL": "smtp://localhost",
    "SMTP_FROM": "tocsin@example.com",
    "ALERTS_TOKEN": "a-long-token",
    "MAIL_REPLY_TO": "Reply@in.example.com",
}


@pytest.mark.parametrize("opened_by", ["ALERTS_TOKEN", "ALERTS_SECRET_MAIL"])
def test_an_address_for_answers_by_mail_is_taken(monkeypatch: pytest.MonkeyPatch, opened_by: str) -> None:
    """Where mail goes out, and somebody may hand in what comes back."""
    use(monkeypatch, **{**MAIL, "ALERTS_TOKEN": "", opened_by: "a-long-token"})
    assert load().mail_reply_to == "reply@in.example.com"


@pytest.mark.parametrize(
    ("variables", "variable", "words"),
    [
        *(
            ({**MAIL, "MAIL_REPLY_TO": wrong}, "MAIL_REPLY_TO", "is no address for answers")
            for wrong in ("reply", "reply@", "@in.example.com", "a+b@in.example.com", f"{'r' * 19}@in.example.com")
        ),
        ({**MAIL, "SMTP_URL": ""}, "MAIL_REPLY_TO", "SMTP_URL is not"),
        ({**MAIL, "ALERTS_TOKEN": ""}, "MAIL_REPLY_TO", "no mail comes in"),
        ({"TOCSIN_URL": "tocsin.example.com"}, "TOCSIN_URL", "is not a web address"),
        ({"TOCSIN_URL": "https://tocsin_prod.example.com"}, "TOCSIN_URL", "underscore"),
        (
            {"TWILIO_ACCOUNT_SID": "SK1", "TWILIO_AUTH_TOKEN": "t", "TWILIO_FROM": "+15005550006"},
            "TWILIO_ACCOUNT_SID",
            "AC",
        ),
        ({"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_FROM": "+15005550006"}, "TWILIO_AUTH_TOKEN", "is missing"),
        ({"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t"}, "TWILIO_FROM", "is missing"),
        ({"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t", "TWILIO_FROM": "0151"}, "TWILIO_FROM", "country code"),
        ({"TWILIO_AUTH_TOKEN": "t"}, "TWILIO_ACCOUNT_SID", "is missing"),
        ({"TWILIO_MESSAGING_SERVICE": "SM1"}, "TWILIO_MESSAGING_SERVICE", "begins with MG"),
        ({"PUSHOVER_TOKEN": "short"}, "PUSHOVER_TOKEN", "30 letters and digits"),
        ({"NTFY_TOKEN": "tk_1"}, "NTFY_TOKEN", "NTFY_URL is not"),
        ({"NTFY_URL": "https://ntfy.sh", "NTFY_TOKEN": "hunter22"}, "NTFY_TOKEN", "begins with tk_"),
        ({"NTFY_URL": "ntfy.sh"}, "NTFY_URL", "is not a web address"),
        ({"APPRISE_URLS": "json://localhost syslog://"}, "APPRISE_URLS", "address 2 holds syslog://"),
        ({"OPSGENIE_URL": "eu"}, "OPSGENIE_URL", "is not a web address"),
        ({"ALERTS_SECRET_GENERIC": "whsec_%%%%%%%%"}, "ALERTS_SECRET_GENERIC", "whsec_"),
        ({"ALERTS_SECRET_GENERIC": "whsec_AAAA"}, "ALERTS_SECRET_GENERIC", "whsec_"),
        ({"ALERTS_SNS_TOPICS": "alarms"}, "ALERTS_SNS_TOPICS", "arn:aws:sns:"),
        ({"PAGERDUTY_WEBHOOK_SECRET": "short"}, "PAGERDUTY_WEBHOOK_SECRET", "too short"),
    ],
)
def test_a_setting_that_reaches_nobody_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], variable: str, words: str
) -> None:
    """Each wrong or missing variable is named with what would be right, before anybody has to be woken."""
    refused = refusals(monkeypatch, **variables)
    assert words in refused[variable]
    assert "hunter22" not in str(refused)


def test_another_server_of_a_vendors_api_may_have_tokens_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their form is checked for the vendor's own address only; a secret that signs webhooks may be any text."""
    use(
        monkeypatch,
        PUSHOVER_TOKEN="own-token",
        PUSHOVER_API_URL="https://push.example.com",
        NTFY_URL="https://ntfy.example.com",
        NTFY_TOKEN="own-token",
        ALERTS_SECRET_GENERIC="any text that is long enough",
    )
    found = load()
    assert found.pushover_token == found.ntfy_token == SecretStr("own-token")
    assert found.alert_secrets["ALERTS_SECRET_GENERIC"] == (SecretStr("any text that is long enough"),)


@pytest.mark.parametrize(
    ("url", "warned"),
    [("", False), ("https://t.example.com", False), ("http://127.0.0.1:3000", False), ("http://t.example.com", True)],
)
def test_an_address_that_others_can_read_on_the_way_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, url: str, warned: bool
) -> None:
    """TOCSIN_URL may be http, and `tocsin check` says what that lets others do."""
    use(monkeypatch, TOCSIN_URL=url)
    assert bool(exposures(load())) is warned


def test_secrets_of_the_services_are_kept_out_of_the_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every token, address and webhook secret is among what must never be printed."""
    values = {
        "TWILIO_ACCOUNT_SID": "AC1",
        "TWILIO_AUTH_TOKEN": "twilio-token",
        "TWILIO_FROM": "+15005550006",
        "PUSHOVER_TOKEN": "p" * 30,
        "NTFY_URL": "https://ntfy.sh",
        "NTFY_TOKEN": "tk_secret",
        "APPRISE_URLS": "tgram://secret/chat json://localhost",
        "OPSGENIE_API_KEY": "opsgenie-key",
        "PAGERDUTY_WEBHOOK_SECRET": "pagerduty-secret",
        "OPSGENIE_WEBHOOK_TOKEN": "opsgenie-token",
    }
    use(monkeypatch, **values)
    found = load()
    hidden = set(found.secrets())
    assert {"twilio-token", "p" * 30, "tk_secret", "tgram://secret/chat", "opsgenie-key", "pagerduty-secret"} <= hidden
    assert not any(secret in repr(found) for secret in hidden)
