"""Words in the markup of each tracker. Text from outside calls nobody, links no other ticket and formats nothing.

https://docs.github.com/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github and
https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa
"""

import re
from collections.abc import Callable
from datetime import UTC

from escalation.text import Channel, Line, Lines, Link, Person, Span, Strong, Time, Verbatim, clean
from escalation.values import title_of

APART = "\u200b"  # a zero-width space: after it neither `@name` nor `#12` nor `OPS-12` is one any more
_GITHUB = re.compile(r"[\\`*_\[\]|~!]")
_GITHUB_LINE = re.compile(r"(?m)^(\s*)([-+]|\d+(?=[.)]\s))")
_JIRA = re.compile(r"[\\{}\[\]!*_|^+~?-]")
_JIRA_LINE = re.compile(r"(?m)^(\s*)(h[1-6]|bq)\.")


def plain(text: str) -> str:
    """Text from outside where no markup is read, in one line: it calls nobody all the same."""
    return _apart(" ".join(clean(text).split()))


def for_github(lines: Lines) -> str:
    """Render lines as GitHub's Markdown."""
    return _render(lines, _github_text, "**", lambda link: f"[{_github_text(link.label)}]({_address(link.url)})")


def for_jira(lines: Lines) -> str:
    """Render lines as Jira's wiki text."""
    return _render(lines, _jira_text, "*", lambda link: f"[{_jira_text(link.label)}|{_address(link.url)}]")


def _render(lines: Lines, escape: Callable[[str], str], bold: str, link: Callable[[Link], str]) -> str:
    def span_text(span: Span) -> str:
        match span:
            case Verbatim():
                return escape(span)
            case str():
                return span
            case Strong():
                trailing = " " * (len(span.text) - len(span.text.rstrip()))
                return f"{bold}{escape(span.text.rstrip())}{bold}{trailing}"
            case Time():
                return span.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
            case Link():
                return link(span)
            case Person():
                return escape(title_of(span.id) or "somebody")
            case Channel():
                return escape(f"#{span.name}")

    def rendered(spans: Line) -> str:
        return "".join(span_text(span) for span in spans)

    return "\n\n".join(rendered(spans) for spans in lines)


def _github_text(text: str) -> str:
    safe = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    safe = _GITHUB_LINE.sub(r"\1\\\2", _GITHUB.sub(r"\\\g<0>", safe))
    return _apart(safe).replace("://", f":{APART}//").replace("www.", f"www{APART}.")


def _jira_text(text: str) -> str:
    return _apart(_JIRA_LINE.sub(rf"\1\2{APART}.", _JIRA.sub(r"\\\g<0>", clean(text))))


def _apart(text: str) -> str:
    return text.replace("@", f"@{APART}").replace("#", f"#{APART}")


def _address(url: str) -> str:
    """Our own address, without what would end a link."""
    return re.sub(r"[\s()\[\]|<>]", "", url)
