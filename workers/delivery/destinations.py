"""One way to reach a channel of the configuration: join it, look its name up again, say which key sets it.

A channel may be archived, deleted and made anew, or made private, while its id is in our cache and on our records.
"""

from collections.abc import Callable
from typing import TypeVar

import structlog

from escalation.service import IncidentService
from workers.channels.failures import Failed, Kind, Reason
from workers.channels.slack import SlackClient
from workers.delivery.members import Members
from workers.delivery.problems import report_call

T = TypeVar("T")
INVITED_FIRST = 3  # people of the configuration in an incidents channel that was made: nobody would find it else
EMPTY = "channel:workspace.incidents_channel:empty"  # the problem with an incidents channel that nobody is in
_WHYS = {
    "is_archived": Reason("{where} is archived", "unarchive it, or set {key}"),
    "channel_not_found": Reason(
        "{where} does not exist, or is private without the bot", "create it, invite the bot into it, or set {key}"
    ),
    "not_in_channel": Reason("the bot is not in {where} and cannot join it", "invite it there, or set {key}"),
    "name_taken": Reason("there is a private channel {where} that the bot is not in", "invite it there, or set {key}"),
}

log = structlog.get_logger()


class Destinations:
    """Reaches the configuration's channels, by their names or ids. All methods raise Failed.

    A failure of ours names the channel and its key, and stands among the problems until the channel is reached.
    """

    def __init__(self, service: IncidentService, client: SlackClient, members: Members) -> None:
        self._service = service
        self._rooms = client.rooms
        self._members = members

    def reach(self, name: str, act: Callable[[str], T]) -> T:
        """Do something in a channel, given its id. A dead id is looked up again, by the channel's name."""
        try:
            result = self._act_anywhere(name, act)
        except Failed as failed:
            raise self._explained(name, failed) from failed
        self._service.store.problems.clear(self._problem(name))
        return result

    def reach_known(self, channel: str, name: str, act: Callable[[str], T]) -> T:
        """Do something where a message stands, in the channel of `name`; raises `card_gone` if that is another now."""
        try:
            return self._joining(channel, act)
        except Failed as failed:
            if failed.kind is not Kind.LOST:
                raise
            if failed.error != "not_in_channel" and self._is_another_now(name, channel):
                raise Failed("card_gone", Kind.GONE, channel=channel) from failed
            raise self._explained(name, failed) from failed

    def _is_another_now(self, name: str, channel: str) -> bool:
        try:
            self._rooms.forget_channel(name)
            return self._find(name) != channel
        except Failed as failed:
            raise self._explained(name, failed) from failed

    def _act_anywhere(self, name: str, act: Callable[[str], T]) -> T:
        channel = self._find(name)
        try:
            return self._joining(channel, act)
        except Failed as failed:
            if failed.kind is not Kind.LOST or failed.error == "not_in_channel":
                raise
            self._rooms.forget_channel(name)
            fresh = self._find(name)
            if fresh == channel:
                raise
            return act(fresh)

    def _joining(self, channel: str, act: Callable[[str], T]) -> T:
        return self._rooms.joining(channel, lambda: act(channel))

    def _find(self, name: str) -> str:
        """The id of a channel. Only the incidents channel is made if it is missing."""
        if name != self._service.company.workspace.incidents_channel:
            return self._rooms.channel(name)
        channel, made = self._rooms.channel_or_new(name)
        if made or self._service.store.problems.known(EMPTY):
            self._invite_somebody(name, channel)
        return channel

    def _invite_somebody(self, name: str, channel: str) -> None:
        """Invite the first people of the configuration who can be found; the channel is used all the same.

        As long as nobody is in it, that is a problem, and tried again with the next message there.
        """
        try:
            people = self._members.first(INVITED_FIRST)
            refused = self._rooms.invite(channel, people)
            why = next((f.reason.text for f in refused.values()), "nobody of the configuration was found in Slack")
            alone = len(refused) == len(people) and not self._rooms.people_in(channel)
        except Failed as failed:
            why, alone = failed.reason.text, True
        if not alone:
            self._service.store.problems.clear(EMPTY)
            return
        where = f"#{name.lstrip('#')}"
        remedy = f"invite people into {where}, or set workspace.incidents_channel to a channel that they are in"
        if self._service.store.problems.report(EMPTY, f"nobody could be invited into {where}: {why}", remedy):
            log.error("nobody could be invited to the incidents channel", channel=channel, why=why)

    def _explained(self, name: str, failed: Failed) -> Failed:
        """The failure with the channel and its key in its words, written down if it is ours. Others as they are."""
        if failed.kind in (Kind.PASSING, Kind.TOKEN, Kind.GONE, Kind.PERSON):
            if failed.error == "channels_not_listed":
                self._report(name, failed.reason)
            elif failed.kind is Kind.PASSING:
                service, what = self._service, f"#{name.lstrip('#')} cannot be written to"
                report_call(service.store.problems, self._problem(name), "Slack", failed, service.clock(), what=what)
            return failed
        where, key = f"#{name.lstrip('#')}", self._service.company.key_of_channel(name)
        known = _WHYS.get(failed.error)
        reason = Reason(f"{where}: {failed.reason.text}", failed.reason.remedy)
        if known:
            reason = Reason(known.text.format(where=where), known.remedy.format(key=key))
        self._report(name, reason)
        return Failed(failed.error, Kind.OURS, channel=failed.channel, reason=reason, reported=True)

    def _report(self, name: str, reason: Reason) -> None:
        remedy = reason.remedy.format(key=self._service.company.key_of_channel(name))
        if self._service.store.problems.report(self._problem(name), reason.text, remedy):
            log.error("channel cannot be reached", channel=name, why=reason.text)

    def _problem(self, name: str) -> str:
        return f"channel:{self._service.company.key_of_channel(name)}"
