"""What the figures need to know of one incident: a few instants and counts, without a word that somebody wrote."""

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from escalation.figures.responses import Response, responses
from escalation.incident.events.moves import Answer
from escalation.incident.impact import impact_times
from escalation.incident.model import Incident
from escalation.incident.state.communications import OwedCommunication, OwedState
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.facts import Status
from escalation.records.compact import pack, unpack
from escalation.records.holes import holes
from escalation.values import machine_title


@dataclass(frozen=True)
class Observation:
    """An incident as the figures see it. Instants are epoch seconds, None for what did not happen.

    `duplicate`: it was cancelled as one of another incident. `source` is the machine that declared it, empty for a
    person. `pages` are (person, instant), each first send once. `acknowledged_in_time` and `resolved_in_time` compare
    with the policy's targets as they stood then; None where there is nothing to compare. `told`: the first word to
    anybody outside the company. `promised` counts communications with a deadline, `late` those that missed it.
    `responses` are people's work in it. `repeats` is an earlier incident of the same service and `cause_category`.
    `holes`: entries of its timeline are missing, so that no time of it can be trusted. `began`, `detected` and `ended`
    are of the impact, as people or alerts stated them.
    """

    id: str
    severity: str
    first_severity: str
    declared: float
    status: str
    service: str = ""
    team: str = ""
    source: str = ""
    private: bool = False
    drill: bool = False
    duplicate: bool = False
    first_page: float | None = None
    acknowledged: float | None = None
    root_cause: float | None = None
    fix: float | None = None
    resolved: float | None = None
    told: float | None = None
    acknowledged_in_time: bool | None = None
    resolved_in_time: bool | None = None
    reopened: int = 0
    pages: tuple[tuple[str, float], ...] = ()
    promised: int = 0
    late: int = 0
    review_by: float | None = None
    reviewed: float | None = None
    responses: tuple[Response, ...] = ()
    cause_category: str = ""
    repeats: str = ""
    holes: bool = False
    began: float | None = None
    detected: float | None = None
    ended: float | None = None

    @property
    def open(self) -> bool:
        """True until it is resolved or cancelled."""
        return not Status(self.status).closed

    @property
    def cancelled(self) -> bool:
        """True if it was a false alarm, or a duplicate."""
        return self.status == Status.CANCELLED


# Never changed: records.compact says why.
_TYPICAL = (
    b'"source":"","private":true,"drill":true,"duplicate":true,"reopened":1,"cause_category":"Infrastructure problems",'
    b'"Application bugs","Configuration errors","External service failures","Database issues","repeats":"INC-20",'
    b'"holes":true,{"id":"INC-20261129-001","severity":"P2","first_severity":"P1","declared":1795,"status":"cancelled",'
    b'"P0","declared":1764535800.5,"status":"resolved","service":"","team":"","first_page":17645,"acknowledged":17645,'
    b'"root_cause":17645,"fix":17645,"resolved":17645,"told":17645,"acknowledged_in_time":false,"resolved_in_time":'
    b'false,"acknowledged_in_time":true,"resolved_in_time":true,"pages":[["U0",1764535800.0],["U0",17645]],"promised":6,'
    b'"late":2,"review_by":17645,"reviewed":17645,"responses":[["U0",1764535800.0,17645]],"began":17645,"detected":'
    b'17645,"ended":17645}'
)


def encode(observation: Observation) -> bytes:
    """Encode as packed JSON, without what is as it would be anyway: there is one for every incident there ever was."""
    return pack(_as_json(observation), _TYPICAL)


def text_of(raw: str | bytes) -> str:
    """Return the JSON of an encoded one. ValueError for a broken one."""
    return unpack(raw, _TYPICAL)


def _as_json(observation: Observation) -> str:
    usual = _DEFAULTS | {"first_severity": observation.severity}
    said = {name: value for name, value in asdict(observation).items() if value != usual.get(name)}
    return json.dumps(said, separators=(",", ":"))


def decode(text: str | bytes) -> Observation:
    """Decode; fields that a newer Tocsin added are left out."""
    stored = json.loads(text_of(text))
    known = {"first_severity": stored["severity"]} | {name: stored[name] for name in _FIELDS if name in stored}
    pages = tuple((person, at) for person, at in stored.get("pages", ()))
    return Observation(
        **(known | {"pages": pages, "responses": tuple(Response(*r) for r in stored.get("responses", ()))})
    )


_FIELDS = tuple(field.name for field in fields(Observation))
_DEFAULTS = {field.name: field.default for field in fields(Observation)}


def observe(incident: Incident) -> Observation:
    """Observe an incident as it stands. Every instant is that of a timeline entry."""
    resolved = _last(incident, EntryKind.RESOLVED) if incident.status is Status.RESOLVED else None
    fix, cancelled = _last(incident, EntryKind.FIX_APPLIED), _last(incident, EntryKind.CANCELLED)
    acknowledged = _first(incident, EntryKind.ACKNOWLEDGED)
    late = set(_told_late(incident))
    promised = [str(o.n) for o in incident.communications if _was_promised(incident, o, late)]
    return Observation(
        id=incident.id,
        severity=incident.severity,
        first_severity=incident.as_of(incident.timeline[0]).severity if incident.timeline else incident.severity,
        declared=incident.declared_at.timestamp(),
        status=incident.status,
        service=incident.facts.service,
        team=incident.team,
        source=machine_title(incident.reporter),
        private=incident.private,
        drill=incident.drill,
        duplicate=incident.status is Status.CANCELLED and bool(cancelled and cancelled.fields.get("duplicate_of")),
        first_page=_at(_first(incident, EntryKind.PAGED)),
        acknowledged=_at(acknowledged),
        root_cause=_at(_first(incident, EntryKind.ROOT_CAUSE)),
        fix=_at(fix) if resolved and fix and fix.at <= resolved.at else None,
        resolved=_at(resolved),
        told=_at(_first_word_outside(incident)),
        acknowledged_in_time=_acknowledged_in_time(incident, acknowledged),
        resolved_in_time=resolved.at <= incident.resolve_by if resolved else None,
        reopened=sum(1 for _ in _entries(incident, EntryKind.REOPENED)),
        pages=tuple((page.person, page.at.timestamp()) for page in incident.pages),
        promised=len(promised),
        late=len(late.intersection(promised)),
        review_by=incident.review_by.timestamp() if incident.review_by else None,
        reviewed=incident.reviewed.at.timestamp() if incident.reviewed else None,
        responses=responses(incident),
        cause_category=incident.cause_category,
        repeats=incident.repeats,
        holes=any(holes((entry.n for entry in incident.timeline), incident.chain.length)),
        **{name: at.timestamp() for name, at in impact_times(incident).items()},
    )


def _was_promised(incident: Incident, owed: OwedCommunication, late: Collection[str]) -> bool:
    """True for one that had to be out by some time, whether a person saw to it or it went by itself.

    One that a later one replaced was promised if its own time had passed by then.
    """
    if owed.state is OwedState.DECLINED or (owed.state is OwedState.REPLACED and str(owed.n) not in late):
        return False
    told = next((e for e in incident.timeline if e.n == owed.entry), None)
    return bool(owed.due or (told and told.fields.get("deadline")))


def _told_late(incident: Incident) -> Iterator[str]:
    """Yield the numbers of communications that nobody had answered by their deadline, or that went after it."""
    yield from (e.fields["n"] for e in _entries(incident, EntryKind.OVERDUE))
    for sent in _entries(incident, EntryKind.SENT):
        deadline = sent.fields.get("deadline")
        if deadline and sent.at > datetime.fromisoformat(deadline):
            yield sent.fields["n"]


def _acknowledged_in_time(incident: Incident, acknowledged: Entry | None) -> bool | None:
    """Compare with the target that held then; None if it was closed before that, without an acknowledgement."""
    if acknowledged:
        return acknowledged.at <= incident.as_of(acknowledged).acknowledge_by
    closed_at = incident.closed_at
    return False if closed_at and closed_at > incident.acknowledge_by else None


def _first_word_outside(incident: Incident) -> Entry | None:
    """Find the entry by which customers or the public first heard of it: sent by us, or published by somebody."""
    outside = {str(o.n): len(o.through) for o in incident.communications if o.plan.audience.outside}
    said = (e for e in incident.timeline if e.fields.get("n") in outside)
    return next((e for e in said if _is_published(e, outside[e.fields["n"]])), None)


def _is_published(entry: Entry, means: int) -> bool:
    """True if an entry says that a communication went out by at least one of its means."""
    fields = entry.fields
    by_itself = means > len(list(filter(None, fields.get("through", "").split(", "))))
    match entry.kind:
        case EntryKind.SENT:
            return True
        case EntryKind.COMMUNICATION:
            return by_itself and fields.get("state") != OwedState.WAITING
        case EntryKind.COMMUNICATED:
            return fields["answer"] == Answer.PUBLISHED or (by_itself and fields["answer"] == Answer.APPROVED)
        case _:
            return False


def _entries(incident: Incident, kind: EntryKind) -> Iterator[Entry]:
    return (entry for entry in incident.timeline if entry.kind is kind)


def _first(incident: Incident, kind: EntryKind) -> Entry | None:
    return next(_entries(incident, kind), None)


def _last(incident: Incident, kind: EntryKind) -> Entry | None:
    return next((entry for entry in reversed(incident.timeline) if entry.kind is kind), None)


def _at(entry: Entry | None) -> float | None:
    return entry.at.timestamp() if entry else None
