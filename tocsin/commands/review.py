"""`tocsin review`: the post-incident review of one incident as a document, and people's words read back from one."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bot.render.mrkdwn import plain
from bot.reviews.html import html
from bot.reviews.markdown import Names, markdown, words_of
from escalation.errors import Refused
from escalation.reviews.draft import draft
from escalation.reviews.model import Review
from escalation.storage.action_items import ActionItems
from escalation.storage.reviews import Reviews
from escalation.text import text
from tocsin.commands.incidents import NEEDS, find, open_store
from tocsin.commands.terminal import print_json
from tocsin.config.settings import load
from tocsin.errors import Refusal

FORMATS = ("markdown", "html", "json")


@click.command()
@click.argument("incident_id", metavar="ID")
@click.option("--format", "form", type=click.Choice(FORMATS), default="markdown", show_default=True)
@click.option(
    "--from",
    "edited",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Read people's words back from an edited Markdown document, before it is printed again.",
)
def review(incident_id: str, form: str, edited: Path | None) -> None:
    """Print the review of an incident: what is on record, and what people wrote."""
    store = open_store(load(NEEDS))
    incident, reviews = find(store, incident_id), Reviews(store.redis)
    if edited:
        try:
            words = words_of(edited.read_bytes().decode("utf-8"))
            reviews.write(incident.id, words, "", store.now())
        except (UnicodeDecodeError, Refused) as error:
            said = text([error.words]) if isinstance(error, Refused) else "it is not UTF-8"
            raise Refusal(f"{edited}: {said}") from None
    document, names = (
        draft(incident, reviews.written(incident.id), ActionItems(store.redis).of(incident.id)),
        store.directory().names,
    )
    match form:
        case "json":
            print_json(review_data(document, names))
        case "html":
            click.echo(html(document, names), nl=False)
        case _:
            click.echo(markdown(document, names), nl=False)


def review_data(document: Review, names: Names) -> dict[str, Any]:
    """The review for scripts: each generated line with its entry, people's words as they wrote them."""
    data = {k: v for k, v in asdict(document).items() if k != "sections"}
    sections = [
        {
            "key": section.key,
            "title": section.title,
            "lines": [{"text": plain(line, names), "entry": entry} for line, entry in section.lines],
            "prompt": section.prompt,
            "words": section.written.text,
            "by": section.written.by,
            "at": section.written.at,
        }
        for section in document.sections
    ]
    return data | {"sections": sections}
