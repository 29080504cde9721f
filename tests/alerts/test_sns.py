"""Amazon SNS: what its signature lets in, what it does not, and subscriptions that confirm themselves."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts.authentication import AlertSecrets
from bot.alerts.cloud import sns_signature
from bot.alerts.cloud.amazon import Amazon
from bot.alerts.document import Document
from bot.alerts.source import Received
from escalation.storage.intake import Intake
from tests.support.bot import BotAtWork, patient_workspace, running_bot
from tests.support.profiles import examples
from tests.support.vendors.amazon import CERTIFICATE, HOST, SUBSCRIBE, TOPIC, AmazonSns, certificate, running_sns
from tests.support.worker import Works, bots_intake, redis_of, works
from workers.queue.outbox import post_alerts

ONE_SNS = AmazonSns()
OTHER = TOPIC.replace("alarms", "stranger")
TOKEN = "a-long-token"
REFUSED_BY_AMAZON = (
    "Amazon refused to confirm the subscription of alarms; request the confirmation again in its console"
)


@dataclass
class Site:
    """A bot that takes alerts, and Amazon."""

    parts: Works
    bot: BotAtWork
    sns: AmazonSns

    def post(self, message: dict[str, Any], query: str = "", **headers: str) -> int:
        """Post as Amazon does, as plain text; gives the status."""
        headers = {"content-type": "text/plain; charset=UTF-8", **headers}
        return int(self.bot.web.post(f"/alerts/sns{query}", content=json.dumps(message), headers=headers).status_code)

    def results(self) -> list[str]:
        """What became of everything that was kept."""
        self.parts.run()
        log = Intake(self.parts.redis, post_alerts).log(self.parts.clock.now.replace(year=2000))
        return [outcome.result for outcome in reversed(log)]


@contextmanager
def opened(tmp_path: Path, *topics: str, token: str = TOKEN) -> Iterator[Site]:
    with patient_workspace() as workspace, redis_of("fakeredis") as redis, running_sns() as sns:
        parts = works(redis, workspace)
        secrets = AlertSecrets((token,) if token else (), {"ALERTS_SNS_TOPICS": topics})
        changes: dict[str, Any] = {
            "intake": bots_intake(redis),
            "alert_secrets": secrets,
            "spool": tmp_path / "spool",
        }
        with running_bot(workspace, parts.service, amazon=Amazon(sns.transport), **changes) as bot:
            yield Site(parts, bot, sns)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path, TOPIC) as made:
        yield made


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_signed_message_of_a_listed_topic_is_let_in(site: Site, version: str) -> None:
    """By SHA-1 and by SHA-256, with and without a subject; its certificate is fetched once."""
    assert site.post(site.sns.message(version=version)) == 202
    assert site.post(site.sns.message(version=version, Subject=None, MessageId="another")) == 202
    assert site.sns.asked == [CERTIFICATE]
    assert site.results()[0] == "declared"


def ago(**length: float) -> str:
    return (datetime.now(UTC) - timedelta(**length)).isoformat()


REFUSED: dict[str, dict[str, Any]] = {
    "another topic": {"TopicArn": OTHER},
    "no topic": {"TopicArn": None},
    "too old": {"Timestamp": ago(minutes=70)},
    "from the future": {"Timestamp": ago(minutes=-10)},
    "no time": {"Timestamp": None},
    "no certificate": {"SigningCertURL": None},
    "no version": {"SignatureVersion": "3"},
    **{
        f"a certificate at {url}": {"SigningCertURL": url}
        for url in (
            CERTIFICATE.replace("https", "http"),
            CERTIFICATE.replace("amazonaws.com", "amazonaws.com.evil.example"),
            CERTIFICATE.replace("sns.eu-west-1", "sns.eu-west-1.evil"),
            CERTIFICATE.replace("sns.", "s3."),
            CERTIFICATE.replace("eu-west-1", "us-east-1"),
            CERTIFICATE.replace("https://", "https://evil@"),
            CERTIFICATE.replace(".com/", ".com:8443/"),
            CERTIFICATE.replace("/Simple", "/x/Simple"),
            f"{CERTIFICATE}?x",
            "https://127.0.0.1/SimpleNotificationService-0.pem",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
        )
    },
}


@pytest.mark.parametrize("why", REFUSED)
def test_anything_else_is_refused_before_anything_is_fetched(site: Site, why: str) -> None:
    """Signed though it is; the token in the address does not help, and no stranger's address is called."""
    message = site.sns.message()
    message |= REFUSED[why]
    resigned = site.sns.message(**REFUSED[why])
    for body in (message, resigned):
        assert site.post({k: v for k, v in body.items() if v is not None}, f"?token={TOKEN}") == 401
    assert set(site.sns.asked) <= {CERTIFICATE}
    assert site.results() == []


@pytest.mark.parametrize("field", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type", "Signature"])
def test_every_signed_field_counts(site: Site, field: str) -> None:
    """A message that was changed on the way is refused."""
    message = site.sns.message()
    changed = {"Timestamp": ago(minutes=1), "TopicArn": OTHER, "Type": "UnsubscribeConfirmation"}
    assert site.post(message | {field: changed.get(field, message[field] + "x")}) == 401


def test_the_certificate_has_to_be_the_one_that_signed(site: Site) -> None:
    """Another key's, an expired one, no certificate, one without an end, one elsewhere."""
    elsewhere = f"{HOST}/SimpleNotificationService-1.pem"
    other = generate_private_key(public_exponent=65537, key_size=2048)
    served = {
        "1": (certificate(other), 200, {}),
        "2": (certificate(site.sns.key, days=-1), 200, {}),
        "3": (b"<html>", 200, {}),
        "4": (b"-----BEGIN CERTIFICATE-----\n" + b"A" * 100_000, 200, {}),
        "5": (b"", 302, {"location": CERTIFICATE}),
        "6": (b"", 403, {}),
    }
    for name, (body, status, headers) in served.items():
        url = elsewhere.replace("-1.pem", f"-{name}.pem").replace("eu-west-0", "eu-west-1")
        site.sns.serve(url, body, status, **headers)
        assert site.post(site.sns.message(SigningCertURL=url)) == 401, name
    assert CERTIFICATE not in site.sns.asked


def test_while_the_certificate_is_out_of_reach_amazon_sends_again(site: Site) -> None:
    """Answered 503, which it repeats; let in once the certificate is there."""
    site.sns.serve(CERTIFICATE, b"", 500)
    assert site.post(site.sns.message()) == 503
    site.sns.serve(CERTIFICATE, certificate(site.sns.key))
    assert site.post(site.sns.message()) == 202


def test_a_replay_is_a_repeat(site: Site) -> None:
    """The same message counts once, with other trimmings too."""
    message = site.sns.message()
    for body in (message, message, message | {"UnsubscribeURL": "x"}, dict(reversed(message.items()))):
        assert site.post(body) == 202
    assert len(site.results()) == 1


def test_a_subscription_of_a_listed_topic_confirms_itself(site: Site) -> None:
    """Once its signature is right; what became of it is listed."""
    assert site.post(site.sns.message("SubscriptionConfirmation"), **{"x-tocsin-confirmed": "no"}) == 202
    assert site.sns.asked == [CERTIFICATE, SUBSCRIBE]
    assert site.results() == ["note: the subscription of alarms is confirmed"]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/?Action=ConfirmSubscription&Token=a",
        SUBSCRIBE.replace("eu-west-1.amazonaws", "us-east-1.amazonaws"),
        SUBSCRIBE.replace("ConfirmSubscription", "Publish"),
        SUBSCRIBE.replace("https", "http"),
    ],
)
def test_no_other_address_is_called(site: Site, url: str) -> None:
    """Not even one that was signed."""
    assert site.post(site.sns.message("SubscriptionConfirmation", SubscribeURL=url)) == 202
    assert site.sns.asked == [CERTIFICATE]
    assert "not Amazon's" in site.results()[0]


def test_a_stranger_cannot_subscribe_us(site: Site) -> None:
    """Without a signature, or of a topic that is not listed, nothing is called."""
    assert site.post(site.sns.message("SubscriptionConfirmation", TopicArn=OTHER)) == 401
    assert site.post(site.sns.message("SubscriptionConfirmation") | {"Signature": "AAAA"}) == 401
    assert SUBSCRIBE not in site.sns.asked


@pytest.mark.parametrize(("status", "answer"), [(500, 503), (403, 202), (302, 202)])
def test_a_confirmation_that_fails_is_said(site: Site, status: int, answer: int) -> None:
    """Amazon sends again what it could not take; what it refuses is listed."""
    site.sns.serve(SUBSCRIBE, b"", status, location="https://evil.example/")
    assert site.post(site.sns.message("SubscriptionConfirmation")) == answer
    assert ["refused to confirm" in result for result in site.results()] == ([True] if answer == 202 else [])


ELSEWHERE = ("https://evil.example/", "http://169.254.169.254/latest/meta-data", f"{HOST}/elsewhere.pem")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ELSEWHERE)
def test_no_redirect_is_followed(site: Site, to: str, status: int) -> None:
    """Neither of a certificate nor of a confirmation, wherever it leads: both count as refused by Amazon."""
    site.sns.serve(to, certificate(site.sns.key))
    site.sns.serve(SUBSCRIBE, b"", status, location=to)
    assert site.post(site.sns.message("SubscriptionConfirmation")) == 202
    moved = CERTIFICATE.replace(".pem", "0.pem")
    site.sns.serve(moved, b"", status, location=to)
    assert site.post(site.sns.message(MessageId="another", SigningCertURL=moved)) == 401
    assert site.sns.asked == [CERTIFICATE, SUBSCRIBE, moved]
    assert site.results() == ["note: " + REFUSED_BY_AMAZON]


@pytest.mark.parametrize("to", [SUBSCRIBE, CERTIFICATE])
def test_a_stranger_who_redirects_to_amazon_is_not_called(site: Site, to: str) -> None:
    """Another host's address is refused before it is called, so where it would lead does not matter."""
    strange = "https://evil.example/?Action=ConfirmSubscription&Token=abc123"
    site.sns.serve(strange, b"", 302, location=to)
    assert site.post(site.sns.message("SubscriptionConfirmation", SubscribeURL=strange)) == 202
    assert site.post(site.sns.message(MessageId="another", SigningCertURL=strange)) == 401
    assert site.sns.asked == [CERTIFICATE]
    assert "not Amazon's" in site.results()[0]


def test_the_end_of_a_subscription_is_said(site: Site) -> None:
    """Its alarms no longer come, and nothing subscribes again by itself."""
    assert site.post(site.sns.message("UnsubscribeConfirmation")) == 202
    assert SUBSCRIBE not in site.sns.asked
    assert "has ended" in site.results()[0]


def test_without_topics_the_token_decides(tmp_path: Path) -> None:
    """Nothing is fetched, and the list says what to open."""
    with opened(tmp_path) as site:
        assert site.post(site.sns.message("SubscriptionConfirmation")) == 401
        url = f"{SUBSCRIBE}{'0' * 400}"  # as long as Amazon's
        message = site.sns.message("SubscriptionConfirmation", SubscribeURL=url)
        assert site.post(message, f"?token={TOKEN}", **{"x-tocsin-confirmed": "yes"}) == 202
        assert site.results() == [
            "note: the subscription of alarms waits to be confirmed: "
            f"set ALERTS_SNS_TOPICS and request it again, or open {url}"
        ]
        assert site.sns.asked == []


def test_with_neither_topics_nor_token_the_source_is_closed(tmp_path: Path) -> None:
    """Its address is unknown; with topics alone it is open."""
    with opened(tmp_path, token="") as site:
        assert site.post(site.sns.message()) == 404
    with opened(tmp_path, TOPIC, token="") as site:
        assert site.post(site.sns.message()) == 202


ODD = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.lists(st.text()), st.dictionaries(st.text(), st.text())),
    *(
        st.text(),
        st.just("\ud800"),
        st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "A" * 5000]),
    ),
)
FIELDS = ("Type", "TopicArn", "Timestamp", "SignatureVersion", "Signature", "SigningCertURL", "Message", "SubscribeURL")


@given(field=st.sampled_from(FIELDS), value=ODD)
@settings(max_examples=examples(60), deadline=None)
def test_a_field_of_any_shape_is_a_wrong_signature(field: str, value: Any) -> None:
    """Never an error of ours, and never a stranger's address."""
    sns = ONE_SNS
    for kind in ("Notification", "SubscriptionConfirmation"):
        whole = sns.message(kind)
        if value == whole.get(field) or (field == "SubscribeURL" and kind == "Notification"):
            continue
        received = Received(json.dumps(whole | {field: value}).encode(), certificate=certificate(sns.key))
        assert sns_signature.certificate_url(received, (TOPIC,)) in ("", CERTIFICATE)
        assert sns_signature.confirmation_url(received) in ("", SUBSCRIBE)
        assert not sns_signature.is_signed(received, (TOPIC,), datetime.now(UTC)) or field == "SigningCertURL"
        sns_signature.identity(received)


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1"])
def test_regions_of_their_own(region: str) -> None:
    """China and the US government."""
    ending = ".cn" if region.startswith("cn") else ""
    topic = TOPIC.replace("eu-west-1", region).replace("arn:aws", f"arn:aws-{region.split('-')[0]}")
    url = CERTIFICATE.replace("eu-west-1", region).replace(".com/", f".com{ending}/")
    body = json.dumps({"TopicArn": topic, "SigningCertURL": url}).encode()
    assert sns_signature.certificate_url(Received(body), (topic,)) == url


def test_a_real_message_of_amazons_is_read_as_it_is_signed() -> None:
    """The text of AWS's own example: fields in their order, each on two lines, the subject only if there is one."""
    topic = "arn:aws:sns:us-east-2:123456789012:My-Topic"
    fields = {"Type": "Notification", "Message": "My Test Message", "MessageId": "4d4dc071", "TopicArn": topic}
    fields["Timestamp"] = "2019-01-31T04:37:04.321Z"
    expected = "Message\nMy Test Message\nMessageId\n4d4dc071\nTimestamp\n2019-01-31T04:37:04.321Z\nTopicArn\n"
    expected += f"{topic}\nType\nNotification\n"
    assert sns_signature.signed_text(Document(fields)) == expected
    assert "Subject\n\n" in sns_signature.signed_text(Document(fields | {"Subject": ""}))
