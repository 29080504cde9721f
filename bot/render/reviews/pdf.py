"""A review as PDF: its HTML printed by WeasyPrint, which is installed as an extra and needs Pango of the system."""

from importlib import import_module
from typing import Any

NO_EXTRA = "A review as PDF needs the extra `pdf`: pip install tocsin[pdf]"
# https://doc.courtbouillon.org/weasyprint/stable/first_steps.html#installation
NO_PANGO = (
    "WeasyPrint, which prints the PDF, does not find Pango. "
    "Debian and Ubuntu: apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
)


class NoPdf(Exception):
    """What is missing here, and how to get it."""


def pdf(html: str) -> bytes:
    """Print a page. Nothing is fetched for it, whatever is in it. Raises NoPdf."""
    try:
        weasyprint: Any = import_module("weasyprint")
    except ModuleNotFoundError:
        raise NoPdf(NO_EXTRA) from None
    except OSError:
        raise NoPdf(NO_PANGO) from None
    nothing = weasyprint.urls.URLFetcher(allowed_protocols=())
    printed: bytes = weasyprint.HTML(string=html, url_fetcher=nothing).write_pdf(pdf_tags=True)
    return printed
