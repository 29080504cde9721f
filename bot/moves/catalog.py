"""The move that a typed command is, if it says enough. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.deps import BotDeps
from bot.errors import filled_in
from bot.moves.edit import typed_edit
from bot.moves.forms import severity_event
from bot.moves.lead import typed_lead
from bot.parsing.command import Named, duplicate_of, spoken, who
from escalation.config.company import Directory
from escalation.config.references import suggest
from escalation.errors import Refused
from escalation.incident.events import (
    Acknowledge,
    Cancel,
    Escalate,
    FixApplied,
    FixFailed,
    MarkSecurity,
    Move,
    MoveEvent,
    PagePeople,
    PostUpdate,
    Reopen,
    Reviewed,
    RootCause,
    Schedule,
    StartFix,
    Verify,
    Workaround,
)


@dataclass(frozen=True)
class Typed:
    """What stood after the verb and the id: as Slack sent it, and as people say it."""

    raw: str
    said: str
    by: str
    key: str
    deps: BotDeps
    directory: Directory

    @property
    def keys(self) -> dict[str, str]:
        """A person's key in the configuration -> the member id."""
        company = self.deps.company
        return {key: company.member(key, self.directory) for key in company.people}


def typed_event(move: Move, text: str, by: str, key: str, deps: BotDeps, directory: Directory) -> MoveEvent | None:
    """The event, or None when the move needs its modal.

    Raises InvalidForm or Refused for words that cannot be taken.
    """
    typed = Typed(text, spoken(text, directory.names), by, key, deps, directory)
    with filled_in():
        if move in _AT_ONCE:
            return _AT_ONCE[move](typed)
        return _WITH_WORDS[move](typed) if typed.said and move in _WITH_WORDS else None


def _severity(typed: Typed) -> MoveEvent | None:
    chosen, _, why = typed.said.partition(" ")
    event = severity_event(chosen, why.strip() or "-", typed.deps.policy, typed.by, typed.key)
    return event if why.strip() else None


def _page(typed: Typed) -> MoveEvent:
    roles, keys = typed.deps.roles, typed.keys
    named = who(typed.raw, roles, keys)
    people = (*named.people, *(p for g in named.groups for p in typed.directory.groups.get(g, ())))
    if named.unknown or not (people or named.role):
        raise Refused(_nobody(named, {*roles, *keys}))
    why = spoken(named.why, typed.directory.names)
    return PagePeople(by=typed.by, key=typed.key, people=people, role=named.role, why=why)


def _nobody(named: Named, known: set[str]) -> str:
    if named.groups:
        return "Nothing is known of that user group yet. Mention people, or name a role."
    word = spoken(named.unknown).lstrip("@")
    return f"Nobody here is called '{word}': mention people with @, or name a role{suggest(word.lower(), known)}."


def _cancel(typed: Typed) -> MoveEvent:
    twin, why = duplicate_of(typed.said)
    return Cancel(by=typed.by, key=typed.key, why=why, duplicate_of=twin)


_AT_ONCE: dict[Move, Callable[[Typed], MoveEvent]] = {
    Move.ACKNOWLEDGE: lambda t: Acknowledge(by=t.by, key=t.key),
    Move.START_FIX: lambda t: StartFix(by=t.by, key=t.key, text=t.said),
    Move.FIX_APPLIED: lambda t: FixApplied(by=t.by, key=t.key, text=t.said),
    Move.ESCALATE: lambda t: Escalate(by=t.by, key=t.key, why=t.said),
    Move.VERIFY: lambda t: Verify(by=t.by, key=t.key, text=t.said),
    Move.REVIEWED: lambda t: Reviewed(by=t.by, key=t.key, text=t.said),
}
_WITH_WORDS: dict[Move, Callable[[Typed], MoveEvent | None]] = {
    Move.ROOT_CAUSE: lambda t: RootCause(by=t.by, key=t.key, cause=t.said),
    Move.FIX_FAILED: lambda t: FixFailed(by=t.by, key=t.key, text=t.said),
    Move.WORKAROUND: lambda t: Workaround(by=t.by, key=t.key, text=t.said),
    Move.SCHEDULE: lambda t: Schedule(by=t.by, key=t.key, when=t.said),
    Move.EDIT: lambda t: typed_edit(t.said, t.by, t.key),
    Move.LEAD: lambda t: typed_lead(t.raw, t.by, t.key, t.keys),
    Move.UPDATE: lambda t: PostUpdate(by=t.by, key=t.key, progress=t.said),
    Move.SEVERITY: _severity,
    Move.PAGE: _page,
    Move.SECURITY: lambda t: MarkSecurity(by=t.by, key=t.key, why=t.said),
    Move.REOPEN: lambda t: Reopen(by=t.by, key=t.key, why=t.said),
    Move.CANCEL: _cancel,
}
