"""A review as PDF: printed from its HTML, with the extra; without it, what is missing is said."""

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

from bot.render.reviews.html import html
from bot.render.reviews.pdf import NO_EXTRA, NO_PANGO, NoPdf, pdf
from escalation.reviews.draft import draft
from tests.reviews.test_reviews import resolved

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "review.html"


def printable() -> bool:
    """True with the extra, and with the library of the system that it loads."""
    try:
        import_module("weasyprint")
    except (ImportError, OSError):
        return False
    return True


WITH_EXTRA = pytest.mark.skipif(not printable(), reason="needs the extra pdf, and Pango of the system")


@WITH_EXTRA
def test_the_document_is_printed() -> None:
    """The example of the docs, whole."""
    printed = pdf(EXAMPLE.read_text(encoding="utf-8"))
    assert printed.startswith(b"%PDF-")
    assert printed.rstrip().endswith(b"%%EOF")
    assert len(printed) > 10_000


@WITH_EXTRA
def test_nothing_is_fetched_whatever_people_wrote(tmp_path: Path) -> None:
    """Neither from another host nor from this one's disk."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"not read")
    page = html(draft(resolved(), {}), {}).replace(
        "<h2>", f'<img src="{secret.as_uri()}"><img src="http://127.0.0.1:9/x"><h2>'
    )
    assert pdf(page).startswith(b"%PDF-")


@pytest.mark.parametrize(("broken", "says"), [(ModuleNotFoundError, NO_EXTRA), (OSError, NO_PANGO)])
def test_what_is_missing_is_said_with_its_remedy(
    broken: type[Exception], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra, or the library of the system that it needs."""
    (tmp_path / "weasyprint.py").write_text(f"raise {broken.__name__}('pango')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "weasyprint", raising=False)
    with pytest.raises(NoPdf, match=re.escape(says)):
        pdf("<p>A</p>")
