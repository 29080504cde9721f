"""Logs: one shape for everybody's, and no secret in any."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from rq.logutils import setup_loghandlers

from tocsin.run import logs
from tocsin.run.logs import Redaction


@pytest.fixture
def clean_logging() -> Iterator[None]:
    """Logging is global: put it back."""
    loggers = [logging.root, *map(logging.getLogger, [*logs.QUIET, *logging.root.manager.loggerDict])]
    before = [(logger, logger.level, logger.propagate, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, propagate, handlers in before:
        logger.setLevel(level)
        logger.propagate, logger.handlers[:] = propagate, handlers
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        ("token=xoxb-123-456-abcDEF", "xoxb-123"),
        ("xoxp-1-2-3 and xoxa-9", "xoxp-1"),
        ("app xapp-1-A0-123-deadbeef!", "deadbeef"),
        ("Authorization: Bearer abc.def-ghi", "abc.def"),
        ("headers {'authorization': 'bearer SECRET123'}", "SECRET123"),
        ("redis://user:hunter2@host:6379/0", "hunter2"),
        ("rediss://:hunter2@host", "hunter2"),
        ("signing_secret='0123456789abcdef'", "0123456789abcdef"),
        ('{"signing_secret": "0123456789abcdef"}', "0123456789abcdef"),
        ("SLACK_SIGNING_SECRET=0123456789abcdef", "0123456789abcdef"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(line: str, hidden: str) -> None:
    """Tokens, bearer headers, passwords in addresses, signing secrets."""
    shown = Redaction().hide(line)
    assert hidden not in shown
    assert logs.HIDDEN in shown


@pytest.mark.parametrize(
    "line", ["unix:///data/valkey.sock", "http://127.0.0.1:8080/api/", "INC-20241218-001 declared"]
)
def test_ordinary_words_stay(line: str) -> None:
    """Addresses without a password, ids."""
    assert Redaction().hide(line) == line


def test_known_secrets_are_hidden_wherever_they_turn_up() -> None:
    """A signing secret looks like nothing in particular; a very short one would blot out words."""
    redact = Redaction(["8f742231b10e8888", "a"])
    assert redact.hide("got 8f742231b10e8888 as an argument") == "got [hidden] as an argument"


def test_a_pipe_gets_json_lines(clean_logging: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Time, level, process and the event's own fields."""
    logs.setup("bot")
    structlog.get_logger("anybody").info("declared", incident="INC-20241218-001")
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "declared"
    assert (line["process"], line["level"], line["incident"]) == ("bot", "info", "INC-20241218-001")
    assert line["timestamp"].endswith("Z")


def test_a_traceback_hides_secrets_too(clean_logging: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Exceptions quote what they were given."""
    logs.setup("worker", secrets=["correct-horse"])
    try:
        raise ValueError("refused xoxb-12345 for correct-horse")
    except ValueError:
        structlog.get_logger().exception("failed")
    said = capsys.readouterr().err
    assert "ValueError: refused [hidden] for [hidden]" in said
    assert "xoxb" not in said


@pytest.mark.parametrize("name", ["slack_bolt.App", "rq.worker", "uvicorn.error", "slack_sdk.web"])
def test_libraries_speak_only_when_something_is_wrong(
    clean_logging: None, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """At INFO some of them repeat people's messages."""
    logs.setup("bot", "INFO")
    logging.getLogger(name).info("body: the words of a person")
    logging.getLogger(name).warning("connection lost")
    said = capsys.readouterr().err
    assert "words of a person" not in said
    assert json.loads(said)["event"] == "connection lost"


def test_rq_is_quiet_whatever_it_sets_up(clean_logging: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Its worker brings handlers of its own when it comes first, and sets its level to INFO when it comes later."""
    logging.root.handlers.clear()
    setup_loghandlers("INFO")
    logs.setup("worker urgent", "INFO")
    setup_loghandlers("INFO")
    logging.getLogger("rq.worker").info("urgent: deliver(['the words of a person'])")
    logging.getLogger("rq.worker").error("job failed")
    heard = capsys.readouterr()
    assert heard.out == ""
    assert json.loads(heard.err)["event"] == "job failed"
