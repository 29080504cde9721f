"""The Atom feed, by the rules of RFC 4287 that a feed validator checks."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from escalation.config.status_page import StatusPage
from escalation.status_page.files import FEED_LENGTH, render
from escalation.status_page.publications import Publication

ATOM = "{http://www.w3.org/2005/Atom}"
NOW = datetime(2026, 11, 29, 14, 2, tzinfo=UTC)


def published(n: int, text: str, **more: object) -> Publication:
    at = NOW - timedelta(minutes=100 - n)
    fields = {"n": n, "incident": f"a{n % 3}", "ours": str(n), "at": at, "knew_at": at, "status": "identified"}
    return Publication.model_validate(fields | {"name": text, "body": text} | more)


@given(
    texts=st.lists(st.text(max_size=40), max_size=40),
    title=st.text(min_size=1, max_size=30).filter(str.strip),
    url=st.sampled_from([None, "https://status.example.com/", "https://example.com/status/?a=1&b=2"]),
)
def test_the_feed_is_valid_atom(texts: list[str], title: str, url: str | None) -> None:
    """Each required element once, ids that are IRIs and never two alike, instants of RFC 3339, the newest first."""
    page = StatusPage(title=title, url=url)
    feed = ElementTree.fromstring(render(page, [published(n, t) for n, t in enumerate(texts, 1)], NOW)["feed.atom"])
    assert feed.tag == f"{ATOM}feed"
    entries = feed.findall(f"{ATOM}entry")
    assert len(entries) == min(len(texts), FEED_LENGTH)
    for element in (feed, *entries):
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"{ATOM}{name}")) == 1
        assert datetime.fromisoformat(said(element, "updated")).tzinfo
        assert ":" in said(element, "id")
    assert feed.find(f"{ATOM}author/{ATOM}name") is not None
    ids = [said(e, "id") for e in entries]
    assert len(set(ids)) == len(ids)
    updated = [said(e, "updated") for e in entries]
    assert all(later >= earlier for later, earlier in pairwise(updated))
    assert all(e.find(f"{ATOM}content") is not None for e in entries)
    links = [(link.get("rel", "alternate"), link.get("href", "")) for link in feed.findall(f"{ATOM}link")]
    assert [rel for rel, _ in links] == (["alternate", "self"] if url else [])
    assert all(href.startswith("https://") for _, href in links)


def said(element: "ElementTree.Element[str]", name: str) -> str:
    return element.findtext(f"{ATOM}{name}") or ""
