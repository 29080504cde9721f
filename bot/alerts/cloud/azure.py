"""Azure Monitor: the common alert schema, and the older classic metric alerts.

https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema
"""

from bot.alerts.document import Document, Unreadable
from bot.alerts.source import Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed

NAME = "azure"
STATES = {
    "fired": AlertState.FIRING,
    "activated": AlertState.FIRING,
    "resolved": AlertState.RESOLVED,
    "deactivated": AlertState.RESOLVED,
}


def parse(received: Received) -> Parsed:
    """Read a body of either schema. Raises Unreadable."""
    document = received.document()
    essentials = document["data"]["essentials"]
    return _common(essentials, document["data"]) if essentials else _classic(document)


def _common(essentials: Document, data: Document) -> Parsed:
    state = STATES.get(essentials.text("monitorCondition").lower())
    if state is None:
        raise Unreadable("monitorCondition is neither Fired nor Resolved")
    targets = ", ".join(target.text() for target in essentials.items("configurationItems"))
    labels = data.flat("customProperties") | {"target": targets, "signal": essentials.text("signalType")}
    found = alert(
        NAME,
        state,
        essentials.text("alertId"),
        essentials.text("alertRule") or "Azure Monitor alert",
        severity=essentials.text("severity"),
        description=essentials.text("description"),
        service=labels.get("service", ""),
        labels=labels,
        started=essentials.text("firedDateTime"),
        links=(("Alert", essentials.text("investigationLink")),),
    )
    return Parsed(alerts=(found,))


def _classic(document: Document) -> Parsed:
    state, context = STATES.get(document.text("status").lower()), document["context"]
    if state is None or not context:
        raise Unreadable("it is in neither schema of Azure Monitor")
    found = alert(
        NAME,
        state,
        context.text("id", "name"),
        context.text("name") or "Azure Monitor alert",
        severity=f"Sev{context.text('severity')}" if context.text("severity") else "",
        description=context.text("description"),
        labels=document.flat("properties") | {"resource": context.text("resourceName")},
        started=context.text("timestamp"),
        links=(("Alert", context.text("portalLink")),),
    )
    return Parsed(alerts=(found,))


SOURCE = Source(NAME, "Azure Monitor", parse)
