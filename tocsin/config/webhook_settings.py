"""Checks of the variables by which webhooks are verified: secrets and topics. All raise ValueError."""

import base64

from bot.alerts.cloud.sns_signature import TOPIC

MIN_SECRET = 8


def is_webhook_secret(word: str) -> bool:
    """Check for `whsec_` and base64, as https://www.standardwebhooks.com has it; any other signs nothing."""
    try:
        return word.startswith("whsec_") and len(base64.b64decode(word[6:], validate=True)) >= MIN_SECRET
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
