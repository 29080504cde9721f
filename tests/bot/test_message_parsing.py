"""What can be read in a message of another app."""

from typing import Any

import pytest

from bot.parsing.message import first_line, headline, readable_text

RICH = {
    "type": "rich_text",
    "elements": [
        {
            "type": "rich_text_section",
            "elements": [
                {"type": "text", "text": "ask ", "style": {"bold": True}},
                {"type": "user", "user_id": "U0OMAR0001"},
                {"type": "text", "text": " & look at a < b, "},
                {"type": "link", "url": "https://a.example/x", "text": "the graph"},
            ],
        },
        {
            "type": "rich_text_list",
            "style": "ordered",
            "elements": [
                {"type": "rich_text_section", "elements": [{"type": "text", "text": "restart it"}]},
                {"type": "rich_text_section", "elements": [{"type": "emoji", "name": "fire"}]},
            ],
        },
    ],
}


@pytest.mark.parametrize(
    ("message", "read"),
    [
        ({"text": "500s &amp; worse"}, "500s & worse"),
        (
            {"text": "", "attachments": [{"title": "[FIRING] 5xx", "text": "checkout 12%"}]},
            "[FIRING] 5xx\ncheckout 12%",
        ),
        (
            {
                "text": "Alert",
                "attachments": [{"pretext": "Look", "title": "5xx", "text": "12%", "fallback": "5xx 12%"}],
            },
            "Alert\nLook\n5xx\n12%",
        ),
        (
            {"attachments": [{"fields": [{"title": "host", "value": "a"}, {"value": "b"}]}, {"fallback": "c"}]},
            "host: a\nb\nc",
        ),
        (
            {
                "blocks": [
                    {"type": "header", "text": {"type": "plain_text", "text": "Disk full"}},
                    {"type": "divider"},
                    {
                        "type": "section",
                        "text": {"type": "mrkdwn", "text": "on &lt;db1&gt;"},
                        "fields": [{"text": "95%"}],
                    },
                    {"type": "context", "elements": [{"type": "image", "alt_text": "x"}, {"text": "since 10:00"}]},
                    {"type": "actions", "elements": [{"type": "button", "text": {"text": "Silence"}}]},
                    {"type": "markdown", "text": "# Runbook"},
                ]
            },
            "Disk full\non <db1>\n95%\nsince 10:00\n# Runbook",
        ),
        (
            {"text": "", "blocks": [RICH]},
            "ask @Omar & look at a < b, the graph (https://a.example/x)\nrestart it\n:fire:",
        ),
        (
            {
                "text": "*ask* <@U0OMAR0001|omar> &amp; look at a &lt; b, <https://a.example/x|the graph>\n"
                "1. restart it\n2. :fire:",
                "blocks": [RICH],
            },
            "*ask* @omar & look at a < b, the graph (https://a.example/x)\n1. restart it\n2. :fire:",
        ),
        ({"attachments": [{"fallback": "no", "blocks": [{"type": "section", "text": {"text": "yes"}}]}]}, "yes"),
        (
            {"text": "5xx", "attachments": [{"title": "5xx", "text": "5xx on checkout"}, {"text": "5xx on login"}]},
            "5xx\n5xx on checkout\n5xx on login",
        ),
        ({"text": None, "blocks": None, "attachments": None}, ""),
    ],
)
def test_everything_readable_is_read_once(message: dict[str, Any], read: str) -> None:
    """Text, blocks and attachments in the order shown; a fallback only where there is nothing else."""
    assert readable_text(message, {"U0OMAR0001": "Omar"}) == read


@pytest.mark.parametrize(("text", "line"), [("\n  a  b \nc", "a b"), ("", ""), ("one", "one")])
def test_the_first_line_is_the_first_with_words(text: str, line: str) -> None:
    """Blanks around it do not count."""
    assert first_line(text) == line


# What monitors post, as the message shortcut hands it on: by Alertmanager's and Grafana's receivers, Sentry's message
# builder and the vendors' pages about their Slack apps.
ALERTMANAGER = {
    "subtype": "bot_message",
    "text": "",
    "attachments": [
        {
            "id": 1,
            "fallback": "[FIRING:1] HighErrorRate checkout (critical) | <http://am.example:9093/#/alerts?receiver=team>",
            "title": "[FIRING:1] HighErrorRate checkout (critical)",
            "title_link": "http://am.example:9093/#/alerts?receiver=team&copy=1",
            "mrkdwn_in": ["fallback", "pretext", "text"],
        }
    ],
}
GRAFANA = {
    "text": "",
    "attachments": [
        {
            "title": "[FIRING:1] 5xx above 5% (checkout)",
            "title_link": "https://grafana.example/alerting/grafana/abc/view",
            "text": "**Firing**\n\nValue: A=7.2\nLabels:\n - alertname = 5xx above 5%\n"
            "Silence: https://grafana.example/s?a=1&amp;b=2",
            "fallback": "[FIRING:1] 5xx above 5% (checkout)",
            "footer": "Grafana v12.1.0",
        }
    ],
}
DATADOG = {
    "text": "",
    "attachments": [
        {
            "title": "Triggered: [P1] Error rate is high on service:checkout",
            "title_link": "https://app.datadoghq.com/monitors/123?group=service%3Acheckout&event_id=9",
            "text": "More than 5% of requests fail.\n<https://runbooks.example/checkout|Runbook>",
            "fields": [{"title": "Metric value", "value": "7.2", "short": True}],
            "actions": [{"type": "button", "text": "Mute", "name": "mute"}],
        }
    ],
}
SENTRY = {
    "text": "[checkout-api] ZeroDivisionError: division by zero",
    "blocks": [
        {
            "type": "section",
            "text": {
                "type": "mrkdwn",
                "text": ":red_circle: <https://acme.sentry.io/issues/12/?referrer=slack|*ZeroDivisionError*>",
            },
        },
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "checkout.pay in charge"}]},
        {"type": "section", "text": {"type": "mrkdwn", "text": "```division by zero```"}},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "Events: *120*   State: *New*"}]},
        {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Resolve"}}]},
        {
            "type": "context",
            "elements": [
                {"type": "mrkdwn", "text": "Project: <https://acme.sentry.io/p/|checkout-api>    Short ID: CHECKOUT-1A"}
            ],
        },
    ],
}
PAGERDUTY = {
    "text": "This content can't be displayed.",
    "attachments": [
        {
            "fallback": "[no preview available]",
            "blocks": [
                {
                    "type": "section",
                    "text": {
                        "type": "mrkdwn",
                        "text": ":warning: *Triggered* "
                        "<https://acme.pagerduty.com/incidents/Q1|*#4321 Checkout &amp; login fail*>",
                    },
                },
                {
                    "type": "section",
                    "fields": [
                        {"type": "mrkdwn", "text": "*Assigned:*\nDana Ruiz"},
                        {"type": "mrkdwn", "text": "*Urgency:*\nHigh"},
                    ],
                },
                {
                    "type": "actions",
                    "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Acknowledge"}}],
                },
            ],
        }
    ],
}
NEWRELIC = {
    "text": "",
    "attachments": [
        {
            "fallback": "[no preview available]",
            "blocks": [
                {"type": "header", "text": {"type": "plain_text", "text": "🔴 Checkout p95 is above 2 s"}},
                {"type": "section", "text": {"type": "mrkdwn", "text": "*Priority:* CRITICAL"}},
                {
                    "type": "actions",
                    "elements": [
                        {
                            "type": "button",
                            "text": {"type": "plain_text", "text": "View issue"},
                            "url": "https://one.newrelic.com/issue?id=1&account=2",
                        }
                    ],
                },
            ],
        }
    ],
}
SHARED = {
    "text": "Look at this",
    "attachments": [
        {
            "is_share": True,
            "author_name": "Sentry",
            "text": "",
            "fallback": "[March 3rd] Sentry: x",
            "message_blocks": [{"channel": "C1", "ts": "1.2", "message": {"blocks": SENTRY["blocks"]}}],
        }
    ],
}


@pytest.mark.parametrize(
    ("message", "title", "read"),
    [
        (
            ALERTMANAGER,
            "HighErrorRate checkout (critical)",
            "[FIRING:1] HighErrorRate checkout (critical)\nhttp://am.example:9093/#/alerts?receiver=team&copy=1",
        ),
        (
            GRAFANA,
            "5xx above 5% (checkout)",
            "[FIRING:1] 5xx above 5% (checkout)\n**Firing**\n\nValue: A=7.2\nLabels:\n - alertname = 5xx above 5%\n"
            "Silence: https://grafana.example/s?a=1&b=2\nhttps://grafana.example/alerting/grafana/abc/view\n"
            "Grafana v12.1.0",
        ),
        (
            DATADOG,
            "Triggered: [P1] Error rate is high on service:checkout",
            "Triggered: [P1] Error rate is high on service:checkout\nMore than 5% of requests fail.\n"
            "Runbook (https://runbooks.example/checkout)\nMetric value: 7.2\n"
            "https://app.datadoghq.com/monitors/123?group=service%3Acheckout&event_id=9",
        ),
        (
            SENTRY,
            "[checkout-api] ZeroDivisionError: division by zero",
            "[checkout-api] ZeroDivisionError: division by zero\n"
            ":red_circle: *ZeroDivisionError* (https://acme.sentry.io/issues/12/?referrer=slack)\n"
            "checkout.pay in charge\nEvents: *120*   State: *New*\n"
            "Project: checkout-api (https://acme.sentry.io/p/)    Short ID: CHECKOUT-1A",
        ),
        (
            PAGERDUTY,
            "Triggered #4321 Checkout & login fail",
            ":warning: *Triggered* *#4321 Checkout & login fail* (https://acme.pagerduty.com/incidents/Q1)\n"
            "*Assigned:*\nDana Ruiz\n*Urgency:*\nHigh",
        ),
        (
            NEWRELIC,
            "🔴 Checkout p95 is above 2 s",
            "🔴 Checkout p95 is above 2 s\n*Priority:* CRITICAL\n"
            "View issue (https://one.newrelic.com/issue?id=1&account=2)",
        ),
    ],
)
def test_what_monitors_post_is_read(message: dict[str, Any], title: str, read: str) -> None:
    """The title is a line without markup, address or present state; the description has everything, with its links."""
    assert headline(message) == title
    assert readable_text(message) == read


def test_a_monitors_message_that_somebody_passed_on_is_read() -> None:
    """Its blocks, where Slack gives no text of them."""
    assert headline(SHARED) == "Look at this"
    assert "*ZeroDivisionError* (https://acme.sentry.io/issues/12/?referrer=slack)" in readable_text(SHARED)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (":rotating_light: *Checkout* is `down` :fire:", "Checkout is down :fire:"),
        ("_it_ is snake_case_name & *bold", "it is snake_case_name & bold"),
        (":fire:", ":fire:"),
        ("<https://a.example/x|a.example>", "a.example"),
        ("<!here> <@U1|dana> see &lt;b&gt;", "@here @dana see <b>"),
        ("[RESOLVED] ok", "ok"),
        ("***", "***"),
        ("", ""),
    ],
)
def test_a_title_is_plain(text: str, title: str) -> None:
    """Whatever somebody or something wrote."""
    assert headline({"text": text}) == title
