"""Incidents for tests, built through the domain's own functions: declare() and decide() under the shipped policy."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from escalation.config.actions import Action
from escalation.config.notify import MeetingKind, OtherWays, Via
from escalation.config.policy import Severity
from escalation.config.rules.communications import ListName
from escalation.config.tickets import Tickets, Vendor
from escalation.engine.upcoming import Upcoming, upcoming
from escalation.incident.effects import MailOut, OpenRoom, PostCard, SendPage, UpdateIssue
from escalation.incident.events.moves import (
    Acknowledge,
    Answer,
    AnswerCommunication,
    Cancel,
    ChangeSeverity,
    Decline,
    Edit,
    Escalate,
    FixApplied,
    FixFailed,
    MarkSecurity,
    MoveEvent,
    PlanReview,
    PostUpdate,
    Reopen,
    Resolve,
    Reviewed,
    RootCause,
    Schedule,
    Snooze,
    StartFix,
    StateTimes,
    TakeLead,
    Verify,
    Workaround,
)
from escalation.incident.events.news import (
    AlertsChanged,
    AlikeFound,
    IssueSeen,
    Linked,
    MailReceived,
    MessageNoted,
    Prevention,
    PreventionsFound,
    Redacted,
    ResolvedThere,
    RolesChanged,
    SameProblem,
)
from escalation.incident.events.outcomes import (
    Delivered,
    Dropped,
    IssueUpdated,
    MessageGone,
    OutcomeEvent,
    PersonRefused,
    RoomOpened,
    Trouble,
)
from escalation.incident.model import Incident
from escalation.incident.noted import Noting
from escalation.incident.state.alerts import AlertSummary, SeenAlert
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Status
from escalation.incident.state.leads import Lead
from escalation.incident.state.rooms import Room
from escalation.incident.tracked import Issue
from escalation.oncall.roster import Roster
from tests.support.story import START, Story, kars, roster_with

RESTART = Action(name="restart", url="https://ops.example.com/restart", secret_env="RESTART_SECRET")
BY_HAND = Action(name="failover", url="https://ops.example.com/failover", secret_env="RESTART_SECRET", when=("button",))

policy = kars
roster = roster_with


NOTED = MessageNoted(
    by="UONCALL",
    what=Noting.ADDED,
    channel="CROOM",
    ts="1.2",
    author="UDEVOPS",
    text="The pool is at its limit",
    sent_at=START,
    url="https://example.slack.com/archives/CROOM/p12",
    files=("graph.png\thttps://example.slack.com/files/F1",),
    how="pin",
)
ALERTS = AlertsChanged(
    by="machine:Alertmanager",
    alerts=AlertSummary(
        shown=(SeenAlert(title="5xx above 5%", source="Alertmanager", firing=True, since=START, severity="critical"),),
        firing=1,
        total=2,
    ),
    began=("5xx above 5%",),
    ended=("Latency",),
)


def at(minutes: float) -> datetime:
    """So many minutes after the declaration."""
    return START + timedelta(minutes=minutes)


def declared(severity: str = "P0", roster: Roster | None = None, speed: float = 1.0, **more: Any) -> Incident:
    """An incident declared at minute 0 by UREPORTER. `more` are facts, or what else Story takes."""
    return Story(severity, roster, speed, **more).incident


def ahead(incident: Incident, roster: Roster | None = None) -> tuple[Upcoming, ...]:
    """What fires next, with the same people on call at all times."""
    return upcoming(incident, lambda _: roster or roster_with())


def incident_after(*events: MoveEvent | OutcomeEvent, severity: str = "P0", until: float = 0, **facts: Any) -> Incident:
    """An incident after these events, all at minute `until`; checkpoints on the way fire."""
    story = Story(severity, **facts).until(until)
    for event in events:
        story.do(event)
    return story.incident


RESOLVE = Resolve(
    by="UONCALL",
    summary="The pool was exhausted.",
    resolution="The pool is larger.\nServices restarted.",
    verification="Health checks pass",
    final_impact="All users for 45 minutes",
    next_steps="Add monitoring",
)
UPDATE = PostUpdate(
    by="UONCALL",
    progress="✅ Database issue identified\n⏳ Deploying",
    next_steps="- Deploy\n- Monitor",
    eta="20 minutes",
    impact="All users still affected",
    status=Status.IDENTIFIED,
)


def in_status(status: Status, **facts: Any) -> Incident:
    """An incident in each status, by the shortest way that people take."""
    cause, fix, applied = (
        RootCause(by="UONCALL", cause="The pool"),
        StartFix(by="UONCALL"),
        FixApplied(by="UONCALL", text="More connections"),
    )
    way: dict[Status, tuple[MoveEvent, ...]] = {
        Status.INVESTIGATING: (),
        Status.IDENTIFIED: (cause,),
        Status.FIXING: (cause, fix),
        Status.MONITORING: (cause, fix, applied),
        Status.RESOLVED: (cause, fix, applied, RESOLVE),
        Status.CANCELLED: (Cancel(by="UONCALL", why="A test"),),
    }
    return incident_after(*way[status], until=5, **facts)


def effect_id(incident: Incident, kind: type[Any]) -> str:
    """The id of the first pending effect of a kind."""
    return next(str(e.id) for e in incident.effects if isinstance(e, kind))


def with_entry(kind: EntryKind) -> Incident:
    """An incident whose timeline has an entry of this kind."""
    return _ENTRIES[kind]()


def _outcome(story: Story, kind: type[Any], event: type[Any], **fields: Any) -> Incident:
    return story.do(event(effect=effect_id(story.incident, kind), **fields)).incident


def _room() -> Story:
    story = Story()
    room = Room(channel="CROOM1", name="inc-20241218-001", private=False)
    return story.do(RoomOpened(effect=effect_id(story.incident, OpenRoom), room=room))


def _room_lost() -> Incident:
    return _outcome(_room(), PostCard, Dropped, why="it was archived", gone="CROOM1")


def _exposed() -> Incident:
    story = _room()
    card = effect_id(story.incident, PostCard)
    story.do(Delivered(effect=card, channel="CINCIDENTS", ts="1.1", face=1))
    return story.do(MarkSecurity(by="UONCALL", why="A leak")).incident


def _card_lost() -> Incident:
    story = Story()
    card = effect_id(story.incident, PostCard)
    story.do(Delivered(effect=card, channel="CINCIDENTS", ts="1.1", face=1))
    return story.do(MessageGone(effect="x", shown=card)).incident


def _escalated_past_the_end() -> Incident:
    return Story(roster=roster_with(engineering_manager=(), executives=())).until(31).incident


def _moved() -> Incident:
    story = Story("P1")
    story.roster = roster_with(on_call=("UMEI",))
    return story.do(RolesChanged(by="UMEI")).incident


ISSUE = Issue(vendor=Vendor.GITHUB, key="acme/shop#12", url="https://github.com/acme/shop/issues/12")


def _ticketed() -> Story:
    """An incident whose ticket was opened."""
    story = Story(tickets=Tickets(github="acme/shop"))
    (effect,) = (e for e in story.incident.effects if isinstance(e, UpdateIssue))
    return story.do(IssueUpdated(effect=effect.id, issue=ISSUE, lost=("the label incident",)))


def _seen(story: Story, **changes: Any) -> Incident:
    return story.do(IssueSeen(issue=ISSUE.model_copy(update=changes), known_as="octocat")).incident


def _seen_closed() -> Story:
    """An incident that is over, as its ticket is."""
    story = _ticketed().do(RESOLVE)
    for effect in story.incident.effects:
        if isinstance(effect, UpdateIssue):
            story.do(IssueUpdated(effect=effect.id, issue=ISSUE.model_copy(update={"open": False})))
    return story


_ENTRIES: dict[EntryKind, Callable[[], Incident]] = {
    EntryKind.DECLARED: declared,
    EntryKind.PAGED: declared,
    EntryKind.REPEATED: lambda: incident_after(until=6),
    EntryKind.CHECKPOINT: lambda: incident_after(until=16),
    EntryKind.SKIPPED: lambda: Story(roster=roster_with(engineering_manager=())).until(31).incident,
    EntryKind.REFUSED: lambda: _outcome(Story().until(1), SendPage, PersonRefused, why="the account is deactivated"),
    EntryKind.NOBODY_LEFT: _escalated_past_the_end,
    EntryKind.ACKNOWLEDGED: lambda: incident_after(Acknowledge(by="UONCALL")),
    EntryKind.JOINED: lambda: incident_after(Acknowledge(by="UONCALL"), Acknowledge(by="UDEVOPS")),
    EntryKind.DECLINED: lambda: incident_after(Decline(by="UONCALL", why="On a plane"), severity="P1"),
    EntryKind.MOVED: _moved,
    EntryKind.ROOT_CAUSE: lambda: incident_after(RootCause(by="UONCALL", cause="The pool")),
    EntryKind.FIX_STARTED: lambda: incident_after(StartFix(by="UONCALL")),
    EntryKind.FIX_APPLIED: lambda: incident_after(FixApplied(by="UONCALL")),
    EntryKind.FIX_FAILED: lambda: incident_after(StartFix(by="UONCALL"), FixFailed(by="UONCALL")),
    EntryKind.WORKAROUND: lambda: incident_after(Workaround(by="UONCALL", text="Rolled back")),
    EntryKind.TICKET: lambda: declared("P2", team="backend"),
    EntryKind.SCHEDULED: lambda: incident_after(Schedule(by="UONCALL", when="sprint 12"), severity="P2"),
    EntryKind.VERIFIED: lambda: incident_after(
        FixApplied(by="UONCALL"), Verify(by="UONCALL", text="Looked at the logs")
    ),
    EntryKind.NOTIFIED: lambda: incident_after(severity="P1", until=481),
    EntryKind.EDITED: lambda: incident_after(Edit(by="UONCALL", title="Payments are down", data_loss=True)),
    EntryKind.COMMUNICATION: declared,
    EntryKind.COMMUNICATED: lambda: incident_after(AnswerCommunication(by="UONCALL", n=1, answer=Answer.PUBLISHED)),
    EntryKind.OVERDUE: lambda: incident_after(until=16),
    EntryKind.SNOOZED: lambda: Story().until(31).do(Snooze(by="UONCALL", length=timedelta(minutes=15))).incident,
    EntryKind.PHASE: declared,
    EntryKind.LEADING: lambda: incident_after(TakeLead(by="UONCALL", lead=Lead.COMMANDER, to="UDEVOPS")),
    EntryKind.LINKED: lambda: incident_after(Linked(other="INC-20241218-002", coordinated_in="INC-20241218-001")),
    EntryKind.TIMES: lambda: incident_after(
        StateTimes(by="UONCALL", began=START - timedelta(minutes=20), detected=START)
    ),
    EntryKind.REVIEWED: lambda: incident_after(RESOLVE, Reviewed(by="UONCALL", text="Larger pools everywhere")),
    EntryKind.REVIEW_PLANNED: lambda: incident_after(
        RESOLVE,
        PlanReview(
            by="UDEVOPS", owner="UDEVOPS", later=True, no_follow_ups="A known fault", category="Database issues"
        ),
    ),
    EntryKind.REVIEW_DUE: lambda: Story().do(RESOLVE).until(4 * 24 * 60).incident,
    EntryKind.RECURRED: lambda: incident_after(
        RootCause(by="UONCALL", cause="The pool", category="Database issues", repeats="INC-20241217-001")
    ),
    EntryKind.ALIKE: lambda: incident_after(AlikeFound(open=("INC-20241218-002",), past=("INC-20241101-001",))),
    EntryKind.SAME_PROBLEM: lambda: incident_after(
        SameProblem(other="INC-20241218-002", by="UDEVOPS", reporter="UREPORTER", text="Payments fail\nNobody can pay")
    ),
    EntryKind.PREVENTION: lambda: incident_after(
        PreventionsFound(items=(Prevention(item="INC-20241018-001/2", at=START),))
    ),
    EntryKind.DRILL_REPORT: lambda: Story(drill=True).until(16).do(RESOLVE).incident,
    EntryKind.OTHERWISE: lambda: Story(ways=OtherWays(slack_down=(Via.MAIL, Via.PAGERDUTY))).until(1).incident,
    EntryKind.RECOVERED: lambda: Story().jump(16).incident,
    EntryKind.STOOD_IN: lambda: _outcome(Story(), SendPage, Delivered, channel="D1", ts="1.1", by_slack_at=at(8)),
    EntryKind.UPDATE: lambda: incident_after(UPDATE, until=30),
    EntryKind.UPDATE_DUE: lambda: incident_after(until=31),
    EntryKind.SILENCE: lambda: incident_after(until=41),
    EntryKind.MONITORED: lambda: Story().do(FixApplied(by="UONCALL")).until(31).incident,
    EntryKind.ESCALATED: lambda: incident_after(Escalate(by="UONCALL")),
    EntryKind.SEVERITY: lambda: incident_after(
        ChangeSeverity(by="UONCALL", policy=kars().severities[Severity.P1], why="Less bad")
    ),
    EntryKind.SECURITY: _exposed,
    EntryKind.EXPOSED: _exposed,
    EntryKind.SENT: lambda: _outcome(Story("P0", mail_lists=(ListName.STAKEHOLDERS,)), MailOut, Delivered, reached=2),
    EntryKind.INVITED: lambda: Story("P0", invitations=(MeetingKind.CALL,)).incident,
    EntryKind.ROOM_OPENED: lambda: _room().incident,
    EntryKind.ROOM_LOST: _room_lost,
    EntryKind.CARD_LOST: _card_lost,
    EntryKind.TROUBLE: lambda: _outcome(Story(), SendPage, Trouble, why="the token was revoked"),
    EntryKind.ACTION: lambda: Story(actions=(RESTART,)).incident,
    EntryKind.ISSUE: lambda: _ticketed().incident,
    EntryKind.ISSUE_CLOSED: lambda: _seen(_ticketed(), open=False),
    EntryKind.ISSUE_REOPENED: lambda: _seen(_seen_closed(), open=True),
    EntryKind.ALERTS: lambda: incident_after(ALERTS),
    EntryKind.RESOLVED_THERE: lambda: incident_after(ResolvedThere(by="UONCALL", service="PagerDuty", known_as="Kim")),
    EntryKind.ALERTS_ENDED: lambda: incident_after(ALERTS.model_copy(update={"over": True})),
    EntryKind.MAIL: lambda: incident_after(MailReceived(by="machine:a@example.com", text="Still down", key="mail 1")),
    EntryKind.NOTED: lambda: incident_after(NOTED),
    EntryKind.RESOLVED: lambda: in_status(Status.RESOLVED),
    EntryKind.REOPENED: lambda: incident_after(RESOLVE, Reopen(by="UONCALL", why="It is back")),
    EntryKind.CANCELLED: lambda: in_status(Status.CANCELLED),
    EntryKind.REDACTED: lambda: incident_after(Redacted(digests={"1.by": "00"})),
}
