"""Posted cards of an incident: updated at each change, finalised, dropped with a lost room."""

from escalation.engine.change import Change
from escalation.incident.effects import Refresh
from escalation.incident.model import Copy, CopyKind


def refresh(change: Change, copy_id: str) -> None:
    """Refresh one posted card."""
    change.replace_effect(Refresh(id=_refresh_id(copy_id), at=change.now, copy_id=copy_id, face=change.incident.face))


def refresh_all(change: Change) -> None:
    """Refresh every card that is not final, if readers can see a difference."""
    if change.incident.face != change.before.face:
        for copy in change.incident.copies:
            if not copy.final:
                refresh(change, copy.id)


def posted(change: Change, copy: Copy) -> None:
    """Record a posted card; refresh it at once if it shows an older face."""
    change.set(copies=(*change.incident.copies, copy))
    if copy.face < change.incident.face:
        refresh(change, copy.id)


def finalise(change: Change, *copy_ids: str, redact: bool = False) -> None:
    """Refresh these cards once more, without buttons, and then never again.

    A refresh on its way may still have the buttons: the last one goes out after it, under an id of its own.
    """
    kept = tuple(
        c.model_copy(update={"final": True, "redacted": redact or c.redacted}) if c.id in copy_ids else c
        for c in change.incident.copies
    )
    change.set(copies=kept)
    for copy_id in copy_ids:
        last = Refresh(
            id=f"{copy_id}-final",
            at=change.now,
            after=_refresh_id(copy_id),
            copy_id=copy_id,
            face=change.incident.face,
        )
        change.replace_effect(last)


def redact_public(change: Change) -> None:
    """Redact the public cards: they only say that the matter moved."""
    public = (c.id for c in change.incident.copies if c.kind is not CopyKind.DIRECT and not c.redacted)
    finalise(change, *public, redact=True)


def forget_room(change: Change) -> None:
    """Drop the card of a lost war room, with its refreshes."""
    incident = change.incident
    lost = {c.id for c in incident.copies if c.kind is CopyKind.ROOM}
    change.drop_effects(*(e.id for e in incident.effects if isinstance(e, Refresh) and e.copy_id in lost))
    change.set(copies=tuple(c for c in incident.copies if c.id not in lost))


def _refresh_id(copy_id: str) -> str:
    return f"{copy_id}-refresh"
