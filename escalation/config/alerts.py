"""Rules for alerts: what a source's words for severity mean, and which route an alert takes."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import jmespath
from jmespath.functions import Functions
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from escalation.config.policy import Severity
from escalation.times import Duration
from escalation.values import Frozen, as_list

Pattern = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(as_list)]
LabelName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
IGNORE: Literal["ignore"] = "ignore"
SeverityOrIgnore = Severity | Literal["ignore"]


class Match(Frozen):
    """Conditions of a route. All must hold; a list means one of these; * and ? match as in a shell, ignoring case."""

    source: Patterns = ()
    severity: Patterns = ()
    service: Patterns = ()
    title: Patterns = ()
    labels: dict[LabelName, Patterns] = {}


class AlertRoute(Frozen):
    """What happens to the alerts that match: see docs/alerts.md for each key."""

    match: Match = Match()
    service: str | None = None
    severity: Severity | None = None
    group_by: Annotated[tuple[LabelName, ...], BeforeValidator(as_list)] | None = None
    wait: Duration | None = None
    when_resolved: Literal["ask", "resolve"] = "ask"
    close_after: Duration | None = None
    raise_: Annotated[bool, Field(alias="raise")] = False
    hold: bool = False
    heartbeat: Duration | None = None
    ignore: bool = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> "AlertRoute":
        if self.ignore and (self.heartbeat or self.hold or self.wait):
            raise ValueError("a route with `ignore` does nothing else with its alerts; remove it or the rest")
        if self.heartbeat and (self.hold or self.wait or self.close_after):
            raise ValueError("`hold`, `wait` and `close_after` mean nothing for a `heartbeat`; remove them")
        return self


# What sources call it, in lower case, and what the severity is unless the configuration says otherwise. Alertmanager's
# convention, PagerDuty's four words, the priorities of Opsgenie and Datadog (P1 the worst) and Azure's Sev0 to Sev4.
SEVERITIES: dict[str, SeverityOrIgnore] = {
    **dict.fromkeys(("critical", "p2", "sev1", "fatal", "high"), Severity.P1),
    **dict.fromkeys(("error", "p3", "sev2", "medium"), Severity.P2),
    **dict.fromkeys(("warning", "p4", "p5", "sev3", "sev4", "low"), Severity.P3),
    **dict.fromkeys(("p1", "sev0"), Severity.P0),
    "info": IGNORE,
}
UNKNOWN = Severity.P2  # of an alert without a severity, or with a word that nobody has mapped; its card says so


def _lower(value: Any) -> Any:
    return {str(key).lower(): v for key, v in value.items()} if isinstance(value, dict) else value


def _compiles(text: str) -> str:
    try:
        unknown = sorted(set(_functions(jmespath.compile(text).parsed)) - set(Functions.FUNCTION_TABLE))
    except RecursionError:
        raise ValueError("the expression is nested too deep") from None
    except jmespath.exceptions.JMESPathError as error:
        why = " ".join(str(error).split())[:200]
        raise ValueError(f"'{text}' is no JMESPath expression: {why}; see https://jmespath.org") from None
    if unknown:
        raise ValueError(f"'{text}' calls {unknown[0]}(), and JMESPath has no such function; see https://jmespath.org")
    return text


def _functions(node: Any) -> Iterator[str]:
    """The functions that an expression calls, anywhere: JMESPath looks them up only once it comes to them."""
    if node["type"] == "function_expression":
        yield node["value"]
    for child in node["children"]:
        yield from _functions(child)


# The parser recurses for each bracket, so the length is bounded: https://jmespath.org/specification.html
Expression = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_compiles)]
Words = Annotated[tuple[Pattern, ...], BeforeValidator(as_list)]


class GenericBody(Frozen):
    """Where the fields of an alert stand in a body of no source that we know, as JMESPath: see docs/alerts.md.

    `each` finds the alerts of a body, which is one itself unless said. The defaults read what GoAlert, Grafana OnCall
    and most tools that send JSON write.
    """

    each: Expression | None = None
    title: Expression = "title || summary || name || alert_name || alertname || message"
    state: Expression = "state || status || action || event || type"
    resolved: Words = (
        *("resolved", "resolve", "ok", "close", "closed", "recovered", "recovery", "up", "normal", "inactive"),
        *("cleared", "healthy", "success"),
    )
    acknowledged: Words = ("acknowledged", "acknowledge", "ack", "silenced")
    fingerprint: Expression = "fingerprint || dedup || dedup_key || alert_uid || alert_id || incident_id || id || key"
    severity: Expression = "severity || priority || level"
    description: Expression = "details || description || body || text || message"
    service: Expression = "service || service_name"
    labels: Expression = "labels || tags"
    link: Expression = "url || link || link_to_upstream_details || html_url"


class Alerts(Frozen):
    """Rules for alerts. `routes` are tried in order: the first that matches decides."""

    severities: Annotated[dict[str, SeverityOrIgnore], BeforeValidator(_lower)] = {}
    routes: tuple[AlertRoute, ...] = ()
    generic: GenericBody = GenericBody()

    def severity_of(self, word: str) -> SeverityOrIgnore | None:
        """What a source's word means; None for one that nobody has mapped."""
        name = word.strip().lower()
        return self.severities.get(name) or SEVERITIES.get(name)
