"""What can be read in a message of another app."""

from typing import Any

import pytest

from bot.parsing.message import first_line, readable_text

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
        ({"text": "", "blocks": [RICH]}, "ask @Omar & look at a < b, https://a.example/x\nrestart it\n:fire:"),
        (
            {
                "text": "*ask* <@U0OMAR0001|omar> &amp; look at a &lt; b, <https://a.example/x|the graph>\n"
                "1. restart it\n2. :fire:",
                "blocks": [RICH],
            },
            "*ask* @omar & look at a < b, https://a.example/x\n1. restart it\n2. :fire:",
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
