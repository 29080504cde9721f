"""`tocsin init`: ask for the policy and for the holders of its roles, and write the configuration."""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import yaml
from slack_sdk.errors import SlackClientError

from escalation.config.policy import Policy
from escalation.config.turns import parse_handover
from escalation.hosts import drop_proxies_for
from escalation.times import known_zone
from escalation.values import parse_channel
from tocsin.accounts import client_of, examined
from tocsin.commands import check
from tocsin.commands.schema import schema_of
from tocsin.config import loader
from tocsin.config.settings import Settings, read
from tocsin.errors import Refusal

DEFAULT_POLICY = "kars"
ROLE_HELP = (
    "E-mail addresses or member ids (@U012ABC), several with commas, a user group id (S012ABC), `rotation`, or nothing."
)


_MEMBER, _GROUP = re.compile(r"[UW][A-Z0-9]{2,}"), re.compile(r"S[A-Z0-9]{2,}")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass
class Answers:
    """Answers so far. `roles` are in the form that the file has."""

    policy: Policy
    people: dict[str, dict[str, str]] = field(default_factory=dict)
    roles: dict[str, list[str]] = field(default_factory=dict)
    rotation: dict[str, Any] = field(default_factory=dict)
    channel: str = "incidents"
    meeting_url: str = ""


@click.command()
@click.option("--policy", "policy_name", metavar="NAME", help="Use this policy instead of asking for it.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("tocsin.yml"), show_default=True)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def init(policy_name: str | None, output: Path, force: bool) -> None:
    """Write a configuration. Asks for the policy, then for who holds each of its roles."""
    if output.exists() and not force:
        raise Refusal(f"{output} exists already. --force overwrites it, --output writes another file.")
    shipped = loader.shipped_policies()
    name = policy_name or _ask_policy(shipped)
    if name not in shipped:
        raise Refusal(f"There is no policy '{name}'. Shipped are: {', '.join(shipped)}.")
    settings, _ = read()
    drop_proxies_for(settings.api_url, os.environ)
    answers = ask(loader.load_policy(name), Lookup(settings))
    schema_file = output.with_name(f"{output.stem}.schema.json")
    schema_file.write_text(json.dumps(schema_of("config"), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    output.write_text(config_text(answers, schema_file.name), encoding="utf-8")
    errors, warnings = check.findings(output)
    click.echo("\n".join(["", *check.finding_lines(output, errors, warnings)]))
    if errors:
        click.echo(f"Next: correct {output}, until `tocsin check {output}` finds nothing wrong.")
        raise click.exceptions.Exit(1)
    click.echo(f"Next: put TOCSIN_CONFIG={output} into .env, then run `tocsin doctor`.")


def _ask_policy(shipped: list[str]) -> str:
    """Ask for the policy, each with its title and whom its gravest incidents reach."""
    for name in shipped:
        policy = loader.load_policy(name)
        gravest = next(iter(policy.severities.values()))
        tiers = ", then ".join(tier.name for tier in gravest.tiers)
        click.echo(f"  {name}: {policy.title}\n    {gravest.name} pages {tiers}")
    default = DEFAULT_POLICY if DEFAULT_POLICY in shipped else shipped[0]
    answer: str = click.prompt("Policy", type=click.Choice(shipped), default=default)
    return answer


class Lookup:
    """Look people up in the workspace, if there is a bot token."""

    def __init__(self, settings: Settings) -> None:
        asked = settings.bot_token.get_secret_value() and not settings.local
        self._client = client_of(settings) if asked else None

    def name(self, entry: dict[str, str]) -> str:
        """Look up a person's name, and print the result; empty when it is not known."""
        if self._client is None:
            return ""
        try:
            if "slack" in entry:
                user = self._client.users_info(user=entry["slack"])["user"]
            else:
                user = self._client.users_lookupByEmail(email=entry["email"])["user"]
        except (SlackClientError, OSError) as error:
            click.echo(f"  {next(iter(entry.values()))} was not found in the workspace: {_reason(error)}")
            return ""
        name: str = user.get("real_name") or user["name"]
        account = examined(("people",), f"{name} ({user['id']})", user, own_team="")
        click.echo(
            f"  found, but {account.what}; {account.remedy}" if account.remedy else f"  found {name} ({user['id']})"
        )
        return name


def ask(policy: Policy, lookup: Lookup) -> Answers:
    """Ask all questions."""
    answers = Answers(policy)
    click.echo(f"\n{policy.title}. Who stands behind each role?\n{ROLE_HELP}")
    for role, name in policy.roles.items():
        words = click.prompt(f"{name} ({role})", default="", show_default=False, value_proc=_holders)
        answers.roles[role] = [_holder(word, role, answers, lookup) for word in words]
    if answers.rotation and "on_call" in policy.roles and not answers.roles.get("on_call"):
        answers.roles["on_call"] = ["rotation primary"]  # its backup was named, so whoever has the shift is on call
        click.echo("On call: whoever has the shift in the rotation.")
    answers.channel = click.prompt("Channel for incidents", default=answers.channel, value_proc=_channel)
    answers.meeting_url = click.prompt(
        "Meeting link for war rooms (https://…, or nothing)", default="", show_default=False
    )
    return answers


def _words(reply: str) -> list[str]:
    return [text for word in reply.split(",") if (text := word.strip().removeprefix("@"))]


def _holders(reply: str) -> list[str]:
    """Parse the holders of a role; one that cannot be used is asked for again."""
    words = _words(reply)
    for word in words:
        if not (re.fullmatch(r"rotation( next)?", word.lower()) or _GROUP.fullmatch(word)):
            _check_person(word, "an e-mail address, a member id, a user group id or `rotation`")
    return words


def _people(reply: str) -> list[str]:
    """Parse the people of a rotation; at least one."""
    if not (words := _words(reply)):
        raise click.UsageError("name at least one person")
    for word in words:
        _check_person(word, "an e-mail address or a member id")
    return words


def _check_person(word: str, expected: str) -> None:
    if not (_MEMBER.fullmatch(word) or _ADDRESS.fullmatch(word)):
        raise click.UsageError(f"'{word}' is not {expected}")


def _holder(text: str, role: str, answers: Answers, lookup: Lookup) -> str:
    """One holder in the form that the file has."""
    if text.lower().startswith("rotation"):
        return _rotation(text, role, answers, lookup)
    return text if _GROUP.fullmatch(text) else _person(text, answers, lookup)


def _rotation(text: str, role: str, answers: Answers, lookup: Lookup) -> str:
    """A rotation as a holder. Its people are asked for at the first mention; a backup is whoever is next."""
    if not answers.rotation:
        people = click.prompt("  People of the rotation, in order", value_proc=_people)
        answers.rotation = {
            "people": list(dict.fromkeys(_person(p, answers, lookup) for p in people)),
            "handover": click.prompt("  Handover", default="Monday 00:00", value_proc=_handover),
            "timezone": click.prompt("  Time zone", default="UTC", value_proc=_zone),
        }
    return "rotation primary next" if "next" in text or role == "backup" else "rotation primary"


def _person(text: str, answers: Answers, lookup: Lookup) -> str:
    """The key of a person, added when new."""
    entry = {"slack": text} if _MEMBER.fullmatch(text) else {"email": text}
    if known := next((k for k, e in answers.people.items() if e == entry), ""):
        return known
    name = lookup.name(entry)
    key = _key(text.split("@")[0] if "email" in entry else name or text, answers)
    answers.people[key] = entry
    return key


def _key(wanted: str, answers: Answers) -> str:
    """Make an unused key from a name or an address."""
    plain = re.sub(r"[^a-z0-9_.-]+", "-", wanted.lower()).strip("-.") or "person"
    base = plain if plain[0].isalpha() else f"p-{plain}"
    n = 1
    while (key := base if n == 1 else f"{base}-{n}") in answers.people:
        n += 1
    return key


def _channel(text: str) -> str:
    return _parse(parse_channel, text)


def _handover(text: str) -> str:
    return _parse(parse_handover, text)


def _zone(text: str) -> str:
    return _parse(known_zone, text)


def _parse(parse: Any, text: str) -> str:
    """Parse an answer; click asks again when it is refused."""
    try:
        return str(parse(text))
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    return str(response["error"]) if response else str(error)


def config_text(answers: Answers, schema: str) -> str:
    """The configuration file with its comments. `schema` names the JSON Schema beside it, for editors."""
    people = [f"  {key}: {_flow(entry)}" for key, entry in answers.people.items()]
    roles = [_role_line(role, name, answers) for role, name in answers.policy.roles.items()]
    rotations = ["", "rotations:", f"  primary: {_flow(answers.rotation)}"] if answers.rotation else []
    meeting = [f"meeting_url: {_flow(answers.meeting_url)}"] if answers.meeting_url else []
    lines = [
        f"# yaml-language-server: $schema={schema}",
        "# Tocsin's configuration; `tocsin check` validates it.",
        f"policy: {answers.policy.name}",
        "workspace:",
        f"  incidents_channel: {_flow(answers.channel)}",
        *meeting,
        "timezone: UTC",
        "",
        *(["people:", *people] if people else ["people: {}"]),
        "",
        "# A person, several, a Slack user group, `rotation NAME`, or `rotation NAME next` for whoever comes after.",
        "roles:",
        *roles,
        *rotations,
        "",
        "# Who owns services together: `backend: {lead: somebody, members: [somebody], channel: team-backend}`.",
        "teams: {}",
        "",
        "# What can break, and who owns it: `checkout: {team: backend}`; `lead:` if it is not the team's.",
        "services: {}",
        "",
        "# When business hours and days count; `holidays:` takes a country, or a part of one: DE, DE-BE, US-CA.",
        "calendar: {timezone: UTC, hours: 09:00-17:00, days: Monday-Friday}",
        "",
        "# Narrows who may do what, by role: `resolve: [on_call, backup]`.",
        "permissions: {}",
    ]
    return "\n".join(lines) + "\n"


def _role_line(role: str, name: str, answers: Answers) -> str:
    holders = answers.roles.get(role, [])
    if not holders:
        return f"  {role}: []  # {name}: nobody yet; a page to this role is skipped, and said aloud"
    return f"  {role}: {_flow(holders[0] if len(holders) == 1 else holders)}"


def _flow(value: Any) -> str:
    """A value as YAML, on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")
