"""A review as one HTML file: no script, nothing from elsewhere. It opens in a browser and in Google Docs alike."""

import re
from html import escape

from markdown_it import MarkdownIt

from bot.render.reviews.markdown import END, Names, markdown
from escalation.reviews.model import Review

# Without raw HTML, and without images: one would be asked of another host.
_READER = MarkdownIt("commonmark", {"html": False, "xhtmlOut": True}).disable("image")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # https://www.w3.org/TR/xml/#charsets
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2rem; }
li { margin: .2rem 0; overflow-wrap: anywhere; } em { opacity: .75; }
@page { margin: 18mm; @bottom-right { content: counter(page) " / " counter(pages); font: 9pt system-ui, sans-serif; } }
@media print { body { margin: 0; max-width: none; padding: 0; font-size: 10.5pt; } h1, h2 { break-after: avoid; }
  li { break-inside: avoid; } p { orphans: 3; widows: 3; } }
"""
# On paper: a page that was laid aside says what it is of.
_FOOT = '@page {{ @bottom-left {{ content: "{title}"; font: 9pt system-ui, sans-serif; }} }}\n'


def html(review: Review, names: Names) -> str:
    """The document of `markdown`, with people's words read as Markdown."""
    title = escape(f"Post-incident review of {review.incident}")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = _body(review, names)
    style = f"<style>{_STYLE}{_FOOT.format(title=title)}</style>"  # an id has no quotation marks
    return f'<!doctype html>\n<html lang="en">\n<head>{head}{style}</head>\n<body>\n{body}</body>\n</html>\n'


def confluence(review: Review, names: Names) -> str:
    """The same in Confluence's storage format, which is XHTML: the body of a page.

    https://confluence.atlassian.com/doc/confluence-storage-format-790796544.html
    """
    return _NOT_XML.sub("", _body(review, names))


def _body(review: Review, names: Names) -> str:
    lines = markdown(review, names).splitlines()
    return str(
        _READER.render("\n".join(line for line in lines if line != END and not line.startswith("<!-- people: ")))
    )
