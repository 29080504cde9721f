"""Message templates: a company may choose the words, and nothing that people typed becomes markup.

A template renders to Lines. Each value is rendered as one private-use character that stands for it, so that only the
template's own literal text is read for line ends and `*labels*`. The syntax allowed is a short list: fields, a few
filters, `if`, and a `for` without another one inside, so that the work is bounded by the template's length.
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
from escalation.text import Line, Lines, Span, Strong, Verbatim, text

_MAX_SOURCE = 16_000
_MAX_MESSAGE = 64_000
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
    """Templates of a company: its own where it has some, else the shipped ones.

    `on_fault` is called with name and reason when one of its own cannot be used.
    """

    overrides: Mapping[str, str] = field(default_factory=dict)
    on_fault: Callable[[str, str], None] = lambda name, why: None

    def lines(self, name: str, /, **fields: Value) -> Lines:
        """Render a message with these fields; those left out are empty. KeyError, TypeError on unknown names."""
        if unknown := fields.keys() - TEMPLATES[name].keys():
            raise TypeError(f"{name} has no {', '.join(sorted(unknown))}")
        values = {known: fields.get(known, "") for known in TEMPLATES[name]}
        return self._company_lines(name, values) or _render(SHIPPED[name], values, inf)

    def _company_lines(self, name: str, fields: Mapping[str, Value]) -> Lines:
        """Render the company's template; nothing when it has none or it fails, for a page must go out all the same."""
        if name not in self.overrides:
            return ()
        why = check(name, self.overrides[name])
        try:
            lines = () if why else _render(self.overrides[name], fields)
        except _FAULTS as fault:
            lines, why = (), _fault_text(fault)
        if not lines:
            self.on_fault(name, why or "it says nothing")
        return lines


@lru_cache(maxsize=256)
def check(name: str, source: str) -> str | None:
    """Return what is wrong with a template and on which line, or None. It is tried with every field, and with none."""
    if name not in TEMPLATES:
        return f"there is no message {name}{_nearest(name, TEMPLATES)}; there are {', '.join(TEMPLATES)}"
    if len(source) > _MAX_SOURCE or _PLACEHOLDER.search(source):
        return f"it has more than {_MAX_SOURCE:,} characters, or some that are for private use"
    fields = TEMPLATES[name]
    try:
        if problem := next(_problems(name, source), None):
            return problem
        lines = _render(source, {known: f.sample for known, f in fields.items()})
        _render(source, dict.fromkeys(fields, ""))
    except _FAULTS as fault:
        return _fault_text(fault)
    return None if lines else "it says nothing"


# Allowed syntax ---------------------------------------------------------------------------------------------------


def _problems(name: str, source: str) -> Iterator[str]:
    """Yield syntax that no message needs, and fields that this message does not have."""
    tree = _ENVIRONMENT.parse(_keep_line_ends(source))
    own = {n.name for n in tree.find_all(nodes.Name) if n.ctx == "store"}
    for node in _walk(tree):
        if isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in own | set(TEMPLATES[name]):
            yield f"line {node.lineno}: {_unknown_field(name, node.name)}"
        elif why := _syntax_problem(node):
            yield f"line {node.lineno}: {why}"


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)


def _syntax_problem(node: nodes.Node) -> str:
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


def _unknown_field(name: str, name_used: str) -> str:
    where = "what goes outside the company never has" if name in OUTSIDE else "there is no field"
    return (
        f"{where} {{{{ {name_used} }}}}{_nearest(name_used, TEMPLATES[name])}; there are {', '.join(TEMPLATES[name])}"
    )


def _nearest(name_used: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(name_used, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _fault_text(fault: Exception) -> str:
    """Return a fault's text with its line in the template, if it has one."""
    if isinstance(fault, TemplateSyntaxError):
        return f"line {fault.lineno}: {fault.message}"
    at = [frame.lineno for frame in extract_tb(fault.__traceback__) if frame.filename == "<template>"]
    return f"line {at[-1]}: {fault}" if at else str(fault) or type(fault).__name__


# From template to lines -------------------------------------------------------------------------------------------


def _render(source: str, fields: Mapping[str, Value], limit: float = _MAX_MESSAGE) -> Lines:
    """Render a template; ValueError once it grows beyond `limit`. The shipped ones cannot: they hold mostly fields."""
    values: list[Line] = []
    output, size = "", 0
    for part in _compiled(source).generate({**fields, _OUT: values}):
        output += part
        size += len(text(values[-1:])) if _PLACEHOLDER.match(part) else len(part)
        if size > limit:
            raise ValueError(f"it is longer than {limit:,} characters")
    return tuple(_lines(output, values))


@lru_cache(maxsize=256)
def _compiled(source: str) -> Template:
    return _ENVIRONMENT.from_string(_keep_line_ends(source))


def _keep_line_ends(source: str) -> str:
    """Keep the line end after a tag unless the line holds nothing but tags: else two lines would become one."""
    return "\n".join(
        line if _ONLY_TAGS.fullmatch(line) else re.sub(r"(?<![-+])([%#]\}[ \t]*)$", r"+\1", line)
        for line in source.splitlines()
    )


@pass_context
def _placeholder(context: Context, value: object) -> str:
    """Replace a value by its placeholder: Jinja's `finalize`.

    It takes the context because that keeps Jinja from calling it for constants while compiling.
    """
    values: list[Line] = context[_OUT]
    values.append(_spans(value))
    return chr(_PLACEHOLDERS + len(values) - 1)


def _spans(value: object) -> Line:
    match value:
        case Undefined():
            return (str(value),)  # raises, and names the field
        case Verbatim():
            return (value,)
        case str() | int():
            return (str(value),)
        case tuple() if all(isinstance(span, Span) for span in value):
            return value
        case _ if isinstance(value, Span):
            return (value,)
    raise TypeError("this cannot be shown; go through a list with for")


def _lines(output: str, values: list[Line]) -> Iterator[Line]:
    """Split the output into lines: blank ones become one empty line, those left with empty values only are dropped."""
    gap = begun = False
    for raw in output.split("\n"):
        line = tuple(_with_labels(raw, values))
        if text((line,)).strip():
            yield from ((), line) if gap and begun else (line,)
            gap, begun = False, True
        else:
            gap = gap or not _PLACEHOLDER.search(raw)


def _with_labels(raw: str, values: list[Line]) -> Iterator[Span]:
    """Yield the spans of one line. A blank after a label is part of the label."""
    at = 0
    for label in _LABEL.finditer(raw):
        yield from _with_values(raw[at : label.start()], values)
        yield from _strong(_with_values(label[1] + label[2], values))
        at = label.end()
    yield from _with_values(raw[at:], values)


def _strong(spans: Iterator[Span]) -> Iterator[Span]:
    """Make text strong; people, times and links keep their own look."""
    for is_text, run in groupby(spans, lambda span: isinstance(span, str)):
        together = list(run)
        yield from (Strong("".join(map(str, together))),) if is_text else together


def _with_values(raw: str, values: list[Line]) -> Iterator[Span]:
    for part in _PLACEHOLDER.split(raw):
        if _PLACEHOLDER.match(part):
            yield from values[ord(part) - _PLACEHOLDERS]
        elif part:
            yield part


def _cut(value: str, length: int = 280) -> str:
    """Cut text to so many characters, at a word if possible."""
    if len(value) <= length:
        return value
    kept = value[: max(0, length - 1)]
    return (kept.rsplit(None, 1)[0] if " " in kept.strip() else kept) + "…"


def _default(value: Value, other: Value) -> Value:
    """Replace an empty value: every field of a message exists, so empty counts as absent."""
    return value or other


def _text_filter(function: Callable[..., str]) -> Callable[..., str]:
    def apply(value: object, *options: int) -> str:
        if not isinstance(value, str):
            raise TypeError("a filter for text meets a person, a time, a link or a list")
        changed = function(value, *options)
        return Verbatim(changed) if isinstance(value, Verbatim) else changed

    return apply


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "default": _default,
    "upper": _text_filter(str.upper),
    "lower": _text_filter(str.lower),
    "capitalize": _text_filter(str.capitalize),
    "trim": _text_filter(str.strip),
    "cut": _text_filter(_cut),
}
_ENVIRONMENT = ImmutableSandboxedEnvironment(
    finalize=_placeholder, undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.globals.clear()
_ENVIRONMENT.filters.clear()
_ENVIRONMENT.filters.update(_FILTERS)

WORDING = Wording()  # the shipped templates
