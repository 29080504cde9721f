"""The register of lasting faults: one for each subject, kept while it is met, gone with the first success."""

import json

import fakeredis
import pytest

from escalation.storage.problems import FORGOTTEN_AFTER, PROBLEMS, Problems
from tocsin.doctor.redis_checks import lasting_faults

ARCHIVED = ("channel:teams.backend.channel", "#team-backend is archived", "unarchive it, or set teams.backend.channel")


@pytest.fixture
def server() -> fakeredis.FakeRedis:
    return fakeredis.FakeRedis()


def test_a_fault_is_new_once(server: fakeredis.FakeRedis) -> None:
    """Met again, it keeps the time at which it began, and takes the latest words."""
    problems = Problems(server)
    assert problems.report("mail", "the mail server refuses us", "check SMTP_URL")
    [first] = problems.current()
    assert not problems.report("mail", "the mail server refuses our login", "check SMTP_URL", blocks=True)
    [second] = problems.current()
    assert (second.since, second.text, second.blocks) == (first.since, "the mail server refuses our login", True)


def test_a_success_clears_it(server: fakeredis.FakeRedis) -> None:
    """Only that one, and only once."""
    problems = Problems(server)
    problems.report(*ARCHIVED)
    problems.report("mail", "the mail server refuses us", "check SMTP_URL")
    assert [problems.clear("mail"), problems.clear("mail")] == [True, False]
    assert [problem.key for problem in problems.current()] == [ARCHIVED[0]]


def test_what_nobody_meets_any_more_is_forgotten(server: fakeredis.FakeRedis) -> None:
    """A configuration was changed: nobody comes by to clear what concerned the old one."""
    problems = Problems(server)
    problems.report(*ARCHIVED)
    [stored] = problems.current()
    old = stored._replace(seen=stored.seen - FORGOTTEN_AFTER - 1)
    server.hset(PROBLEMS, stored.key, json.dumps(old._asdict()))
    assert problems.current() == []
    assert not server.hgetall(PROBLEMS)


def test_a_newer_tocsins_problem_is_read(server: fakeredis.FakeRedis) -> None:
    """During a rolling update both versions write to the register."""
    problems = Problems(server)
    newer = {"key": "x", "text": "t", "remedy": "r", "since": 1, "seen": server.time()[0], "colour": "red"}
    server.hset(PROBLEMS, "x", json.dumps(newer))
    assert [problem.text for problem in problems.current()] == ["t"]


def test_doctor_reports_them(server: fakeredis.FakeRedis) -> None:
    """What blocks work fails the check; the rest is a warning; both with their remedy."""
    problems = Problems(server)
    problems.report(*ARCHIVED)
    problems.report("pages", "Slack refuses every page", "switch the Messages tab on", blocks=True)
    found = [(finding.state, finding.remedy) for finding in lasting_faults(server)]
    assert found == [("failed", "switch the Messages tab on"), ("warning", ARCHIVED[2])]
