"""Commands and moves as people see them: verbs after /incident, help texts, labels of buttons."""

from dataclasses import dataclass

from escalation.incident.events.moves import Move


@dataclass(frozen=True)
class Command:
    """One command, and the move that it makes.

    `verb` or one of its `synonyms` (what other tools call it) is typed after /incident; empty for a move that has a
    button only. `help` is its line in `/incident help all`. `move` and the `label` of its button are empty for a
    command that changes no incident.
    """

    verb: str
    synonyms: tuple[str, ...] = ()
    help: str = ""
    move: Move | None = None
    label: str = ""


# Moves first, in the order of the list behind a card's More, which has those that have no button on it.
COMMANDS = (
    Command(
        "ack",
        ("acknowledge", "acked", "acknowledged", "claim"),
        "`ack [ID]` take it",
        Move.ACKNOWLEDGE,
        "Acknowledge",
    ),
    Command(
        "decline",
        ("cant", "can't", "can\u2019t", "cannot", "pass"),
        "`decline [ID] [why]` can't take the page: the next is paged",
        Move.DECLINE,
        "Can't take it",
    ),
    Command(
        "root-cause",
        ("root_cause", "rootcause", "cause", "identified", "identify", "rca"),
        "`root-cause [ID] [cause]` record the root cause",
        Move.ROOT_CAUSE,
        "Root cause found",
    ),
    Command(
        "workaround",
        ("rollback", "mitigate", "mitigated", "mitigation"),
        "`workaround [ID] [what]` record a workaround",
        Move.WORKAROUND,
        "Workaround in place",
    ),
    Command("schedule", (), "`schedule [ID] [when]` plan the work on a ticket", Move.SCHEDULE, "Schedule"),
    Command("fix", ("start-fix", "fixing"), "`fix [ID]` start a fix", Move.START_FIX, "Start fix"),
    Command(
        "fix-applied",
        ("fix_applied", "fixed", "deployed", "monitoring", "monitor"),
        "`fix applied [ID]` monitor the fix",
        Move.FIX_APPLIED,
        "Fix applied",
    ),
    Command(
        "fix-failed",
        ("fix_failed", "not-fixed"),
        "`fix-failed [ID] [what you see]` report a failed fix",
        Move.FIX_FAILED,
        "Fix failed",
    ),
    Command(
        "verify",
        ("verified",),
        "`verify [ID] [what was checked]` confirm a ticket's fix",
        Move.VERIFY,
        "Fix verified",
    ),
    Command(
        "update",
        ("post-update", "status-update", "progress"),
        "`update [ID] [progress]` post a progress update",
        Move.UPDATE,
        "Post update",
    ),
    Command("escalate", (), "`escalate [ID] [why]` page the next tier", Move.ESCALATE, "Escalate"),
    Command("page", ("call",), "`page [ID] @person, @group or role … [why]` page people", Move.PAGE, "Page someone"),
    Command("run", ("execute",), "`run [ID] [action]` run an action in your systems", Move.RUN, "Run action"),
    Command(
        "severity",
        ("sev", "priority", "change-severity"),
        "`severity [ID] P1 [why]` change the severity",
        Move.SEVERITY,
        "Change severity",
    ),
    Command(
        "resolve",
        ("resolved", "close", "closed", "done", "end", "finish", "finished", "solved"),
        "`resolve [ID]` close it as resolved",
        Move.RESOLVE,
        "Resolve",
    ),
    Command("reopen", ("reopened", "re-open"), "`reopen [ID] [why]` open it again", Move.REOPEN, "Reopen"),
    Command(
        "times",
        ("impact-times", "timestamps"),
        "`times [ID] [began 14:02, detected 14:05, ended 15:10]` when the impact began, was detected and ended",
        Move.TIMES,
        "State times",
    ),
    Command(
        "plan-review",
        ("review-owner", "review-meeting", "plan_review"),
        "`plan-review [ID] [@owner, later, or no meeting why]` owner and meeting of the post-incident review",
        Move.PLAN_REVIEW,
        "Plan review",
    ),
    Command(
        "reviewed",
        ("review-done",),
        "`reviewed [ID]` mark the post-incident review as done",
        Move.REVIEWED,
        "Review done",
    ),
    Command(
        "cancel",
        ("false-alarm", "cancelled", "canceled", "dismiss"),
        "`cancel [ID] [why, or duplicate of INC-…]` false alarm or duplicate",
        Move.CANCEL,
        "False alarm",
    ),
    Command(
        "lead",
        ("role", "roles", "assign-role"),
        "`lead [ID] [commander, communications or scribe] [@person]` assign a role",
        Move.LEAD,
        "Assign role",
    ),
    Command(
        "edit",
        ("correct", "edit-details", "rename"),
        "`edit [ID]`, or `edit [ID] outage`, `major-impact`, `data-loss` correct the details",
        Move.EDIT,
        "Edit details",
    ),
    Command(
        "security",
        ("private",),
        "`security [ID] [why]` treat it as a security incident: makes it private",
        Move.SECURITY,
        "Mark as security",
    ),
    Command("snooze", ("remind", "later"), "`snooze [ID] 30m` snooze reminders, never a page", Move.SNOOZE, "Snooze"),
    Command(
        "communications",
        ("comms", "communicate"),
        "`communications [ID]` what is still to be published, with drafts",
        Move.COMMUNICATE,
        "Communications",
    ),
    Command(
        "publish",
        ("status-page", "statuspage"),
        "`publish [ID] [component=state …] [words]` update or correct the status page, with a preview",
        Move.PUBLISH,
        "Publish",
    ),
    Command("help", ("?", "commands")),
    Command(
        "declare",
        ("new", "start", "create", "trigger"),
        "`declare [P0] [title]` declare an incident",
    ),
    Command(
        "maintenance",
        ("maint", "planned-maintenance"),
        "`maintenance`, or `maintenance list`, `maintenance cancel M1` announce planned maintenance on the status page",
    ),
    Command("list", ("ls", "incidents"), "`list [all, closed or mine] [filters]` list incidents"),
    Command(
        "search",
        ("find", "grep"),
        "`search words [severity:P0 service:checkout owner:me from:2026-11 to:2026-11-30 open closed]` find incidents",
    ),
    Command("show", ("status", "info", "view", "details"), "`show [ID or number]` show the card of one"),
    Command("web", ("browser",), "`web [ID]` incidents in the browser: a link for you alone"),
    Command("tickets", ("backlog", "ticket"), "`tickets [team] [filters]` list the open tickets"),
    Command("contacts", ("contact",), "`contacts` phone numbers and vendors"),
    Command("alerts", ("alert",), "`alerts [ID, held or filters]` what monitoring sent, and what waits"),
    Command("slo", (), "`slo [7d]` how punctual pages were"),
    Command(
        "report",
        ("figures", "mtta", "mttr"),
        "`report [7d or 2026-11] [service]` MTTA, MTTR and promises kept",
    ),
    Command(
        "oncall",
        ("on-call", "on_call", "who", "rota"),
        "`oncall`, or `oncall take`, `swap`, `override`, `away`, `cancel` see or change who is on call",
    ),
    Command(
        "me",
        ("contact-methods", "preferences"),
        "`me` how you are reached; `me quiet 22:00-07:00`, `me shift 1d`, `me urgent push, 1m sms, 3m call`",
    ),
    Command("drill", ("exercise",), "`drill P0 [speed]` practise: people are really paged, every message says DRILL"),
    Command(
        "review",
        ("retro", "retrospective", "postmortem", "post-mortem"),
        "`review [ID]` the post-incident review; `review ID write` or `canvas` to write it",
    ),
    Command("action", ("todo", "follow-up"), "`action [ID] what @owner friday` note an action item, or an idea"),
    Command(
        "actions",
        ("todos", "follow-ups", "action-items"),
        "`actions [all or mine, filters; or done, drop, take, promise, reopen and ID]` action items",
    ),
    Command("simulate", ("dry-run", "preview"), "`simulate P0` show what would happen; nothing is sent"),
)
IDS = (
    "The ID may be left out in a war room, and while only one incident is open. Alone, its number is enough: `ack 14`."
)
_FIRST = ("declare", "ack", "update", "page", "resolve")
# Heading -> the verbs below it.
_SECTIONS: dict[str, tuple[str, ...]] = {
    "Declare and look": (
        "declare",
        "list",
        "search",
        "show",
        "web",
        "tickets",
        "oncall",
        "me",
        "contacts",
        "alerts",
        "slo",
        "report",
    ),
    "Work on it": (
        "ack",
        "decline",
        "root-cause",
        "workaround",
        "fix",
        "fix-applied",
        "fix-failed",
        "update",
        "communications",
        "run",
        "publish",
        "maintenance",
        "snooze",
        "schedule",
        "verify",
        "resolve",
        "reopen",
        "times",
        "review",
        "plan-review",
        "reviewed",
        "action",
        "actions",
        "cancel",
    ),
    "People": ("escalate", "page", "lead"),
    "Correct it": ("severity", "edit", "security"),
    "Practise": ("drill", "simulate"),
}


def _lines(verbs: tuple[str, ...]) -> list[str]:
    """Lines of help for some verbs, each with its slash command."""
    help_of = {c.verb: c.help for c in COMMANDS}
    return ["`/incident " + help_of[verb].removeprefix("`") for verb in verbs]


def help_of(word: str) -> str:
    """Return the line of help for a command; empty for an unknown one and for help itself."""
    verb = VERB_OF.get(word.lower(), "help")
    return "" if verb == "help" else _lines((verb,))[0]


VERBS = {c.verb: (c.verb, *c.synonyms) for c in COMMANDS if c.verb}
VERB_OF = {word: verb for verb, words in VERBS.items() for word in words}
MOVES = {c.verb: c.move for c in COMMANDS if c.verb and c.move}
LABELS = {c.move: c.label for c in COMMANDS if c.move}
FIRST_COMMANDS = "\n".join(_lines(_FIRST))
HELP = "\n".join([IDS, *(line for heading, verbs in _SECTIONS.items() for line in (f"*{heading}*", *_lines(verbs)))])
