"""A slash too many or too few in an address: alerts arrive, pages are found, and nobody is sent where Host says."""

from collections.abc import Iterator

import pytest

from tests.bot.http.outside import TOKEN, Outside, outside

EVENT = (
    b'{"routing_key": "%s", "event_action": "trigger", "payload": {"summary": "Down", "source": "a"}}' % TOKEN.encode()
)
LARGE = b'{"x": "' + b"y" * 2_000_000 + b'"}'  # more than any source takes, but mail


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    with outside(tmp_path_factory.mktemp("outside")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/alerts/alertmanager/", b'{"alerts": []}'),
        ("/alerts/uptimerobot//", b"{}"),
        ("/v2/enqueue/", EVENT),
        ("/v2/alerts/", b'{"message": "Down"}'),
        ("/v2/alert_events/http/any/", b'{"alerts": []}'),
        ("/alerts/mail/", LARGE),
    ],
)
def test_an_alert_with_a_slash_too_many_is_kept(site: Outside, path: str, raw: bytes) -> None:
    """A redirect would lead some senders away with their secret, and others nowhere: most follow none with a body."""
    assert site.send("POST", path, raw).status_code in (200, 202)
    assert site.intake().depth()
    site.parts.run()


def test_what_twilio_signed_with_a_slash_too_many_is_answered(site: Outside) -> None:
    """It signs the address as somebody typed it there."""
    sms = b"MessageSid=SM1&From=%2B4915112345678&Body=What%3F"
    answer = site.send("POST", "/twilio/sms/", sms, content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, "Send the code" in answer.text) == (200, True)


@pytest.mark.parametrize("path", ["/healthz/", "/metrics/"])
def test_a_probe_with_a_slash_too_many_is_answered(site: Outside, path: str) -> None:
    """They are typed into other tools' forms."""
    assert site.send("GET", path).status_code == 200


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/incidents", "incidents/"),
        ("/reports", "reports/"),
        ("/incidents/INC-20241218-001/", "../INC-20241218-001"),
        ("/reports?period=7d", "reports/?period=7d"),
    ],
)
def test_a_page_is_led_to_by_its_name_alone(site: Outside, path: str, to: str) -> None:
    """Its own links need the right address; the host is whatever the browser has asked."""
    answer = site.bot.web.get(f"{site.bot.url}{path}", headers={"host": "elsewhere.example"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, to)


def test_nobody_is_sent_where_host_says(site: Outside) -> None:
    """Whatever the address, with a slash more or less."""
    for method, path in site.addresses:
        for other in (f"{path}/", path.rstrip("/")):
            answer = site.send(method, other, host="elsewhere.example")
            assert "elsewhere" not in answer.headers.get("location", ""), f"{method} {other}"
