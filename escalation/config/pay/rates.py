"""Rates of on-call pay: those of a person win over those of their office, and those over the company's."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema

from escalation.config.policy import Severity
from escalation.times import Duration
from escalation.values import Frozen, PersonKey

MOST = Decimal(1_000_000)


def parse_amount(value: Any) -> Decimal:
    """Parse an amount of money: exact, so a number of YAML is taken as it is written. ValueError for anything else."""
    try:
        amount = Decimal(str(value).strip()) if not isinstance(value, bool) else Decimal("nan")
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or not 0 <= amount <= MOST:
        raise ValueError(f"'{value}' is not an amount of money; write one like 250 or 12.50, without the currency")
    return amount


Amount = Annotated[
    Decimal,
    BeforeValidator(parse_amount),
    PlainSerializer(lambda amount: f"{amount:f}", return_type=str),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}], "examples": [250, 12.5]}),
]


class Rates(Frozen):
    """Rates of on-call pay; None: what the next wider ones say, and nothing if they say nothing."""

    weekly_stipend: Amount | None = None
    hour: Amount | None = None
    working_hours: Amount | None = None
    night: Amount | None = None
    weekend: Amount | None = None
    holiday: Amount | None = None
    overtime: Amount | None = None
    callout_minimum: Duration | None = None
    time_off: dict[Severity, Duration] | None = None

    def over(self, wider: "Rates") -> "Rates":
        """Return these rates, with what they leave open from wider ones."""
        return Rates(**{name: _first(getattr(self, name), getattr(wider, name)) for name in Rates.model_fields})


def _first(one: Any, other: Any) -> Any:
    return other if one is None else one


class Pay(Rates):
    """What on call pays, in one currency; amounts are rounded to so many `decimals`."""

    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    decimals: int = Field(default=2, ge=0, le=4)
    offices: dict[str, Rates] = {}
    people: dict[PersonKey, Rates] = {}

    def of(self, person: str, office: str = "") -> Rates:
        """Return the rates that hold for a person of an office."""
        company = Rates(**{name: getattr(self, name) for name in Rates.model_fields})
        return self.people.get(person, Rates()).over(self.offices.get(office, Rates())).over(company)
