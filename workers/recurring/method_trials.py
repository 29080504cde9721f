"""Tests of contact methods that people asked for: sent once each, and what became of them told in Slack."""

from datetime import datetime

import structlog

from bot.render.oncall import lines_message
from escalation.config.notify import By, Via
from escalation.messages.pages import TEST
from escalation.notify.methods import addresses
from escalation.oncall import trials
from escalation.oncall.schedule import Trial, TrialState
from workers.channels import Tag
from workers.channels.failures import Failed, Kind
from workers.context import Context
from workers.delivery.plan import Testable
from workers.delivery.problems import report_call
from workers.queue.leases import lease_key
from workers.recurring.reminders import DIRECT

LEASE_SECONDS = 120

log = structlog.get_logger()


class MethodTrials:
    """Carries out what people asked for in `/incident me` and Home."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._service = context.service

    def run(self, now: datetime) -> None:
        """Send the tests that wait, then tell people the news of theirs."""
        for trial in self._context.store.oncall_state().trials:
            if trial.state is TrialState.ASKED and self._claim(trial):
                self._send(trial, now)
        for trial in self._context.store.oncall_state().trials:
            if trial.state is not trial.told:
                self._tell(trial)

    def _claim(self, trial: Trial) -> bool:
        """True for one worker alone, and once: a test whose worker died is not repeated."""
        return bool(self._context.redis.set(lease_key(trial.delivery), "1", nx=True, ex=LEASE_SECONDS))

    def _send(self, trial: Trial, now: datetime) -> None:
        if now - trial.asked_at > trials.TAKEN_WITHIN:
            self._record(trial, TrialState.FAILED, "no worker took it in time")
            return
        try:
            self._send_by(trial)
        except Failed as failed:
            self._record(trial, TrialState.FAILED, failed.reason.sentence())
            return
        self._record(trial, TrialState.ACCEPTED)

    def _send_by(self, trial: Trial) -> None:
        if trial.by is By.SLACK:
            self._post(trial, TEST, trial.delivery)
            return
        via = Via(trial.by)
        known = addresses(self._service.company, trial.member, self._context.store.directory())
        planner = self._context.channels.others.get(via)
        channel = planner(self._service) if planner else None
        if via not in known or not isinstance(channel, Testable):
            raise Failed(f"{via.words} is not set up")
        channel.test(via, known[via], trial.delivery)

    def _record(self, trial: Trial, became: TrialState, why: str = "") -> None:
        self._context.store.update_oncall_state(
            lambda before: trials.record(before, trial.id, became, self._context.clock(), why)
        )

    def _tell(self, trial: Trial) -> None:
        """Tell somebody in Slack. Where Slack does not take it now, the next round tries again."""
        try:
            message = lines_message([trials.result(trial)], "me-test")
            channel = self._context.slack.direct_channel(trial.member)
            self._context.slack.post(channel, message, Tag(f"{trial.delivery}-{trial.state}", 0))
        except Failed as failed:
            log.warning("result of a test not told", error=failed.error)
            if failed.kind in (Kind.PASSING, Kind.OURS, Kind.TOKEN):
                problems, what = self._context.store.problems, "results of tests cannot be sent to people"
                report_call(problems, DIRECT, "Slack", failed, self._context.clock(), what=what)
            if failed.kind is not Kind.PERSON:  # /incident me and Home show it as well
                return
        else:
            self._context.store.problems.clear(DIRECT)
        self._context.store.update_oncall_state(lambda before: trials.told(before, trial.id, trial.state))

    def _post(self, trial: Trial, words: str, delivery: str) -> None:
        message = lines_message([(words,)], "me-test")
        self._context.slack.post(self._context.slack.direct_channel(trial.member), message, Tag(delivery, 0))
