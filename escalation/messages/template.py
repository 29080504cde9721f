"""Messages by template: a company may word what is said, and nothing that people typed becomes markup.

A template renders to Lines. Each value leaves it as one private-use character that stands for the value, so that only
the template's own literal text is read for line ends and `*labels*`. What a template may do is a short list of syntax:
fields, a few filters, `if`, and a `for` that holds no other, so that its work is bounded by its length.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from itertools import groupby
from math import inf
from traceback import extract_tb
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, Undefined, nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from escalation.messages.catalog import OUTSIDE, SHIPPED, TEMPLATES, Value
from escalation.text import Line, Lines, Span, Strong, text

_LONGEST_SOURCE = 16_000
_LONGEST_MESSAGE = 64_000
_PLACEHOLDERS = 0xF0000  # the first of the 65,534 characters of a private-use plane
_PLACEHOLDER = re.compile("([\U000f0000-\U000ffffd])")
_LABEL = re.compile(r"(?<!\w)\*(\S(?:[^*]*\S)?)\*( ?)")
_ONLY_TAGS = re.compile(r"\s*(\{([%#])((?!\2\}).)*\2\}\s*)+")
_OUT = "_out"
_FAULTS = (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
_ALLOWED: tuple[type[nodes.Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.For, nodes.Filter),
    *(nodes.Test, nodes.Compare, nodes.Operand, nodes.Not, nodes.And, nodes.Or, nodes.CondExpr, nodes.Concat),
    *(nodes.Tuple, nodes.List, nodes.Scope),
)


@dataclass(frozen=True)
class Wording:
    """The words of a company: the shipped ones, and its own where it has some. `broken` hears why one was not used."""

    overrides: Mapping[str, str] = field(default_factory=dict)
    broken: Callable[[str, str], None] = lambda name, why: None

    def lines(self, name: str, /, **fields: Value) -> Lines:
        """A message with these fields; those left out are empty. KeyError and TypeError on names that there are not."""
        if unknown := fields.keys() - TEMPLATES[name].keys():
            raise TypeError(f"{name} has no {', '.join(sorted(unknown))}")
        given = {known: fields.get(known, "") for known in TEMPLATES[name]}
        return self._own(name, given) or _render(SHIPPED[name], given, inf)

    def _own(self, name: str, fields: Mapping[str, Value]) -> Lines:
        """The company's words; nothing when it has none or they do not work, for a page must go out all the same."""
        if name not in self.overrides:
            return ()
        why = check(name, self.overrides[name])
        try:
            shown = () if why else _render(self.overrides[name], fields)
        except _FAULTS as fault:
            shown, why = (), _said(fault)
        if not shown:
            self.broken(name, why or "it says nothing")
        return shown


@lru_cache(maxsize=256)
def check(name: str, source: str) -> str | None:
    """What is wrong with a template and on which line, or None. It is tried with every field, and with none."""
    if name not in TEMPLATES:
        return f"there is no message {name}{_nearest(name, TEMPLATES)}; there are {', '.join(TEMPLATES)}"
    if len(source) > _LONGEST_SOURCE or _PLACEHOLDER.search(source):
        return f"it has more than {_LONGEST_SOURCE:,} characters, or some that are for private use"
    fields = TEMPLATES[name]
    try:
        if refused := next(_refused(name, source), None):
            return refused
        shown = _render(source, {known: f.sample for known, f in fields.items()})
        _render(source, dict.fromkeys(fields, ""))
    except _FAULTS as fault:
        return _said(fault)
    return None if shown else "it says nothing"


# What a template may do -------------------------------------------------------------------------------------------


def _refused(name: str, source: str) -> Iterator[str]:
    """Syntax that no message needs, and fields that this message does not have."""
    tree = _ENVIRONMENT.parse(_ends_kept(source))
    own = {n.name for n in tree.find_all(nodes.Name) if n.ctx == "store"}
    for node in _all(tree):
        if isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in own | set(TEMPLATES[name]):
            yield f"line {node.lineno}: {_no_field(name, node.name)}"
        elif why := _not_for_messages(node):
            yield f"line {node.lineno}: {why}"


def _all(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _all(child)


def _not_for_messages(node: nodes.Node) -> str:
    match node:
        case nodes.Filter(name=name) if name not in _FILTERS:
            return f"there is no filter {name}{_nearest(name, _FILTERS)}; there are {', '.join(_FILTERS)}"
        case nodes.Test(name=name) if name not in _ENVIRONMENT.tests:
            return f"there is no test {name}"
        case nodes.For() if node.recursive or any(n is not node for n in node.find_all(nodes.For)):
            return "a for cannot hold another"
        case nodes.Helper() | nodes.Expr() | nodes.Stmt() if not isinstance(node, _ALLOWED):
            return f"`{type(node).__name__.lower()}` is not for messages: use fields, filters, if and for"
    return ""


def _no_field(name: str, asked: str) -> str:
    where = "what goes outside the company never has" if name in OUTSIDE else "there is no field"
    return f"{where} {{{{ {asked} }}}}{_nearest(asked, TEMPLATES[name])}; there are {', '.join(TEMPLATES[name])}"


def _nearest(asked: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(asked, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _said(fault: Exception) -> str:
    """A fault with its line in the template, if it has one."""
    if isinstance(fault, TemplateSyntaxError):
        return f"line {fault.lineno}: {fault.message}"
    at = [frame.lineno for frame in extract_tb(fault.__traceback__) if frame.filename == "<template>"]
    return f"line {at[-1]}: {fault}" if at else str(fault) or type(fault).__name__


# From template to lines -------------------------------------------------------------------------------------------


def _render(source: str, fields: Mapping[str, Value], longest: float = _LONGEST_MESSAGE) -> Lines:
    """ValueError as soon as it grows too long. What is shipped cannot: it has little more in it than its fields."""
    values: list[Line] = []
    written, size = "", 0
    for piece in _compiled(source).generate({**fields, _OUT: values}):
        written += piece
        size += len(text(values[-1:])) if _PLACEHOLDER.match(piece) else len(piece)
        if size > longest:
            raise ValueError(f"it is longer than {longest:,} characters")
    return tuple(_lines(written, values))


@lru_cache(maxsize=256)
def _compiled(source: str) -> Template:
    return _ENVIRONMENT.from_string(_ends_kept(source))


def _ends_kept(source: str) -> str:
    """A line end after a tag goes only where the line holds nothing but tags: else two lines would become one."""
    return "\n".join(
        line if _ONLY_TAGS.fullmatch(line) else re.sub(r"(?<![-+])([%#]\}[ \t]*)$", r"+\1", line)
        for line in source.splitlines()
    )


@pass_context
def _put(context: Context, value: object) -> str:
    """Jinja's `finalize`. It takes the context, for that keeps constants from being put out while compiling."""
    values: list[Line] = context[_OUT]
    values.append(_spans(value))
    return chr(_PLACEHOLDERS + len(values) - 1)


def _spans(value: object) -> Line:
    match value:
        case Undefined():
            return (str(value),)  # raises, and names the field
        case str() | int():
            return (str(value),)
        case tuple() if all(isinstance(span, Span) for span in value):
            return value
        case _ if isinstance(value, Span):
            return (value,)
    raise TypeError("this cannot be shown; go through a list with for")


def _lines(written: str, values: list[Line]) -> Iterator[Line]:
    """Blank lines stay as one empty line between others; a line of which only empty values are left goes."""
    gap = begun = False
    for raw in written.split("\n"):
        line = tuple(_marked(raw, values))
        if text((line,)).strip():
            yield from ((), line) if gap and begun else (line,)
            gap, begun = False, True
        else:
            gap = gap or not _PLACEHOLDER.search(raw)


def _marked(raw: str, values: list[Line]) -> Iterator[Span]:
    """One line. A blank after a label is part of the label."""
    at = 0
    for label in _LABEL.finditer(raw):
        yield from _filled(raw[at : label.start()], values)
        yield from _strong(_filled(label[1] + label[2], values))
        at = label.end()
    yield from _filled(raw[at:], values)


def _strong(spans: Iterator[Span]) -> Iterator[Span]:
    """Text becomes strong; people, times and links have their own look."""
    for is_text, run in groupby(spans, lambda span: isinstance(span, str)):
        together = list(run)
        yield from (Strong("".join(map(str, together))),) if is_text else together


def _filled(raw: str, values: list[Line]) -> Iterator[Span]:
    for piece in _PLACEHOLDER.split(raw):
        if _PLACEHOLDER.match(piece):
            yield from values[ord(piece) - _PLACEHOLDERS]
        elif piece:
            yield piece


def _cut(value: str, length: int = 280) -> str:
    """At most so many characters, whole words if that is possible."""
    if len(value) <= length:
        return value
    kept = value[: max(0, length - 1)]
    return (kept.rsplit(None, 1)[0] if " " in kept.strip() else kept) + "…"


def _default(value: Value, other: Value) -> Value:
    """Empty is as good as absent: every field of a message is there."""
    return value or other


def _of_text(change: Callable[..., str]) -> Callable[..., str]:
    def changed(value: object, *options: int) -> str:
        if not isinstance(value, str):
            raise TypeError("a filter for text meets a person, a time, a link or a list")
        return change(value, *options)

    return changed


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "default": _default,
    "upper": _of_text(str.upper),
    "lower": _of_text(str.lower),
    "capitalize": _of_text(str.capitalize),
    "trim": _of_text(str.strip),
    "cut": _of_text(_cut),
}
_ENVIRONMENT = ImmutableSandboxedEnvironment(
    finalize=_put, undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.globals.clear()
_ENVIRONMENT.filters.clear()
_ENVIRONMENT.filters.update(_FILTERS)
