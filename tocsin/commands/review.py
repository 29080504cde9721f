"""`tocsin review`: the post-incident review of one incident as a document, and people's words read back from one."""

import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from bot.render.mrkdwn import plain
from bot.render.reviews.html import confluence, html
from bot.render.reviews.markdown import SINCE, Names, edited, markdown, regions_of
from bot.render.reviews.pdf import NoPdf, pdf
from bot.render.reviews.public import public_review
from escalation.config.rules.reviews import ReviewSection
from escalation.errors import Refused
from escalation.incident.model import Incident
from escalation.reviews.draft import draft
from escalation.reviews.model import Review
from escalation.reviews.roles import roles_of, without_names
from escalation.status_page.standing import incidents_of
from escalation.storage.action_items import ActionItems
from escalation.storage.public.log import PublicLog
from escalation.storage.reviews import Reviews
from escalation.storage.store import Store
from escalation.text import text
from tocsin.commands.incidents import NEEDS, find, open_store
from tocsin.commands.terminal import print_json
from tocsin.config.settings import load
from tocsin.errors import Refusal

FORMATS = ("markdown", "html", "pdf", "confluence", "json", "public")


@click.command()
@click.argument("incident_id", metavar="ID")
@click.option("--format", "form", type=click.Choice(FORMATS), default="markdown", show_default=True)
@click.option(
    "--from",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Read people's words back from an edited Markdown document, before it is printed again.",
)
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
@click.option("--roles", is_flag=True, help="Name people by their role in the incident.")
def review(incident_id: str, form: str, file: Path | None, as_json: bool, roles: bool) -> None:
    """Print the review of an incident: what is on record, and what people wrote; `public`: public words only."""
    store = open_store(load(NEEDS))
    incident, reviews = find(store, incident_id), Reviews(store.redis)
    if file:
        _read_back(incident, reviews, file, store.now())
    document, names = (
        draft(incident, reviews.written(incident.id), ActionItems(store.redis).of(incident.id)),
        store.directory().names,
    )
    if roles:
        document = without_names(document, roles_of(incident, document), names)
    match "json" if as_json else form:
        case "public":
            click.echo(_public(store, document), nl=False)
        case "json":
            print_json(review_data(document, names))
        case "confluence":
            click.echo(confluence(document, names), nl=False)
        case "html":
            click.echo(html(document, names), nl=False)
        case "pdf":
            click.echo(_printed(html(document, names)), nl=False)
        case _:
            click.echo(markdown(document, names), nl=False)


def _read_back(incident: Incident, reviews: Reviews, file: Path, now: datetime) -> None:
    """Store the words of an edited document. Refusal if it is damaged, or somebody wrote since it was printed."""
    written = reviews.written(incident.id)
    known = {section.key for section in draft(incident, written).sections} | set(ReviewSection)
    stored = {key: words.text for key, words in written.items()}
    try:
        words = edited(regions_of(file.read_bytes().decode("utf-8"), known), stored)
        if foreign := reviews.write(incident.id, words, "", now, seen=stored):
            raise Refused(SINCE.format(sections=", ".join(foreign)))
    except (UnicodeDecodeError, Refused) as error:
        said = text([error.words]) if isinstance(error, Refused) else "it is not UTF-8"
        raise Refusal(f"{file}: {said}") from None


def _printed(page: str) -> bytes:
    """The PDF. Raises Refusal where it cannot be made here, and for a terminal, which would show its bytes."""
    if sys.stdout.isatty():
        raise Refusal("A PDF goes into a file: tocsin review ID --format pdf > review.pdf")
    try:
        return pdf(page)
    except NoPdf as missing:
        raise Refusal(str(missing)) from None


def _public(store: Store, document: Review) -> str:
    """The public version. Raises Refusal where there is none."""
    published = incidents_of(PublicLog(store.redis).of(document.incident))
    try:
        return public_review(document, published[0] if published else None)
    except Refused as error:
        raise Refusal(text([error.words])) from None


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
