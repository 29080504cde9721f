"""Health checks of the configuration against the workspace: channels, people, user groups, addresses, templates."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.render.card import card
from bot.render.messages import for_thread
from escalation.config.company import HEARD, Company
from escalation.config.notify import Via
from escalation.config.policy import SeverityPolicy
from escalation.config.references import channels_of
from escalation.engine.state_machine import declare
from escalation.errors import Refused
from escalation.incident.events.declaration import Declare
from escalation.incident.model import Incident
from escalation.incident.state.facts import Facts
from escalation.messages.template import Wording
from escalation.oncall.roster import assumed_directory, roster
from escalation.service import terms_for
from tocsin.accounts import UNREACHABLE, accounts, error_of
from tocsin.config.loader import Loaded
from tocsin.doctor.finding import Finding, failed, ok, warning
from workers.delivery.plan import company_wording

Json = dict[str, Any]
REINSTALL = "add it under OAuth & Permissions (or update the app from manifest.yml), then reinstall the app"
INCIDENTS = "workspace.incidents_channel"
_EXAMPLE = "A title of some length, with words that a template may cut"


def workspace_findings(client: WebClient, loaded: Loaded, own_team: str) -> Iterator[Finding]:
    """Check everything configured that Slack can be asked about."""
    company = loaded.company
    yield from _channels(client, loaded)
    yield from _accounts(client, company, own_team)
    yield from _synced_groups(client, company)
    yield from _templates(client, loaded)


# Channels --------------------------------------------------------------------------------------------------------


def _channels(client: WebClient, loaded: Loaded) -> Iterator[Finding]:
    """Check every channel that the configuration or the policy names."""
    try:
        known = _all_channels(client)
    except UNREACHABLE as error:
        yield failed("channel", f"channels cannot be listed: {error_of(error)}", REINSTALL)
        return
    for key, name in _named(loaded).items():
        yield _channel(client, key, name, known)


def _named(loaded: Loaded) -> dict[str, str]:
    """Return the channels by the keys that name them; the policy's reports unless the configuration has its own."""
    own = {} if loaded.company.reports is None else {"reports": ()}
    policy = channels_of(loaded.policy.model_copy(update=own))
    return loaded.company.channels() | {f"{key} of the policy": channel for key, channel in policy}


def _all_channels(client: WebClient) -> list[Json]:
    found: list[Json] = []
    cursor = ""
    while True:
        page = client.conversations_list(types="public_channel,private_channel", limit=999, cursor=cursor)
        found += page["channels"]
        cursor = (page.get("response_metadata") or {}).get("next_cursor", "")
        if not cursor:
            return found


def _channel(client: WebClient, key: str, name: str, known: list[Json]) -> Finding:
    wanted = name.removeprefix("#")
    matching = [c for c in known if wanted in (c["name"], c["id"])]
    channel = min(matching, key=lambda c: bool(c.get("is_archived")), default=None)
    if channel is None and key == INCIDENTS:
        return ok("channel", f"#{wanted} does not exist yet; the first incident makes it")
    if channel is None:
        what = f"#{wanted} ({key}) does not exist, or is private without the bot"  # Slack does not tell which
        return failed("channel", what, f"create it, invite the bot if it is private, or correct {key}")
    if channel.get("is_archived"):
        said = f"#{channel['name']}" + ("" if key == INCIDENTS else f" ({key})")
        return failed("channel", f"{said} is archived", f"unarchive it, or set {key} to another")
    if key in HEARD:
        if not channel.get("is_member"):
            what = f"the bot is not in #{channel['name']} ({key}), so it hears nothing there"
            return warning("channel", what, "`tocsin run` joins public channels; invite it into a private one")
    elif _takes_no_posts(client, channel["id"]):
        remedy = f"let the app post there in the channel's settings, or set {key} to another"
        return warning("channel", f"#{channel['name']} ({key}) takes posts from a few people only", remedy)
    return ok("channel", f"#{channel['name']} ({channel['id']}) is {key}")


def _takes_no_posts(client: WebClient, channel: str) -> bool:
    """True if not everybody may begin a thread in a channel; the list of channels does not tell."""
    try:
        said = client.conversations_info(channel=channel)["channel"]
    except UNREACHABLE:  # it was listed: this says nothing about it
        return False
    return any(said.get(name) for name in ("is_read_only", "is_frozen", "is_thread_only", "is_non_threadable"))


# People and user groups ------------------------------------------------------------------------------------------


def _accounts(client: WebClient, company: Company, own_team: str) -> Iterator[Finding]:
    """Check who stands behind the roles, and the addresses of those paged by mail."""
    ways = company.other_ways
    mailed = Via.MAIL in (*ways.page, *ways.slack_down)
    for account in accounts(client, company, own_team):
        yield Finding(account.about, account.state, account.what, account.remedy)
        entry = company.people.get(str(account.place[1])) if account.place[0] == "people" and account.user else None
        profile = (account.user or {}).get("profile") or {}
        if mailed and entry and not (entry.mail or entry.email or profile.get("email")):
            remedy = f"add {'.'.join(map(str, account.place))}.mail, or the scope users:read.email"
            yield warning("address", f"{account.place[1]} has no address, and pages go by mail too", remedy)


def _synced_groups(client: WebClient, company: Company) -> Iterator[Finding]:
    """Check the groups that follow a rotation, by id or handle."""
    synced = {f"rotations.{name}.group": r.group for name, r in company.rotations.items() if r.group}
    if not synced:
        return
    try:
        groups = client.usergroups_list(include_disabled=True)["usergroups"]
    except UNREACHABLE as error:
        yield failed("group", f"user groups cannot be listed: {error_of(error)}", "drop rotations.*.group")
        return
    for key, wanted in synced.items():
        group = next((g for g in groups if wanted in (g["id"], g.get("handle"))), None)
        if group is None:
            yield failed("group", f"@{wanted} ({key}) was not found", f"create it in Slack, or correct {key}")
        elif group.get("date_delete"):
            yield failed("group", f"@{wanted} ({key}) is disabled", "enable it in Slack")
        else:
            yield ok("group", f"@{wanted} follows its rotation")


# Templates -------------------------------------------------------------------------------------------------------


def _templates(client: WebClient, loaded: Loaded) -> Iterator[Finding]:
    """Have Slack check an example of each severity's messages; nothing is posted."""
    wording = company_wording(loaded.company)
    checked = 0
    for severity in loaded.policy.severities.values():
        try:
            incident = _example(loaded, severity)
        except Refused:
            continue
        for name, blocks in _messages(incident, wording):
            try:
                client.api_call("blocks.validate", json={"blocks": blocks})
                checked += 1
            except SlackApiError as error:
                if error.response["error"] in ("unknown_method", "method_deprecated", "team_access_not_granted"):
                    return  # Slack cannot check them here
                details = "; ".join((error.response.get("response_metadata") or {}).get("messages", ()))
                what = f"the {name} of a {incident.severity} is refused: {error_of(error)} {details}".strip()
                yield failed("templates", what, "shorten or correct `templates`")
            except UNREACHABLE:
                return
    if checked:
        yield ok("templates", f"Slack takes all {checked} messages that were tried")


def _example(loaded: Loaded, severity: SeverityPolicy) -> Incident:
    """Declare an example in memory only."""
    now = datetime.now(UTC)
    company, service = loaded.company, next(iter(loaded.company.services), "")
    facts = Facts(title=_EXAMPLE, description=_EXAMPLE, impact=_EXAMPLE, service=service)
    event = Declare(by="U0EXAMPLE", facts=facts, terms=terms_for(company, severity, facts, now))
    return declare("INC-20260101-001", event, now, roster(company, assumed_directory(company), now))


def _messages(incident: Incident, wording: Wording) -> Iterator[tuple[str, list[Json]]]:
    yield "card", card(incident, ()).blocks
    for entry in incident.timeline:
        message = for_thread(incident, entry, wording=wording)
        if message.blocks:
            yield f"message '{entry.kind}'", message.blocks
