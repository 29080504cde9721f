"""CloudWatch alarms by way of Amazon SNS, and events of EventBridge in the same body.

With ALERTS_SNS_TOPICS its signature lets it in, and subscriptions of those topics are confirmed; else the token does.
"""

from bot.alerts.cloud import sns_signature
from bot.alerts.cloud.sns_signature import CONFIRMATIONS
from bot.alerts.document import Document, Unreadable, parse_json
from bot.alerts.source import CONFIRMED, Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed

NAME = "sns"
STATES = {"ALARM": AlertState.FIRING, "OK": AlertState.RESOLVED}


def parse(received: Received) -> Parsed:
    """Read a body, whose content type says text/plain. Raises Unreadable."""
    envelope = received.json()
    if (kind := envelope.text("Type")) in CONFIRMATIONS:
        return Parsed(note=confirmation(envelope, received.headers.get(CONFIRMED, "")))
    if kind != "Notification":
        raise Unreadable("Type is no message of SNS")
    try:
        message = parse_json(envelope.text("Message").encode("utf-8", "replace"))
    except Unreadable:
        raise Unreadable("Message is no alarm of CloudWatch: it is plain text") from None
    return _event(message, envelope) if message["detail"] else _alarm(message, envelope)


def confirmation(envelope: Document, confirmed: str) -> str:
    """What there is to say of a subscription that begins or has ended."""
    topic, url = envelope.text("TopicArn").rpartition(":")[2], sns_signature.subscribe_url(envelope)
    if envelope.text("Type") != CONFIRMATIONS[0]:
        return f"the subscription of {topic} has ended: its alarms no longer come here; subscribe again to get them"
    if confirmed == "yes":
        return f"the subscription of {topic} is confirmed"
    if confirmed:
        return f"Amazon refused to confirm the subscription of {topic}; request the confirmation again in its console"
    if not url:
        return f"the subscription of {topic} is not confirmed, and the address that it gives is not Amazon's"
    how = f"set ALERTS_SNS_TOPICS and request it again, or open {url}"
    return f"the subscription of {topic} waits to be confirmed: {how}"


def _alarm(message: Document, envelope: Document) -> Parsed:
    state = message.text("NewStateValue")
    if state == "INSUFFICIENT_DATA":
        return Parsed(note="the alarm has too little data")
    if state not in STATES:
        raise Unreadable("NewStateValue is none of ALARM, OK and INSUFFICIENT_DATA")
    name, region = message.text("AlarmName"), message.text("Region")
    dimensions = {d.text("name"): d.text("value") for d in message["Trigger"].items("Dimensions")}
    found = alert(
        NAME,
        STATES[state],
        message.text("AlarmArn") or f"{message.text('AWSAccountId')} {region} {name}",
        name or "CloudWatch alarm",
        description=" ".join(filter(None, (message.text("AlarmDescription"), message.text("NewStateReason")))),
        labels=dimensions | {"region": region, "topic": envelope.text("TopicArn").rpartition(":")[2]},
        started=message.text("StateChangeTime"),
    )
    return Parsed(alerts=(found,))


def _event(message: Document, envelope: Document) -> Parsed:
    """EventBridge's: an alarm of many series has one state for each contributor."""
    detail = message["detail"]
    state = detail["state"].text("value") or detail["alarmContributor"]["state"].text("value")
    if state == "INSUFFICIENT_DATA":
        return Parsed(note="the alarm has too little data")
    if state not in STATES:
        raise Unreadable("detail.state.value is none of ALARM, OK and INSUFFICIENT_DATA")
    arn = next((entry.text() for entry in message.items("resources")), "")
    contributor = detail["alarmContributor"].text("id")
    tags = detail.flat("alarmTags")
    found = alert(
        NAME,
        STATES[state],
        f"{arn or detail.text('alarmName')} {contributor}".strip(),
        detail.text("alarmName") or "CloudWatch alarm",
        severity=tags.get("severity", ""),
        description=detail["state"].text("reason"),
        service=tags.get("service", ""),
        labels=tags | {"region": message.text("region"), "topic": envelope.text("TopicArn").rpartition(":")[2]},
        started=message.text("time"),
    )
    return Parsed(alerts=(found,))


SOURCE = Source(
    NAME,
    "CloudWatch",
    parse,
    "ALERTS_SNS_TOPICS",
    sns_signature.is_signed,
    repeat_key=sns_signature.identity,
    certificate_url=sns_signature.certificate_url,
    confirmation_url=sns_signature.confirmation_url,
)
