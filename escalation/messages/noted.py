"""Words of messages on the timeline, as they stand now: what was taken out or deleted is not repeated."""

from escalation.incident.model import Incident
from escalation.incident.noted import NotedMessage, Noting, noted_messages
from escalation.incident.state.entries import Entry
from escalation.text import Line, Lines, Link, Person, Span, Verbatim, line, one_line


def noted(incident: Incident, entry: Entry) -> Lines:
    """Render a message that joined the timeline, or what became of one."""
    of = int(entry.fields.get("of") or entry.n)
    message = noted_messages(incident)[of]
    author = Person(message.entry.by)
    match Noting(entry.fields["what"]):
        case Noting.ADDED:
            return (_message(message),)
        case Noting.EDITED:
            return (line("✏️ ", author, " edited their message of entry ", str(of)),)
        case Noting.REMOVED:
            return (line("📌 ", Person(entry.by), " took the message of entry ", str(of), " out of the timeline"),)
        case Noting.DELETED:
            return (line("🗑️ The message of ", author, " in entry ", str(of), " was deleted"),)


def _message(message: NotedMessage) -> Line:
    head: list[Span] = ["📌 ", Person(message.entry.by)]
    if not message.stands:
        gone = "was deleted" if message.last is Noting.DELETED else "was taken out of the timeline"
        return line(*head, f": this message {gone}")
    edited = " (edited)" if message.last is Noting.EDITED else ""
    files = [part for name, url in map(_file, message.files.splitlines()) for part in (" · ", Link(url, name))]
    where: list[Span] = [" · ", Link(message.entry.fields["url"], "message")] if message.entry.fields.get("url") else []
    text = Verbatim(one_line(message.text)) if message.text else "a file" if message.files else "an empty message"
    return line(*head, f"{edited}: ", text, *files, *where)


def _file(row: str) -> tuple[str, str]:
    name, _, url = row.partition("\t")
    return name, url
