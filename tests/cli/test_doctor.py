"""`tocsin doctor`: each thing that can be wrong, found in a real server and a real workspace, with its remedy."""

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis
import time_machine
import yaml
from click.testing import CliRunner
from slack_sdk import WebClient

from benchmarks.ports import free_port
from benchmarks.rig import answers, process
from escalation.storage.heartbeats import HEARTBEATS
from escalation.storage.store import Store
from sandbox.server import RunningWorkspace, running
from tests.support import http
from tests.support.waiting import eventually
from tocsin.cli import main
from tocsin.config.loader import SHIPPED
from tocsin.config.settings import EXAMPLE_CONFIG, Environment, read
from tocsin.doctor import redis_checks, slack_checks
from tocsin.run import embedded
from tocsin.run.workspace import ADDRESS

MANIFEST = "oauth_config: {scopes: {bot: [chat:write, commands, users:read]}}\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("doctor")
    embedded.start(folder)
    yield folder
    redis.Redis.from_url(embedded.url(folder)).shutdown(nosave=True)


@pytest.fixture
def server(data: Path) -> "redis.Redis":
    """The server as it was started, with all parts of a running instance alive."""
    client = redis.Redis.from_url(embedded.url(data))
    client.flushall()
    for name in ("appendonly", "appendfsync", "maxmemory-policy"):
        client.config_set(name, embedded.CONFIG[name])
    client.config_set("maxmemory", "0")
    seconds, _ = client.time()
    for part in redis_checks.PARTS:
        client.set(f"tocsin:alive:{part}:host:1", seconds)
        client.sadd(HEARTBEATS, f"tocsin:alive:{part}:host:1")
    return client


@pytest.fixture
def workspace() -> Iterator[RunningWorkspace]:
    with running() as found:
        yield found


@pytest.fixture(autouse=True)
def well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: Path, server: "redis.Redis") -> None:
    """Everything as it should be but Slack, which each test brings along."""
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_DATA", str(data))
    (tmp_path / "manifest.yml").write_text(MANIFEST)
    monkeypatch.setattr(slack_checks, "MANIFESTS", (tmp_path / "manifest.yml",))


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch, workspace: RunningWorkspace) -> httpx2.Client:
    """The workspace's control side; its tokens are in the environment."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", workspace.bot_token)
    monkeypatch.setenv("SLACK_APP_TOKEN", workspace.app_token)
    monkeypatch.setenv("SLACK_API_URL", workspace.api_url)
    return http.client(workspace.url)


def examined() -> dict[str, list[dict[str, Any]]]:
    """The findings of `tocsin doctor --json` that are not well, by what they are about."""
    result = CliRunner().invoke(main, ["doctor", "--json"])
    report = json.loads(result.output)
    assert report["ok"] == (result.exit_code == 0)
    bad = [f for f in report["findings"] if f["state"] != "ok"]
    assert all(f["remedy"] for f in bad)
    return {about: [f for f in bad if f["about"] == about] for about in {f["about"] for f in bad}}


def test_when_all_is_well_it_says_so(slack: httpx2.Client) -> None:
    """A line for each thing, exit 0."""
    for name in ("stakeholders", "team-backend", "team-devops"):
        slack.post("/control/channels", json={"name": name, "is_private": False, "creator": "U0DANA0001"})
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0, result.output
    assert "✗" not in result.output
    for line in (
        "✓ bot token: ",
        "✓ scopes: all 3 of manifest.yml",
        "✓ app token: Socket Mode opens",
        "✓ persistence: appendfsync always",
        "✓ alive: ticker: 1",
        "✓ channel: #incidents does not exist yet; the first incident makes it",
        "✓ person: dana is Dana Ruiz (U0DANA0001)",
    ):
        assert line in result.output


def test_a_wrong_token(slack: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack's word, and where to find the right one; the token itself is not shown."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-wrong")
    [found] = examined()["bot token"]
    assert found["what"] == "refused: invalid_auth"
    assert "Bot User OAuth Token" in found["remedy"]
    assert "xoxb-wrong" not in str(found)


def test_a_wrong_app_token(slack: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Socket Mode would never connect."""
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-wrong")
    [found] = examined()["app token"]
    assert "connections:write" in found["remedy"]


def test_missing_scopes(slack: httpx2.Client) -> None:
    """Each scope of the manifest that the token lacks."""
    slack.post("/control/app", json={"scopes": ["chat:write", "users:read.email", "channels:read", "groups:read"]})
    assert [f["what"] for f in examined()["scopes"]] == ["commands is missing", "users:read is missing"]


@pytest.mark.parametrize(
    ("used", "missing"),
    [
        ({}, {"dnd:read": "warning"}),
        ({"follow_up_list": True}, {"dnd:read": "warning", "lists:read": "warning", "lists:write": "warning"}),
        ({"group": "oncall-engineer"}, {"dnd:read": "warning", "usergroups:write": "failed"}),
    ],
)
def test_a_scope_is_missed_where_the_configuration_uses_it(
    slack: httpx2.Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    used: dict[str, Any],
    missing: dict[str, str],
) -> None:
    """An app that was made from an older manifest does all it did before: an optional surface is a warning."""
    scopes = "chat:write, dnd:read, lists:read, lists:write, usergroups:write"
    (tmp_path / "manifest.yml").write_text(f"oauth_config: {{scopes: {{bot: [{scopes}]}}}}\n")
    config = yaml.safe_load(EXAMPLE_CONFIG.read_text())
    config["rotations"]["primary"] |= {"group": used.get("group")}
    config |= {"follow_up_list": used.get("follow_up_list", False)}
    (tmp_path / "tocsin.yml").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("TOCSIN_CONFIG", str(tmp_path / "tocsin.yml"))
    slack.post("/control/app", json={"scopes": ["chat:write", "users:read.email", "channels:read", "groups:read"]})
    assert {f["what"].removesuffix(" is missing"): f["state"] for f in examined()["scopes"]} == missing


def test_all_scopes_that_are_used(slack: httpx2.Client, tmp_path: Path) -> None:
    """Where nothing else is missing, nothing is wrong."""
    (tmp_path / "manifest.yml").write_text("oauth_config: {scopes: {bot: [chat:write, lists:write]}}\n")
    slack.post("/control/app", json={"scopes": ["chat:write", "users:read.email", "channels:read", "groups:read"]})
    assert "scopes" not in examined()


def test_an_archived_incidents_channel(slack: httpx2.Client) -> None:
    """Cards would be refused."""
    slack.post("/control/channels", json={"name": "incidents", "is_private": False, "creator": "U0DANA0001"})
    [channel] = [c["id"] for c in slack.get("/control/state").json()["channels"] if c["name"] == "incidents"]
    slack.post(f"/control/channels/{channel}", json={"is_archived": True})
    assert examined()["channel"][0]["what"] == "#incidents is archived"


def test_people_who_left_and_people_who_never_were(
    slack: httpx2.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page to them would go nowhere."""
    slack.post("/control/users/U0DANA0001", json={"deleted": True})
    (tmp_path / "c.yml").write_text(
        "policy: kars\npeople: {dana: {slack: U0DANA0001}, nina: {email: nina@example.com}}\n"
        "roles: {on_call: dana, security_team: S0NOGROUP}\n"
    )
    monkeypatch.setenv("TOCSIN_CONFIG", "c.yml")
    found = examined()
    assert [f["what"] for f in found["person"]] == [
        "dana (U0DANA0001) has left the workspace",
        "nina (nina@example.com) was not found: users_not_found",
    ]
    assert "S0NOGROUP was not found" in found["group"][0]["what"]
    assert any("nobody is CTO and executives" in f["remedy"] for f in found["configuration"])


def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "c.yml").write_text("policy: kars\n" + text)
    monkeypatch.setenv("TOCSIN_CONFIG", "c.yml")


EVERY_CHANNEL = """\
people: {dana: {slack: U0DANA0001}}
roles: {on_call: rotation primary, security_team: dana}
rotations: {primary: {people: [dana], handover_channel: handovers, group: oncall}}
workspace: {incidents_channel: incidents, stakeholders_channel: news, oncall_channel: oncall}
teams: {backend: {channel: team-backnd}}
"""


def test_every_configured_channel_is_looked_for(
    slack: httpx2.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each that is missing, archived, read-only, or private without the bot, with the key that sets it."""
    configured(tmp_path, monkeypatch, EVERY_CHANNEL)
    for name in ("news", "oncall", "handovers"):
        slack.post("/control/channels", json={"name": name, "is_private": name == "oncall", "creator": "U0DANA0001"})
    channels = {c["name"]: c["id"] for c in slack.get("/control/state").json()["channels"] if "name" in c}
    slack.post(f"/control/channels/{channels['news']}", json={"is_archived": True})
    slack.post(f"/control/channels/{channels['handovers']}", json={"posting": "restricted_action_read_only_channel"})
    said = {f["what"] for f in examined()["channel"]}
    assert said == {
        "#news (workspace.stakeholders_channel) is archived",
        "#oncall (workspace.oncall_channel) does not exist, or is private without the bot",
        "#team-backnd (teams.backend.channel) does not exist, or is private without the bot",
        "#handovers (rotations.primary.handover_channel) takes posts from a few people only",
    }
    remedies = " ".join(f["remedy"] for f in examined()["channel"])
    assert "invite the bot if it is private, or correct workspace.oncall_channel" in remedies
    assert "correct teams.backend.channel" in remedies
    assert "let the app post there" in remedies


HEARD = EVERY_CHANNEL.replace("oncall_channel: oncall", "deploys_channel: releases")


@pytest.mark.parametrize(
    ("made_by", "says"),
    [
        ("", "#releases (workspace.deploys_channel) does not exist, or is private without the bot"),
        ("U0DANA0001", "the bot is not in #releases (workspace.deploys_channel), so it hears nothing there"),
    ],
)
def test_a_channel_that_is_listened_in_needs_the_bot(
    slack: httpx2.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_by: str, says: str
) -> None:
    """Slack sends no message of a channel that the bot is not in, and no error."""
    configured(tmp_path, monkeypatch, HEARD)
    if made_by:
        slack.post("/control/channels", json={"name": "releases", "is_private": False, "creator": made_by})
    assert says in {f["what"] for f in examined()["channel"]}


def test_channels_that_only_the_policy_names_are_looked_for(
    slack: httpx2.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reports are sent there, unless the configuration has reports of its own."""
    shipped = (SHIPPED / "kars.yml").read_text(encoding="utf-8")
    (tmp_path / "p.yml").write_text(f"{shipped}\nreports: [{{every: week, channel: figurs}}]\n")
    (tmp_path / "c.yml").write_text(EVERY_CHANNEL + "policy: p.yml\n")
    monkeypatch.setenv("TOCSIN_CONFIG", "c.yml")
    assert any("#figurs (reports.0.channel of the policy)" in f["what"] for f in examined()["channel"])
    (tmp_path / "c.yml").write_text(EVERY_CHANNEL + "policy: p.yml\nreports: []\n")
    assert not any("figurs" in f["what"] for f in examined()["channel"])


def test_a_group_that_follows_a_rotation_is_looked_for(
    slack: httpx2.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its handle; a misspelt one is named with its key."""
    configured(tmp_path, monkeypatch, EVERY_CHANNEL)
    assert examined()["group"][0]["what"] == "@oncall (rotations.primary.group) was not found"


def test_what_kind_of_account_each_person_has(
    slack: httpx2.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guests and bots are named: the one can only answer, the other not even that."""
    bot = next(u["id"] for u in slack.get("/control/state").json()["users"] if u.get("is_bot"))
    people = f"people: {{gus: {{slack: U0GUS00001}}, robot: {{slack: {bot}}}}}"
    configured(tmp_path, monkeypatch, f"{people}\nroles: {{on_call: gus, security_team: robot}}\n")
    found = {f["what"]: f["state"] for f in examined()["person"]}
    assert found["gus (U0GUS00001) is a guest: they can answer their pages, and do nothing else"] == "warning"
    assert found[f"robot ({bot}) is a bot: it cannot be paged"] == "failed"


GUESTS = """\
people: {gus: {slack: U0GUS00001}, dana: {slack: U0DANA0001}}
roles: {on_call: rotation primary, devops_lead: gus, security_team: GROUP}
rotations: {primary: {people: [gus, dana]}}
"""
GUEST = "gus (U0GUS00001) is a guest: they can answer their pages, and do nothing else"
REMEDY = "make them a full member, or give their roles (on_call, devops_lead) to one"


def test_a_guest_who_holds_a_role_is_named(
    slack: httpx2.Client, workspace: RunningWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `check` at their line and by the doctor, with their roles: also one of a user group that holds a role."""
    slack.post("/control/users", json={"name": "nico", "id": "U0NICO0001", "is_guest": True})
    group = slack.get("/control/state").json()["usergroups"][0]["id"]
    api = WebClient(workspace.bot_token, base_url=workspace.api_url)
    api.usergroups_users_update(usergroup=group, users="U0DANA0001,U0GUS00001,U0LENA0001,U0NICO0001")
    slack.post("/control/users/U0LENA0001", json={"deleted": True})
    configured(tmp_path, monkeypatch, GUESTS.replace("GROUP", group))
    result = CliRunner().invoke(main, ["check", "c.yml"])
    assert result.exit_code == 0  # an account is no mistake of the file
    assert f"c.yml:2: warning: {GUEST}; {REMEDY}" in result.output
    assert f"c.yml:3: warning: Lena Fischer (U0LENA0001, of {group}) has left the workspace" in result.output
    assert f"c.yml:3: warning: Nico (U0NICO0001, of {group}) is a guest" in result.output
    assert result.output.count("U0GUS00001") == 1
    assert "Dana" not in result.output
    rows = json.loads(CliRunner().invoke(main, ["check", "c.yml", "--json"]).output)["accounts"]
    assert [(row["line"], "U0GUS00001" in row["text"]) for row in rows] == [(2, True), (3, False), (3, False)]
    found = {f["what"]: f["remedy"] for f in examined()["person"]}
    assert found[GUEST] == REMEDY
    assert len(found) == 3


@pytest.mark.parametrize("token", ["xoxb-wrong", ""])
def test_check_says_when_it_could_not_ask_slack(
    slack: httpx2.Client, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """A token that is refused, or a Slack that does not answer, is no reason to keep silent, and none to fail."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", token or "xoxb-1")
    if not token:
        monkeypatch.setenv("SLACK_API_URL", f"http://127.0.0.1:{free_port()}/api/")
    result = CliRunner().invoke(main, ["check"])
    assert result.exit_code == 0
    assert "Not all Slack accounts could be looked at (" in result.output
    assert ("invalid_auth" in result.output) == bool(token)
    assert json.loads(CliRunner().invoke(main, ["check", "--json"]).output)["accounts_unasked"]


def test_the_messages_of_the_policy_are_tried(slack: httpx2.Client) -> None:
    """Slack checks an example of each severity's messages, and nothing is posted."""
    before = len(slack.get("/control/calls?method=chat.postMessage").json()["calls"])
    output = CliRunner().invoke(main, ["doctor"]).output
    assert "✓ templates: Slack takes all" in output
    assert len(slack.get("/control/calls?method=chat.postMessage").json()["calls"]) == before
    slack.post(
        "/control/faults", json={"method": "blocks.validate", "kind": "error", "error": "invalid_blocks", "times": 1}
    )
    assert "invalid_blocks" in examined()["templates"][0]["what"]


def test_who_has_no_address_is_named(slack: httpx2.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pages go by mail: by `check` what the file lacks, by the doctor what Slack does not show either."""
    slack.post("/control/users/U0DANA0001", json={"email": ""})
    people = "people: {dana: {slack: U0DANA0001}, omar: {slack: U0OMAR0001}, mei: {email: mei@example.com}}"
    roles = "roles: {on_call: [dana, omar, mei], security_team: mei}"
    configured(tmp_path, monkeypatch, f"{people}\n{roles}\nother_ways: {{page: mail}}\n")
    said = CliRunner().invoke(main, ["check", "c.yml"]).output
    assert "dana has no address" in said
    assert "omar has no address" in said
    assert "mei has no address" not in said
    assert [f["what"] for f in examined()["address"]] == ["dana has no address, and pages go by mail too"]


def test_a_slack_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """The local workspace does not run."""
    monkeypatch.setenv("TOCSIN_SANDBOX_LISTEN", "127.0.0.1:1")
    [found] = examined()["bot token"]
    assert found["remedy"] == "the local workspace does not run: start `tocsin run`"


@pytest.mark.parametrize(
    ("setting", "value", "state"),
    [
        ("appendonly", "no", "failed"),
        ("appendfsync", "everysec", "warning"),
        ("maxmemory-policy", "allkeys-lru", "failed"),
    ],
)
def test_a_server_that_may_lose_incidents(
    slack: httpx2.Client, server: "redis.Redis", setting: str, value: str, state: str
) -> None:
    """Each setting that weakens the promise, and the command that mends it."""
    server.config_set(setting, value)
    [found] = examined()["persistence"]
    assert found["state"] == state
    assert setting in found["what"]
    assert found["remedy"].startswith(f"CONFIG SET {setting} ")


def test_memory_is_looked_at(slack: httpx2.Client, server: "redis.Redis") -> None:
    """Memory without a limit is fine, near its limit a warning, and at its limit a failure, with remedies."""

    def memory() -> list[tuple[str, str]]:
        found = redis_checks.redis_findings(read()[0])
        return [(f.state, f.what) for f in found if f.about == "memory" or "of memory" in f.what]

    assert memory() == [("ok", "has no limit")]
    server.config_set("maxmemory", str(int(int(server.info("memory")["used_memory"]) * 1.15)))
    assert [state for state, _ in memory()] == ["warning", "ok"]
    assert "of maxmemory in use" in memory()[-1][1]
    server.config_set("maxmemory", "1mb")
    [(state, what)] = memory()
    assert (state, "out of memory" in what) == ("failed", True)
    [failure] = examined()["redis"]
    assert "maxmemory" in failure["remedy"]


def test_no_worker_and_no_bot(slack: httpx2.Client, server: "redis.Redis") -> None:
    """Dead or silent parts, and what to start; a host whose clock is wrong is alive all the same."""
    server.delete("tocsin:alive:ticker:host:1", "tocsin:alive:bot:host:1")
    server.set("tocsin:alive:sweep:host:1", 1_700_000_000)
    found = {f["what"]: f["remedy"] for f in examined()["alive"]}
    assert found == {"no bot": "start `tocsin bot`", "no ticker": "start `tocsin worker`"}


def test_a_redis_that_is_away(slack: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else of Redis is asked, and the password stays where it is."""
    monkeypatch.setenv("REDIS_URL", "redis://:hush-hush@127.0.0.1:1/0")
    [found] = examined()["redis"]
    assert "redis://127.0.0.1:1/0 does not answer" in found["what"]
    assert "hush" not in str(found)


def test_nothing_that_runs(slack: httpx2.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No REDIS_URL, and no instance on the data folder."""
    monkeypatch.setenv("TOCSIN_DATA", str(tmp_path / "other"))
    [found] = examined()["redis"]
    assert "start `tocsin run`" in found["remedy"]


def test_the_workspace_of_the_data_folder_is_found(
    workspace: RunningWorkspace, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    """With TOCSIN_DATA alone the doctor asks where the local workspace of that folder runs; a variable goes first."""
    folder = data / "workspace"
    folder.mkdir(exist_ok=True)
    (folder / ADDRESS).write_text(workspace.url)
    assert "bot token" not in examined()
    monkeypatch.setenv("TOCSIN_SANDBOX_LISTEN", "127.0.0.1:9")
    [found] = examined()["bot token"]
    assert found["remedy"] == "the local workspace does not run: start `tocsin run`"


@pytest.mark.slow
def test_the_workspace_leaves_its_address(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace that was started elsewhere than usual is looked at by a doctor who knows the data folder only."""
    port = free_port()
    command = [sys.executable, "-m", "tocsin", "sandbox"]
    with process(*command, environment={**os.environ, "TOCSIN_SANDBOX_LISTEN": f"127.0.0.1:{port}"}):
        eventually(lambda: answers(f"http://127.0.0.1:{port}/control/state"))
        result = CliRunner().invoke(main, ["doctor"])
    assert "✓ bot token: " in result.output


def test_a_clock_that_is_off(server: "redis.Redis") -> None:
    """This machine and Redis a minute apart."""
    settings, _ = read()
    host = datetime.now(UTC) - timedelta(minutes=1)
    found = [f for f in redis_checks.redis_findings(settings, host) if f.about == "clock"]
    assert found[0].state == "failed"
    assert found[0].what.startswith("Redis is +")


def test_a_slow_reply_is_no_wrong_clock(server: "redis.Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis told its time five seconds ago: it may be right."""
    settings, _ = read()
    asked = Store.now
    with time_machine.travel(datetime.now(UTC), tick=True) as traveller:

        def slowly(store: Store) -> datetime:
            told = asked(store)
            traveller.shift(5)
            return told

        monkeypatch.setattr(Store, "now", slowly)
        found = [f for f in redis_checks.redis_findings(settings) if f.about == "clock"]
    assert [f.state for f in found] == ["ok"]


def test_wrong_settings_are_findings_too(slack: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor looks at what it can, whatever else is wrong."""
    monkeypatch.setenv("TOCSIN_LISTEN", "nowhere")
    monkeypatch.setenv("TOCSIN_CONFIG", "none.yml")
    found = examined()
    assert {f["what"] for f in found["settings"]} == {"TOCSIN_LISTEN", "TOCSIN_CONFIG"}
    assert "person" not in found
