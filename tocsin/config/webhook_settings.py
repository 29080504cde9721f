"""Checks of the variables by which webhooks are verified: secrets and topics. All raise ValueError."""

from bot.alerts.cloud.sns_signature import TOPIC
from escalation.webhooks import key_of

MIN_SECRET = 8
SIGNS_NOTHING = (
    "is no secret: it has 8 letters or more, or is `whsec_` and base64; "
    "make one: `echo whsec_$(openssl rand -base64 24)`"
)


def is_webhook_secret(word: str) -> bool:
    """Check that a secret signs: `whsec_` and base64, as https://www.standardwebhooks.com has it, or plain letters."""
    try:
        return len(key_of(word)) >= MIN_SECRET
    except ValueError:
        return False


def sns_topics(text: str | None) -> tuple[str, ...]:
    """Check the topics of Amazon SNS that alerts come by."""
    topics = tuple(topic for word in (text or "").split(",") if (topic := word.strip()))
    if wrong := next((topic for topic in topics if not TOPIC.fullmatch(topic)), None):
        raise ValueError(
            f"'{wrong}' is no topic; write arn:aws:sns:eu-west-1:123456789012:alarms, or several with commas"
        )
    return topics
