"""The workspace: its rows, its clock, its ids. All changes go through here, none of them waits for anything."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sandbox import company
from sandbox.book import Book
from sandbox.records import (
    AppSettings,
    Canvas,
    Channel,
    Deletion,
    Json,
    Message,
    Person,
    ResponseHook,
    Scheduled,
    SlackList,
    Trigger,
    Upload,
    Usergroup,
    View,
)
from sandbox.setup import Setup

MICROSECONDS = 1_000_000
BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class PageHint:
    """Something a page should read again; for everyone when there is no audience."""

    event: Json
    audience: frozenset[str] | None = None


@dataclass(frozen=True)
class AppEvent:
    """An event for the app, delivered when it subscribes to `subscription`."""

    subscription: str
    event: Json


class Messages(Book[Message]):
    """Messages by "channel/ts", with an index of each channel and of each thread in the order of their ts."""

    def __init__(self) -> None:
        super().__init__("message", Message)
        self._channels: dict[str, dict[str, None]] = {}
        self._threads: dict[str, dict[str, None]] = {}

    def __setitem__(self, key: str, row: Message) -> None:
        super().__setitem__(key, row)
        self._channels.setdefault(row.channel, {})[key] = None
        if row.thread_ts and row.thread_ts != row.ts:
            self._threads.setdefault(f"{row.channel}/{row.thread_ts}", {})[key] = None

    def __delitem__(self, key: str) -> None:
        row = self[key]
        super().__delitem__(key)
        self._channels[row.channel].pop(key)
        self._threads.get(f"{row.channel}/{row.thread_ts}", {}).pop(key, None)

    def in_channel(self, channel: str) -> list[Message]:
        """Every message of a channel, replies and ephemeral ones included, oldest first."""
        return [self[key] for key in self._channels.get(channel, ())]

    def replies(self, channel: str, ts: str) -> list[Message]:
        """The lasting replies of a thread, oldest first."""
        rows = [self[key] for key in self._threads.get(f"{channel}/{ts}", ())]
        return [row for row in rows if row.ephemeral_to is None]


class Workspace:
    """Everything people and apps can see. `clock` gives Unix seconds; `base_url` has no trailing slash."""

    def __init__(self, setup: Setup, clock: Callable[[], float], base_url: str) -> None:
        self.setup = setup
        self.clock = clock
        self.base_url = base_url
        self.team_id = company.TEAM_ID
        self.app_id = company.stable_id("A", setup.app_name)
        self.bot_id = company.stable_id("B", setup.app_name)
        self.bot_user = company.stable_id("U", setup.app_name)
        self._clear()

    def _clear(self) -> None:
        self.users: Book[Person] = Book("user", Person)
        self.channels: Book[Channel] = Book("channel", Channel)
        self.messages = Messages()
        self.deleted: Book[Deletion] = Book("deletion", Deletion)
        self.views: Book[View] = Book("view", View)
        self.stacks: Book[list[str]] = Book("stack", list[str])
        self.homes: Book[str] = Book("home", str)
        self.usergroups: Book[Usergroup] = Book("usergroup", Usergroup)
        self.uploads: Book[Upload] = Book("upload", Upload)
        self.triggers: Book[Trigger] = Book("trigger", Trigger)
        self.scheduled: Book[Scheduled] = Book("scheduled", Scheduled)
        self.canvases: Book[Canvas] = Book("canvas", Canvas)
        self.lists: Book[SlackList] = Book("list", SlackList)
        self.hooks: Book[ResponseHook] = Book("hook", ResponseHook)
        self.reads: Book[str] = Book("read", str)
        self.settings: Book[AppSettings] = Book("settings", AppSettings)
        self.numbers: Book[int] = Book("number", int)
        self.offsets: Book[float] = Book("offset", float)
        self.signals: list[PageHint | AppEvent] = []

    def books(self) -> list[Book[Any]]:
        return [value for value in vars(self).values() if isinstance(value, Book)]

    def populate(self) -> None:
        """Start anew: the company, its channels and user groups, the app; nothing said yet."""
        stored = [(book, list(book)) for book in self.books()]
        self._clear()
        for (_, keys), fresh in zip(stored, self.books(), strict=True):
            fresh.forget(keys)
        everyone = company.people()
        bot = Person(
            id=self.bot_user,
            name=self.setup.app_name.lower(),
            real_name=self.setup.app_name,
            title="App",
            is_bot=True,
        )
        self.users.update({person.id: person for person in [*everyone, bot]})
        self.channels.update({row.id: row for row in company.channels(everyone, int(self.now()))})
        self.usergroups.update({row.id: row for row in company.usergroups(everyone, int(self.now()))})
        self.app = AppSettings()

    # The clock

    def now(self) -> float:
        """Unix seconds: the injected clock and what was added on request."""
        return self.clock() + self.offsets.get("clock", 0.0)

    def advance(self, seconds: float) -> None:
        self.offsets["clock"] = self.offsets.get("clock", 0.0) + seconds

    def fresh_ts(self) -> str:
        """A new message timestamp, later than every earlier one."""
        latest = max(round(self.now() * MICROSECONDS), self.numbers.get("latest_ts", 0) + 1)
        self.numbers["latest_ts"] = latest
        return f"{latest // MICROSECONDS}.{latest % MICROSECONDS:06d}"

    # Ids

    def serial(self) -> int:
        self.numbers["serial"] = self.numbers.get("serial", 0) + 1
        return self.numbers["serial"]

    def fresh_id(self, prefix: str) -> str:
        """Eleven characters, such as C0A00000001: never given twice, the same after a restart."""
        number, digits = self.serial(), ""
        while number:
            number, digit = divmod(number, 36)
            digits = BASE36[digit] + digits
        return f"{prefix}0A{digits:0>8}"

    # The app's own settings

    @property
    def app(self) -> AppSettings:
        return self.settings["app"]

    @app.setter
    def app(self, settings: AppSettings) -> None:
        self.settings["app"] = settings

    @property
    def scopes(self) -> tuple[str, ...]:
        return self.setup.scopes if self.app.scopes is None else self.app.scopes

    @property
    def events(self) -> tuple[str, ...]:
        return self.setup.events if self.app.events is None else self.app.events

    @property
    def signing_secret(self) -> str:
        return self.app.signing_secret or self.setup.signing_secret

    @property
    def ack_seconds(self) -> float:
        return self.setup.ack_seconds if self.app.ack_seconds is None else self.app.ack_seconds

    @property
    def trigger_seconds(self) -> float:
        return self.setup.trigger_seconds if self.app.trigger_seconds is None else self.app.trigger_seconds

    # Looking up

    def person_named(self, name: str) -> Person | None:
        return next((p for p in self.users.values() if p.name == name.lower()), None)

    def group_named(self, handle: str) -> Usergroup | None:
        """The user group in use that has this handle."""
        return next((row for row in self.usergroups.values() if row.handle == handle.lower() and not row.deleted), None)

    def channel_named(self, name: str) -> Channel | None:
        rooms = (row for row in self.channels.values() if row.kind in ("public", "private"))
        return next((row for row in rooms if row.name == name), None)

    def can_see(self, user: str, channel: Channel) -> bool:
        """Members see it; so do full members of the workspace when it is public."""
        if user in channel.members:
            return True
        person = self.users.get(user)
        return channel.kind == "public" and person is not None and not person.is_guest

    def audience(self, channel: Channel) -> frozenset[str]:
        return frozenset(user for user in self.users if self.can_see(user, channel))

    def message(self, channel: str, ts: str) -> Message | None:
        return self.messages.get(f"{channel}/{ts}")

    def put_message(self, message: Message) -> Message:
        self.messages[f"{message.channel}/{message.ts}"] = message
        return message

    # Telling

    def hint(self, type_: str, audience: Iterable[str] | None = None, **fields: Any) -> None:
        """Tell pages that something changed."""
        named = None if audience is None else frozenset(audience)
        self.signals.append(PageHint({"type": type_, **fields}, named))

    def emit(self, subscription: str, event: Json) -> None:
        """Tell the app, if it subscribes."""
        if subscription in self.events:
            self.signals.append(AppEvent(subscription, {"event_ts": self.fresh_ts(), **event}))

    def take_signals(self) -> list[PageHint | AppEvent]:
        signals, self.signals = self.signals, []
        return signals
