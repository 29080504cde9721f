"""Commands and moves as people see them: verbs after /incident, help texts, labels of buttons."""

from dataclasses import dataclass

from escalation.incident.events import Move


@dataclass(frozen=True)
class Command:
    """One command, and the move that it makes.

    `verb` or one of its `synonyms` is typed after /incident; empty for a move that has a button only. `help` is its
    text in `/incident help`. `move` and the `label` of its button are empty for a command that changes no incident.
    """

    verb: str
    synonyms: tuple[str, ...] = ()
    help: str = ""
    move: Move | None = None
    label: str = ""


# Moves first, in the order of a card's overflow menu, which lists those that have no button on it.
COMMANDS = (
    Command("ack", ("acknowledge",), "`ack [ID]` you are on it", Move.ACKNOWLEDGE, "Acknowledge"),
    Command(
        "root-cause",
        ("root_cause", "rootcause", "cause"),
        "`root-cause [ID] [cause]`",
        Move.ROOT_CAUSE,
        "Root cause found",
    ),
    Command("workaround", ("rollback",), "`workaround [ID] [what]`", Move.WORKAROUND, "Workaround in place"),
    Command("schedule", (), "`schedule [ID] [when]`", Move.SCHEDULE, "Schedule"),
    Command("fix", ("start-fix", "fixing"), "`fix [ID]`", Move.START_FIX, "Start fix"),
    Command("fix-applied", ("fix_applied", "fixed"), "`fix applied [ID]`", Move.FIX_APPLIED, "Fix applied"),
    Command("fix-failed", ("fix_failed",), "`fix-failed [ID] [what you see]`", Move.FIX_FAILED, "Fix did not hold"),
    Command("verify", ("verified",), "`verify [ID] [what was looked at]`", Move.VERIFY, "Fix verified"),
    Command("update", (), "`update [ID] [progress]`", Move.UPDATE, "Post update"),
    Command("escalate", (), "`escalate [ID] [why]`", Move.ESCALATE, "Escalate"),
    Command("page", (), "`page [ID] @person or role [why]`", Move.PAGE, "Page someone"),
    Command("severity", ("sev",), "`severity [ID] P1 [why]`", Move.SEVERITY, "Change severity"),
    Command("resolve", ("resolved", "close", "closed", "done"), "`resolve [ID]`", Move.RESOLVE, "Resolve"),
    Command("reopen", (), "`reopen [ID]`", Move.REOPEN, "Reopen"),
    Command("reviewed", ("review",), "`reviewed [ID]`", Move.REVIEWED, "Review held"),
    Command("cancel", ("false-alarm",), "`cancel [ID] [why, or duplicate of INC-…]`", Move.CANCEL, "False alarm"),
    Command(
        "lead",
        (),
        "`lead [ID] [commander, communications or scribe] [@person]`",
        Move.LEAD,
        "Take or hand over a role",
    ),
    Command(
        "edit",
        ("correct",),
        "`edit [ID]`, or `edit [ID] outage`, `major-impact`, `data-loss`",
        Move.EDIT,
        "Edit the details",
    ),
    Command("security", (), "`security [ID] [why]` makes it private", Move.SECURITY, "Mark as security"),
    Command("", move=Move.COMMUNICATE, label="Answer a communication"),
    Command("help", ("?",)),
    Command("declare", ("new", "start"), "`declare [P0] [title]` opens the form"),
    Command("list", ("ls",), "`list [all, closed or mine]`"),
    Command("show", ("status",), "`show [ID]`"),
    Command("tickets", ("backlog",), "`tickets [team]`"),
    Command("contacts", ("contact",), "`contacts`"),
    Command("slo", (), "`slo [7d]`"),
    Command("oncall", ("on-call",), "`oncall` · `oncall take`, `swap`, `override`, `away` or `cancel`"),
    Command("drill", (), "`drill P0 [speed]` pages people and says that it is an exercise"),
    Command("simulate", (), "`simulate P0` tells what would happen"),
)
_HEAD = (
    "*`/incident` declares and runs incidents.* The id may be left out in a war room, and while one incident is open."
)
# Heading -> its lines, each a tuple of the verbs on it.
_SECTIONS: dict[str, tuple[tuple[str, ...], ...]] = {
    "Declare and look": (("declare",), ("list", "show", "tickets", "contacts", "slo"), ("oncall",)),
    "Work on it": (
        ("ack",),
        ("root-cause", "workaround", "fix", "fix-applied", "fix-failed"),
        ("update", "schedule", "verify"),
        ("resolve", "reopen", "reviewed", "cancel"),
    ),
    "People": (("escalate", "page"), ("lead",)),
    "Correct it": (("severity", "edit"), ("security",)),
    "Practise": (("drill", "simulate"),),
}


def _help_text() -> str:
    """Build the text of `/incident help`; the first verb of a line is shown with its slash command."""
    help_of = {c.verb: c.help for c in COMMANDS}
    lines = [_HEAD]
    for heading, rows in _SECTIONS.items():
        lines.append(f"*{heading}*")
        lines += ["`/incident " + " · ".join(help_of[verb] for verb in row).removeprefix("`") for row in rows]
    return "\n".join(lines)


VERBS = {c.verb: (c.verb, *c.synonyms) for c in COMMANDS if c.verb}
VERB_OF = {word: verb for verb, words in VERBS.items() for word in words}
MOVES = {c.verb: c.move for c in COMMANDS if c.verb and c.move}
LABELS = {c.move: c.label for c in COMMANDS if c.move}
HELP = _help_text()
