"""Audit what stands in Slack at the end: one living card for each incident, no dead button, pages with their person."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from benchmarks.witness import CLOSED, Witness

Json = dict[str, Any]
EVENT = "tocsin_delivery"
UNANSWERED = ("waiting", "owed")


def delivery_of(message: Json) -> str:
    """Delivery id of a message; empty for anybody else's."""
    metadata = message.get("metadata") or {}
    return str(metadata["event_payload"]["delivery"]) if metadata.get("event_type") == EVENT else ""


def cards(witnesses: dict[str, Witness], workspace: Json) -> list[str]:
    """Incidents with no living card, with several, or with one that does not show how the incident stands.

    That of a private incident is in its room; of one whose room is gone none is asked for, nor of a closed one whose
    card somebody deleted.
    """
    by_hand = {delivery_of(d["message"]) for d in workspace["deleted"] if not d.get("deleted_by")}
    standing = {delivery_of(m): (channel, m["ts"]) for channel, m in _standing(workspace)}
    gone = {c["id"] for c in workspace["channels"] if c.get("is_archived")}
    found = []
    for witness in witnesses.values():
        doc = witness.last
        copies = {(c["channel"], c["ts"]): c for c in doc["copies"] if c["kind"] in ("channel", "room")}
        kind = "room" if doc["facts"]["security"] else "channel"
        ours = (standing.get(m.effect) for m in witness.messages.values() if m.kind == "card" and m.place == kind)
        living = [p for p in ours if p and p[0] not in gone and not copies.get(p, {}).get("redacted")]
        has_room = doc["room"] and not doc["room"]["lost"] and doc["room"]["channel"] not in gone
        deleted = doc["status"] in CLOSED and any(m.effect in by_hand for m in witness.messages.values())
        if len(living) != 1 and (kind == "channel" or has_room) and not deleted:
            found.append(f"{witness.incident} has {len(living)} living cards")
        stale = [c for p, c in copies.items() if p in standing.values() and not c["final"] and c["face"] != doc["face"]]
        found += [
            f"{witness.incident}: the {c['kind']} card shows face {c['face']} of {doc['face']}"
            for c in stale
            if c["channel"] not in gone
        ]
    return found


def dead_buttons(witnesses: dict[str, Witness], workspace: Json, unseen: Collection[str]) -> list[str]:
    """Buttons of closed incidents that would be refused, where they can still be pressed.

    Slack shows nothing to somebody who was deactivated: what stands in a page that was refused so is left alone, and
    so is an `unseen` delivery, which nobody recorded: its reply was lost, or whoever waited for it was killed, and it
    was refused when it was tried again.
    """
    refused = {
        m.effect
        for w in witnesses.values()
        for m in w.messages.values()
        if m.kind == "page" and w.last["pages"][int(m.what.split()[1].rstrip(",")) - 1]["refusal"]
    }
    archived = {c["id"] for c in workspace["channels"] if c.get("is_archived")}
    found = []
    for channel, message in _standing(workspace):
        if channel in archived or delivery_of(message) in {*refused, *unseen}:
            continue
        for value in _values(message.get("blocks", ())):
            move, _, rest = value.partition("|")
            incident, _, rest = rest.partition("|")
            witness = witnesses.get(incident)
            if witness and not _legal(move, rest.partition("|")[2], witness.last):
                found.append(f"{incident}: {move} in {channel} {message['ts']}")
    return found


def _legal(move: str, about: str, doc: Json) -> bool:
    if doc["status"] not in CLOSED:
        return True
    if move == "snooze":  # the list of communications outlasts the incident while one is due
        return any(c["state"] in UNANSWERED for c in doc["communications"])
    if move == "communicate":
        return bool(doc["communications"][int(about.partition(":")[0]) - 1]["state"] in UNANSWERED)
    if move == "cancel":  # its reason can be corrected
        return bool(doc["status"] == "cancelled")
    due = doc["status"] == "resolved" and not doc["reviewed"]
    return move in ("reopen", "times") or (move in ("reviewed", "plan_review") and due)


def _values(blocks: Iterable[Json]) -> Iterator[str]:
    """Values of everything in a message that can be pressed or chosen."""
    for block in blocks:
        elements = [*block.get("elements", ()), *([block["accessory"]] if "accessory" in block else [])]
        for element in elements:
            if element.get("type") == "button":
                yield str(element.get("value", ""))
            yield from (str(option["value"]) for option in element.get("options", ()))
        yield from _values(block.get("child_blocks", ()))


def misdirected(witnesses: dict[str, Witness], workspace: Json) -> list[str]:
    """Pages that stand, or stood, elsewhere than in their person's direct messages."""
    direct = {c["id"]: c.get("user") for c in workspace["channels"]}
    pages = {
        m.effect: (w, int(m.what.split()[1].rstrip(",")))
        for w in witnesses.values()
        for m in w.messages.values()
        if m.kind == "page"
    }
    found = []
    for channel, message in (*_standing(workspace), *((d["channel"], d["message"]) for d in workspace["deleted"])):
        witness, n = pages.get(delivery_of(message), (None, 0))
        if witness and direct.get(channel) != witness.last["pages"][n - 1]["person"]:
            found.append(f"{witness.incident}: page {n} stands in {channel}")
    return found


def _standing(workspace: Json) -> Iterator[tuple[str, Json]]:
    for channel, messages in workspace["messages"].items():
        yield from ((channel, message) for message in messages)
