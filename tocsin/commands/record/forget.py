"""`tocsin forget`: remove somebody from everything that is kept."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import click
from redis import RedisError

from escalation.config.company import Company, Directory
from escalation.incident.model import Incident
from escalation.oncall import schedule
from escalation.records.forgetting import Forgotten
from escalation.storage.keeping import audit
from escalation.storage.keeping.forgetting import FORGOTTEN, Forgetting, Found
from escalation.storage.keeping.posted import PREFIX
from escalation.storage.store import Store
from escalation.values import former
from tocsin.commands.incidents import NEEDS, open_store
from tocsin.commands.terminal import as_json, print_json
from tocsin.config import loader
from tocsin.config.loader import ConfigError
from tocsin.config.settings import load
from tocsin.errors import Refusal
from workers.queue import outbox

SHORTEST_NAME = 3
POSTED = PREFIX.rstrip(":")
MEMBER = re.compile(r"[UW][A-Z0-9]{2,}")
ALWAYS = (
    "exports and backups that were made before, and Redis' own file until it is rewritten",
    "direct messages of Tocsin about on call, reports that went by mail, and posts in channels older than 400 days",
)


@click.command()
@click.argument("who", metavar="PERSON")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@as_json
def forget(who: str, dry_run: bool, as_json: bool) -> None:
    """Remove a person from the record, by name, Slack id or mail address: their names, ids, addresses and words.

    Figures stay as they are, and the chains valid. Exit code 1 when there was nothing.
    """
    settings = load(NEEDS)
    reading = open_store(settings)
    store = Store(reading.redis, outbox.post)
    try:
        company = loader.load(settings.config).company
    except ConfigError:  # a subscriber's address needs none
        company = None
    directory = store.directory()
    person = _person(who.strip(), company, directory, int(store.redis.get(FORGOTTEN) or 0) + 1)
    if company:
        _refuse_on_call(person, company, store)
    _refuse_at_work(person, store)
    found = Forgetting(store, person, dry=dry_run).run()
    if not found.anything:
        click.echo(f"Nothing is kept of {who}.", err=as_json)
        raise SystemExit(1)
    if not dry_run:
        store.redis.incr(FORGOTTEN)
        audit.note(store.redis, "forgot", f"{person.pseudonym}, in {len(found.incidents)} incidents")
        with suppress(RedisError):  # not allowed, or under way already
            store.redis.bgrewriteaof()
    if as_json:
        print_json(_data(person, found, company, dry_run))
    else:
        click.echo("\n".join(_told(person, found, company, dry_run)))


def _person(who: str, company: Company | None, directory: Directory, number: int) -> Forgotten:
    """Find out whom a name, an id or an address means, and all that stands for them. Refusal for more than one."""
    asked = who.removeprefix("@").lower()
    people = company.people if company else {}
    members = {key: company.member(key, directory) for key in people} if company else {}
    keys = {
        k for k, e in people.items() if asked in {str(v).lower() for v in (k, e.name, e.slack, e.email, e.mail) if v}
    }
    named = {i for i, name in directory.names.items() if asked in (name.lower(), i.lower())}
    named |= {i for mail, i in directory.people.items() if mail.lower() == asked}
    named |= {i for i, mail in directory.mails.items() if mail.lower() == asked}
    ids = named | {members[key] for key in keys} - keys
    ids |= {who} if MEMBER.fullmatch(who) else set()
    keys |= {key for key, member in members.items() if member in ids}
    if len(ids) > 1 or len(keys) > 1:
        raise Refusal(f"{who} may be any of {', '.join(sorted(ids | keys))}. Give a Slack id.")
    entries = [people[key] for key in keys]
    contacts = {c for e in entries for c in (e.email, e.mail, e.phone, e.pushover, e.ntfy) if c}
    contacts |= {mail for mail, i in directory.people.items() if i in ids}
    contacts |= {mail for i, mail in directory.mails.items() if i in ids} | ({who} if "@" in who[1:] else set())
    names = {called for e in entries for called in (e.name, e.github, e.jira) if called}
    names |= {name for i, name in directory.names.items() if i in ids}
    names = {name for name in names if len(name) >= SHORTEST_NAME}
    return Forgotten(former(number), *map(frozenset, (ids, keys, contacts, names)))


def _refuse_on_call(person: Forgotten, company: Company, store: Store) -> None:
    now, state = datetime.now(UTC), store.oncall_state()
    for name in company.rotations:
        if person.keys & set(schedule.on_call_at(name, company, state, now)):
            raise Refusal(
                f"They are on call in {name} now, and would not be paged any more. Let somebody take over first: "
                f"`/incident oncall override {name} @somebody for 8h`."
            )


def _refuse_at_work(person: Forgotten, store: Store) -> None:
    """Refuse somebody whom an open incident pages or counts on."""
    for incident in store.open_incidents():
        if (person.ids | person.keys) & set(_at_work(incident)):
            raise Refusal(f"{incident.id} is open, and they respond to it. Close it, or hand their part over first.")


def _at_work(incident: Incident) -> list[str]:
    paged = [page.person for page in incident.pages if page.state == "open"]
    return [*paged, *incident.assigned, *incident.leads.values(), *incident.offers.values()]


def _data(person: Forgotten, found: Found, company: Company | None, dry_run: bool) -> dict[str, Any]:
    """The same as `_told`, for scripts."""
    return {
        "dry_run": dry_run,
        "pseudonym": person.pseudonym,
        "incidents": found.incidents,
        "records": dict(sorted(found.records.items())),
        "subscriptions": found.subscriptions,
        "publications_withdrawn": found.publications,
        "cannot_be_taken_back": [*found.outside, *ALWAYS],
        "still_configured": sorted(person.keys if company else ()),
    }


def _told(person: Forgotten, found: Found, company: Company | None, dry_run: bool) -> list[str]:
    """What was removed, what stays, and what is to be done by hand."""
    would = "would be" if dry_run else "was"
    lines = [f"{'Would remove' if dry_run else 'Removed'} them; {person.pseudonym} stands in their place."]
    lines += [f"  incidents: {', '.join(found.incidents)}"] if found.incidents else []
    lines += [f"  {kind}: {count}" for kind, count in sorted(found.records.items())]
    lines += [f"  subscriptions to the status page: {found.subscriptions}"] if found.subscriptions else []
    if found.publications:
        numbers = ", ".join(map(str, found.publications))
        lines.append(f"  publications on the status page that named them, withdrawn: {numbers}")
    if found.incidents:
        lines.append(f"Cards and messages about these incidents {would} updated in Slack as soon as Tocsin runs.")
    if posts := found.records.get(POSTED):
        lines.append(f"So {would} {posts} post{'' if posts == 1 else 's'} in channels: handovers, reminders, reports.")
    lines += ["Cannot be taken back:", *(f"  {what}" for what in (*found.outside, *ALWAYS))]
    for key in sorted(person.keys if company else ()):
        lines.append(f"Your configuration still names {key}: take them out, or they are stored again.")
    return lines
