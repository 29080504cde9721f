"""The company's configuration: people, roles, teams, services and contacts."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints, model_validator

from escalation.config.actions import Action, with_unique_action_names
from escalation.config.alerts import Alerts
from escalation.config.business_time import Calendar, Hours
from escalation.config.checks import CanaryRules, Check, with_unique_names
from escalation.config.documents.reviews import ReviewPlace, ReviewPlaces
from escalation.config.holders import Holders
from escalation.config.lists import Lists, Webhooks
from escalation.config.notify import AppriseTag, MeetingKind, Notify, NtfyTopic, Number, OtherWays, PushoverUser
from escalation.config.pay.rates import Pay
from escalation.config.policy import LEAD, TEAM
from escalation.config.references import channels_of, refuse, unknown_names
from escalation.config.rotations import Rotation
from escalation.config.rules.communications import Means
from escalation.config.rules.reports import Reports
from escalation.config.status_page import StatusPage
from escalation.config.tickets import Tickets, Tracker, Vendor
from escalation.records.retention import Retention
from escalation.slo import Objective
from escalation.times import Duration, Zone
from escalation.values import Channel, Frozen, PersonId, PersonKey, as_list

SlackUser = Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,}$")]
Login = Annotated[str, StringConstraints(pattern=r"^[^@\s]\S*$", max_length=128)]
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]


def parse_phone(text: Any) -> str:
    """Parse a telephone number as people write it; ValueError otherwise."""
    number = str(text).strip()
    if not re.fullmatch(r"\+?[0-9][0-9 ()./-]{1,30}", number):
        raise ValueError(f"'{number}' is not a telephone number; write one like '+49 30 1234567', in quotes")
    return number


Phone = Annotated[str, BeforeValidator(parse_phone)]


class Days(Frozen):
    """Whole days, both the first and the last included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"

    def each(self) -> Iterator[date]:
        """Yield the days."""
        return (self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1))


def parse_days(text: Any) -> Any:
    """Parse `2026-12-24..2027-01-02`, or one day. ValueError says how to write them."""
    if isinstance(text, Days):
        return text
    first, _, last = str(text).partition("..")
    try:
        days = Days(first=date.fromisoformat(first.strip()), last=date.fromisoformat((last or first).strip()))
    except ValueError:
        raise ValueError(f"'{text}' are not days that exist; write them like 2026-12-24..2027-01-02") from None
    if days.last < days.first:
        raise ValueError(f"'{text}' ends before it begins; write the earlier day first")
    return days


Away = Annotated[
    tuple[Annotated[Days, BeforeValidator(parse_days), PlainSerializer(str, return_type=str)], ...],
    BeforeValidator(as_list),
]


class PersonEntry(Frozen):
    """A person: e-mail address or member id to find them in Slack, where to call and mail them, when they are away.

    `notify` is the order of their methods; they may set another one for themselves. `office` is where they work,
    `timezone` and `hours` are when, where these are not the company's.
    """

    email: Address | None = None
    slack: SlackUser | None = None
    name: str | None = None
    phone: Number | None = None
    mail: Address | None = None
    pushover: PushoverUser | None = None
    ntfy: NtfyTopic | None = None
    apprise: AppriseTag | None = None
    github: Login | None = None
    jira: Login | None = None
    notify: Notify | None = None
    office: str | None = None
    away: Away = ()
    timezone: Zone | None = None
    hours: Hours | None = None

    def login(self, vendor: Vendor) -> str:
        """Return their login in a tracker; empty for none."""
        return (self.github if vendor is Vendor.GITHUB else self.jira) or ""

    @property
    def number(self) -> str | None:
        """Their telephone number, if it can be called from anywhere: one without a country code is never used."""
        return self.phone if self.phone and self.phone.startswith("+") else None

    @model_validator(mode="after")
    def _findable(self) -> "PersonEntry":
        if not (self.email or self.slack):
            raise ValueError("give an email or a slack id, so that the person can be found")
        return self


class Staff(Frozen):
    """People by key, rotations by name, and the time zone of their absences."""

    timezone: Zone = "UTC"
    people: dict[PersonKey, PersonEntry] = {}
    rotations: dict[str, Rotation] = {}

    def absences(self) -> Iterator[tuple[str, datetime, datetime]]:
        """Yield the configured absences: person, from (inclusive) until (exclusive)."""
        for key, entry in self.people.items():
            for days in entry.away:
                yield key, self._midnight(days.first), self._midnight(days.last + timedelta(days=1))

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), ZoneInfo(self.timezone)).astimezone(UTC)


class Contact(Frozen):
    """A contact, with whatever ways to reach them are known."""

    name: str = ""
    phone: Phone | None = None
    email: str | None = None
    slack: str | None = None
    url: str | None = None
    note: str = ""

    def __str__(self) -> str:
        ways = (self.name, self.phone, self.email, self.slack, self.url, self.note)
        return " · ".join(way for way in ways if way)

    @model_validator(mode="after")
    def _reachable(self) -> "Contact":
        if not (self.name or self.phone or self.email or self.slack or self.url):
            raise ValueError("a contact needs a name, phone, email, slack or url")
        return self


def parse_contact(value: Any) -> Any:
    """Parse a contact; a plain text is its name."""
    return Contact(name=value) if isinstance(value, str) else value


Named = Annotated[Contact, BeforeValidator(parse_contact)]


class Contacts(Frozen):
    """Emergency contacts."""

    hotline: Contact | None = None
    technical: tuple[Named, ...] = ()
    business: tuple[Named, ...] = ()
    vendors: dict[str, Named] = {}


DYNAMIC = (LEAD, TEAM)  # their holders depend on the incident's service


class Workspace(Frozen):
    """Channels that Tocsin writes to, and those it listens in (HEARD), by name or id."""

    incidents_channel: Channel = "incidents"
    stakeholders_channel: Channel = "stakeholders"
    oncall_channel: Channel | None = None
    deploys_channel: Channel | None = None


HEARD = ("workspace.deploys_channel",)  # keys of channels from which nothing comes unless the bot is in them


class Team(Frozen):
    """A team that owns services, its channel, and its own tracker."""

    lead: PersonKey | None = None
    members: tuple[PersonKey, ...] = ()
    channel: Channel | None = None
    tickets: Tracker | None = None


# A card, a page and a room's bookmarks have to hold them.
MAX_LINKS = 5
LinkName = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^<>|]+$", max_length=40)]
WebAddress = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^https?://[^\s<>|]+$", max_length=500)]


class Service(Frozen):
    """A service that can break: the team that owns it, its lead, and the vendor it depends on.

    `runbook` says what to do, `links` (name -> address) is whatever else is needed at hand.
    """

    team: str | None = None
    lead: PersonKey | None = None
    vendor: str | None = None
    runbook: WebAddress | None = None
    links: dict[LinkName, WebAddress] = Field(default={}, max_length=MAX_LINKS)


def _https(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("a meeting URL begins with https://")
    return url


class Company(Staff):
    """The configuration file, see the README. People are referred to by their keys."""

    policy: str
    workspace: Workspace = Workspace()
    meeting_url: Annotated[str, AfterValidator(_https)] | None = None
    roles: dict[str, Holders] = {}
    teams: dict[str, Team] = {}
    services: dict[str, Service] = {}
    contacts: Contacts = Contacts()
    calendar: Calendar = Calendar()
    offices: dict[str, Calendar] = {}
    pay: Pay | None = None
    rest: Duration | None = None
    public_channels: tuple[Means, ...] | None = None
    lists: Lists = {}
    public_webhooks: Webhooks = {}
    status_page: StatusPage | None = None
    tickets: Tickets | None = None
    reviews: ReviewPlaces | None = None
    templates: dict[str, str] = {}
    notify: Notify = Notify()
    other_ways: OtherWays = OtherWays()
    invitations: Annotated[tuple[MeetingKind, ...], BeforeValidator(as_list)] = (MeetingKind.CALL, MeetingKind.REVIEW)
    objective: Objective = Objective()
    alerts: Alerts = Alerts()
    slack_dead_man: bool = True
    timeline_reaction: Annotated[str, AfterValidator(lambda name: name.strip(":"))] = "pushpin"
    follow_up_reaction: Annotated[str, AfterValidator(lambda name: name.strip(":"))] = "fast_forward"
    follow_up_list: bool = False
    canary: CanaryRules | None = None
    checks: Annotated[tuple[Check, ...], AfterValidator(with_unique_names)] = ()
    actions: Annotated[tuple[Action, ...], AfterValidator(with_unique_action_names)] = ()
    reports: Reports | None = None
    permissions: dict[str, Annotated[tuple[str, ...], BeforeValidator(as_list)]] = {}
    retention: Retention = Retention()

    @model_validator(mode="after")
    def _names_are_known(self) -> "Company":
        refuse(unknown_names(self.model_dump(mode="json")))
        return self

    def member(self, key: str, directory: "Directory") -> PersonId:
        """Return a person's member id; the key itself while Slack was not asked (delivery asks again)."""
        entry = self.people[key]
        return entry.slack or directory.people.get(entry.email or "", key)

    def place_of(self, person: str) -> Calendar:
        """Return zone, working hours and days off of a person, by key: their office's, where it says so.

        The rest, and those of everybody without an office, are the company's.
        """
        calendar = self.calendar
        if "timezone" not in calendar.model_fields_set:
            calendar = calendar.model_copy(update={"timezone": self.timezone})
        entry = self.people.get(person)
        office = self.offices.get(entry.office or "") if entry else None
        own = {name: getattr(office, name) for name in office.model_fields_set} if office else {}
        return calendar.model_copy(update=own)

    def leads(self) -> frozenset[str]:
        """Return the keys of those who lead a team or a service."""
        led = (*(team.lead for team in self.teams.values()), *(service.lead for service in self.services.values()))
        by_role = (holder.person for holder in self.roles.get(LEAD, ()))
        return frozenset(key for key in (*led, *by_role) if key)

    def key_of(self, member: PersonId, directory: "Directory") -> str | None:
        """Return the configuration's key of a member; None for somebody it does not list."""
        return next((key for key in self.people if self.member(key, directory) == member), None)

    def entry_of(self, person: PersonId, directory: "Directory") -> PersonEntry | None:
        """Return somebody's entry by their key or member id; None when the configuration does not list them."""
        return self.people.get(person if person in self.people else self.key_of(person, directory) or "")

    def calendar_of(self, person: PersonId, directory: "Directory") -> Calendar:
        """Return when somebody works: in their own zone and hours where they are known, not while they are away."""
        entry = self.entry_of(person, directory)
        if entry is None:
            return self.calendar
        own = {"timezone": entry.timezone, "hours": entry.hours}
        away = {day: "away" for days in entry.away for day in days.each()}
        changed = {key: value for key, value in own.items() if value}
        return self.calendar.model_copy(update=changed | ({"closed": {**self.calendar.closed, **away}} if away else {}))

    def mail_of(self, person: PersonId, directory: "Directory") -> str:
        """Return the address for somebody's mail: their own one for pages, else the one that finds them in Slack.

        Of a person known by member id only it is the one of their profile; empty when Slack shows none.
        """
        entry = self.entry_of(person, directory)
        return (entry.mail or entry.email or directory.mails.get(entry.slack or "", "")) if entry else ""

    def channels(self) -> dict[str, str]:
        """Return every configured channel, by the key that sets it; those of the workspace first."""
        found = sorted(channels_of(self), key=lambda at: not at[0].startswith("workspace."))
        return dict(found)

    def key_of_channel(self, name: str) -> str:
        """Return the key that sets a channel, the first of several; the channel itself when none does."""
        return next((key for key, channel in self.channels().items() if channel == name), name)

    def user_groups(self) -> tuple[str, ...]:
        """Return the user groups that hold roles, each once."""
        return tuple(dict.fromkeys(h.group for holders in self.roles.values() for h in holders if h.group))

    def lead_of(self, service: str) -> str | None:
        """Return the key of a service's lead, else of its team's lead."""
        entry = self.services.get(service, Service())
        return entry.lead or self.teams.get(entry.team or "", Team()).lead

    def team_of(self, service: str) -> Team:
        """Return the team that owns a service; an empty one while none is configured."""
        return self.teams.get(self.services.get(service, Service()).team or "", Team())

    def tickets_of(self, service: str) -> Tickets | None:
        """Return where tickets of a service's incidents go: to its team's own tracker, else to the common one."""
        own = self.team_of(service).tickets
        if self.tickets is None:
            return Tickets(**own.model_dump()) if own else None
        return self.tickets.of_team(own)

    def trackers(self) -> tuple[Tracker, ...]:
        """Return every tracker that tickets go to, each once."""
        teams = (team.tickets for team in self.teams.values() if team.tickets)
        every = (*(self.tickets.trackers() if self.tickets else ()), *teams)
        return tuple(tracker for n, tracker in enumerate(every) if tracker not in every[:n])

    def review_places(self) -> tuple[ReviewPlace, ...]:
        """Return every place that finished reviews are published in."""
        return self.reviews.each() if self.reviews else ()

    def member_of_login(self, vendor: Vendor, login: str, directory: "Directory") -> PersonId:
        """Return the member who has a login in a tracker; empty for one that nobody has."""
        found = (key for key, entry in self.people.items() if login and entry.login(vendor).lower() == login.lower())
        return next((self.member(key, directory) for key in found), "")

    def vendor_of(self, service: str) -> str:
        """Return a service's vendor contact in one line; empty when it has none."""
        vendor = self.services.get(service, Service()).vendor
        return str(self.contacts.vendors[vendor]) if vendor else ""

    def follows_service(self, role: str) -> bool:
        """True if a role follows the service and has a holder for at least one of them."""
        if role == LEAD:
            return any(self.lead_of(s) for s in self.services)
        return role == TEAM and any(self.team_of(s).members for s in self.services)


class Directory(Frozen):
    """Directory of the workspace: address -> Slack member id, user group id -> member ids, member id -> name.

    `mails` are the addresses in Slack's profiles, by member id: for people of whom the configuration has none.

    By address and not by the configuration's key: a key that was given to somebody else must not page the former one.
    `zones` are the time zones in Slack's profiles, by member id: whose night a page was in.
    `url` is the workspace's own address (`https://example.slack.com/`), which links to messages begin with.
    """

    people: dict[str, PersonId] = {}
    groups: dict[str, tuple[PersonId, ...]] = {}
    names: dict[PersonId, str] = {}
    mails: dict[PersonId, str] = {}
    zones: dict[PersonId, str] = {}
    url: str = ""
