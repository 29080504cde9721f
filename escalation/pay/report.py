"""Pay report of a period: minutes by person and rotation, and what the rates make of them. Pure.

Each minute on call is paid once: at the highest of the rates that hold for it, and of somebody in two rotations at once
in the first of them. A week's stipend is seven local days', whatever the clock does: a day of 25 hours pays as much as
any other. Amounts are exact fractions until the end; each cell is rounded half up, and sums are sums of cells.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from escalation.config.company import Company
from escalation.config.pay.rates import Rates
from escalation.figures.load import COUNTS, Evidence, Load, loads, work_by_person
from escalation.figures.observation import Observation
from escalation.oncall.minutes import Piece, Stretch, instant_of, minute_of, pieces, without, working_hours
from escalation.values import Frozen

HOUR = 60  # minutes
WEEK = 7  # days
ZERO = Decimal(0)
KINDS = ("working", "ordinary", "night", "weekend", "holiday")  # of paid minutes
_MINUTE = timedelta(minutes=1)


class PayRow(Frozen):
    """A person's time on call in a rotation (empty: in none), minutes and money.

    `working`, `ordinary`, `night`, `weekend` and `holiday` minutes are those paid at that rate: each once. `nights`,
    `weekends` and `holidays` overlap. `overtime_minutes` are work in incidents outside working hours, of each call-out
    the minimum at least. `time_off` is in minutes.
    """

    person: str
    rotation: str
    minutes: int = 0
    nights: int = 0
    weekends: int = 0
    holidays: int = 0
    pages: int = 0
    night_pages: int = 0
    response: int = 0
    working: int = 0
    ordinary: int = 0
    night: int = 0
    weekend: int = 0
    holiday: int = 0
    overtime_minutes: int = 0
    time_off: int = 0
    stipend: Decimal = ZERO
    on_call: Decimal = ZERO
    overtime: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """All of its money."""
        return self.stipend + self.on_call + self.overtime


class PayReport(Frozen):
    """Pay report of a period. Without a `currency` there are no rates, and no money.

    Cover before `recorded_since` is by the schedule as it stands (None: all of it). `uncovered` are the minutes of each
    rotation in which nobody was on call; `still_open` the incidents whose work is not over. No cover is known before
    `removed_until`.
    """

    start: datetime
    end: datetime
    currency: str = ""
    rows: tuple[PayRow, ...] = ()
    uncovered: dict[str, int] = {}
    still_open: tuple[str, ...] = ()
    recorded_since: datetime | None = None
    removed_until: datetime | None = None

    @property
    def whole(self) -> bool:
        """True if nothing of its period was removed."""
        return self.removed_until is None or self.removed_until <= self.start

    def row(self, person: str, rotation: str) -> PayRow:
        """Return the row of a person and rotation; one of nothing if there is none."""
        found = (row for row in self.rows if (row.person, row.rotation) == (person, rotation))
        return next(found, PayRow(person=person, rotation=rotation))


@dataclass
class _Sums:
    """Sums of one row while it is being made."""

    paid: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    stipend: Fraction = Fraction()
    on_call: Fraction = Fraction()
    overtime: Fraction = Fraction()
    overtime_minutes: int = 0
    time_off: int = 0


def pay_report(company: Company, evidence: Evidence) -> PayReport:
    """Build the pay report of the evidence's period."""
    sums: dict[tuple[str, str], _Sums] = {}
    for person in dict.fromkeys(_people(evidence)):
        _add_on_call(sums, person, company, evidence)
    for person, worked in work_by_person(evidence).items():
        for rotation, stretch in worked:
            _add_overtime(sums.setdefault((person, rotation), _Sums()), person, stretch, company)
    _add_time_off(sums, company, evidence)
    known = {(load.person, load.rotation): load for load in loads(company, evidence)}
    decimals = company.pay.decimals if company.pay else 0
    rows = (_row(known.get(key) or Load(*key), sums.get(key, _Sums()), decimals) for key in {**known, **sums})
    order = [*company.rotations, *dict.fromkeys(c.rotation for c in evidence.covers), ""]
    return PayReport(
        start=evidence.start,
        end=evidence.end,
        currency=company.pay.currency if company.pay else "",
        rows=tuple(sorted(rows, key=lambda row: (row.person, order.index(row.rotation)))),
        uncovered=_uncovered(evidence),
        still_open=tuple(dict.fromkeys(seen.id for _, seen, s in evidence.work() if seen.open and evidence.begins(s))),
        recorded_since=evidence.recorded_since,
        removed_until=evidence.removed_until,
    )


def _people(evidence: Evidence) -> Iterator[str]:
    return (person for person, _, _ in evidence.turns())


def _uncovered(evidence: Evidence) -> dict[str, int]:
    gaps: dict[str, int] = {}
    for cover in evidence.covers:
        if not cover.people:
            minutes = minute_of(cover.ends) - minute_of(cover.starts)
            gaps[cover.rotation] = gaps.get(cover.rotation, 0) + minutes
    return {rotation: minutes for rotation, minutes in gaps.items() if minutes}


def _rates(company: Company, person: str) -> Rates:
    entry = company.people.get(person)
    return company.pay.of(person, (entry.office or "") if entry else "") if company.pay else Rates()


def _add_on_call(sums: dict[tuple[str, str], _Sums], person: str, company: Company, evidence: Evidence) -> None:
    """Pay a person's minutes on call, each once, in the first rotation in which they had them."""
    rates, place, taken = _rates(company, person), company.place_of(person), list[Stretch]()
    for who, rotation, turn in evidence.turns():
        if who != person:
            continue
        row = sums.setdefault((person, rotation), _Sums())
        for stretch in without(turn, taken):
            for piece in pieces(stretch, place):
                kind, per_hour = _best(piece, rates)
                row.paid[kind] += piece.length
                row.on_call += per_hour * piece.length / HOUR
                row.stipend += Fraction(rates.weekly_stipend or 0) / WEEK * piece.length / piece.of_day
        taken.append(turn)


def _best(piece: Piece, rates: Rates) -> tuple[str, Fraction]:
    """Return the kind of a piece that pays most, and what an hour of it pays; of equal ones the rarer."""
    held = {"holiday": piece.holiday, "weekend": piece.weekend, "night": piece.night}
    held |= {"working": piece.working, "ordinary": not piece.working}
    amounts = {"holiday": rates.holiday, "weekend": rates.weekend, "night": rates.night, "ordinary": rates.hour}
    amounts["working"] = rates.hour if rates.working_hours is None else rates.working_hours
    kind = max((k for k in held if held[k]), key=lambda k: amounts[k] or ZERO)
    return kind, Fraction(amounts[kind] or 0)


def _add_overtime(row: _Sums, person: str, stretch: Stretch, company: Company) -> None:
    """Pay a stretch of work outside working hours: a call-out, for its minimum at least."""
    rates = _rates(company, person)
    outside = sum(s.length for s in without(stretch, _working_hours(stretch, company, person)))
    if outside:
        least = (rates.callout_minimum or timedelta()) // _MINUTE
        row.overtime_minutes += max(outside, least)
        row.overtime += Fraction(rates.overtime or 0) * max(outside, least) / HOUR


def _working_hours(stretch: Stretch, company: Company, person: str) -> Iterator[Stretch]:
    place = company.place_of(person)
    day, last = (instant_of(minute).date() for minute in stretch)
    day -= timedelta(days=1)
    while day <= last + timedelta(days=1):
        yield working_hours(day, place)
        day += timedelta(days=1)


def _add_time_off(sums: dict[tuple[str, str], _Sums], company: Company, evidence: Evidence) -> None:
    """Grant time off for work in a major incident: once for each person and incident, where that work began."""
    first: dict[tuple[str, str], tuple[Stretch, Observation]] = {}
    for person, seen, stretch in sorted(evidence.work(), key=lambda work: work[2]):
        first.setdefault((person, seen.id), (stretch, seen))
    for (person, _), (stretch, seen) in first.items():
        by_severity = {str(severity): length for severity, length in (_rates(company, person).time_off or {}).items()}
        length = by_severity.get(seen.severity)
        if length and not seen.cancelled and evidence.begins(stretch):
            row = sums.setdefault((person, evidence.rotation_at(person, stretch.starts)), _Sums())
            row.time_off += length // _MINUTE


def _row(load: Load, sums: _Sums, decimals: int) -> PayRow:
    return PayRow(
        person=load.person,
        rotation=load.rotation,
        **{name: getattr(load, name) for name in COUNTS},
        **sums.paid,
        overtime_minutes=sums.overtime_minutes,
        time_off=sums.time_off,
        stipend=rounded(sums.stipend, decimals),
        on_call=rounded(sums.on_call, decimals),
        overtime=rounded(sums.overtime, decimals),
    )


def rounded(amount: Fraction, decimals: int) -> Decimal:
    """Round an exact amount half up, to so many decimals."""
    unit = Decimal(1).scaleb(-decimals)
    scaled = amount * 10**decimals
    whole, rest = divmod(scaled.numerator, scaled.denominator)
    up = 2 * rest >= scaled.denominator
    return (Decimal(whole + up) * unit).quantize(unit, ROUND_HALF_UP)


class Change(Frozen):
    """What differs in a row since the report was marked final: the field, and before and after."""

    person: str
    rotation: str
    field: str
    before: str
    after: str


def changes(final: PayReport, now: PayReport) -> tuple[Change, ...]:
    """Return what the evidence and rates of now would make of a final report."""
    keys = dict.fromkeys((row.person, row.rotation) for row in (*final.rows, *now.rows))
    return tuple(change for key in keys for change in _changed(final.row(*key), now.row(*key)))


def _changed(before: PayRow, after: PayRow) -> Iterable[Change]:
    for name in PayRow.model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield Change(person=before.person, rotation=before.rotation, field=name, before=str(old), after=str(new))
