"""The folder behind a real nginx, with the lines of docs/status-page.md, while Tocsin is dead, and while it writes."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from benchmarks.ports import free_port, is_free
from escalation.config.status_page import StatusPage
from escalation.status_page.files import FRESH_FOR, render
from escalation.storage.public.folder import write
from tests.status_page.test_serving import without_comments
from tests.support import http
from tests.support.waiting import eventually

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin") or shutil.which("nginx")
DOCS = Path(__file__).parents[2] / "docs" / "status-page.md"
PAGE = StatusPage(title="Shop status", components=("checkout", "api"))
pytestmark = pytest.mark.skipif(NGINX is None, reason="not installed: nginx (apt install nginx-light)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    publish(tmp_path / "status", datetime.now(UTC))
    return tmp_path / "status"


def publish(folder: Path, at: datetime, title: str = "Shop status") -> None:
    """Write the folder as Tocsin did at that time."""
    write(folder, render(PAGE.model_copy(update={"title": title}), [], at), b"{}")


@pytest.fixture
def web(folder: Path, tmp_path: Path) -> Iterator[httpx2.Client]:
    port = free_port()
    location = re.findall(r"```nginx\n(.*?)```", DOCS.read_text(), re.DOTALL)[0]
    paths = " ".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; user root; pid {tmp_path}/pid; error_log {tmp_path}/error.log;\nevents {{}}\n"
        f"http {{ access_log off; {paths}\nserver {{ listen 127.0.0.1:{port};\n"
        + location.replace("/var/lib/tocsin/status/", f"{folder}/")
        + "} }\n"
    )
    assert NGINX
    command = [NGINX, "-e", str(tmp_path / "error.log"), "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    running = subprocess.Popen(command)
    try:
        eventually(lambda: not is_free(port))
        yield http.client(f"http://127.0.0.1:{port}")
    finally:
        running.terminate()
        running.wait()


def test_every_file_has_its_type_and_nothing_else_is_served(web: httpx2.Client) -> None:
    """HTML, Atom and JSON, to be kept for a minute at most; no hidden file."""
    for path, kind in (
        ("", "text/html"),
        ("history/", "text/html"),
        ("feed.atom", "application/atom+xml"),
        ("summary.json", "application/json"),
    ):
        answer = web.get(f"/status/{path}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kind
        assert answer.headers["cache-control"] == "public, max-age=60"
    tag = web.get("/status/summary.json").headers["etag"]
    assert web.get("/status/summary.json", headers={"if-none-match": tag}).status_code == 304
    assert web.get("/status/.state").status_code == 403


def test_with_tocsin_dead_it_stops_saying_how_things_stand(web: httpx2.Client, folder: Path) -> None:
    """For as long as the page holds it is shown as it is; after that no state is, without any script."""
    assert "Operational at" in web.get("/status/").text
    assert "out of date" not in without_comments(web.get("/status/").text)
    publish(folder, datetime.now(UTC) - FRESH_FOR - timedelta(minutes=1))
    text = without_comments(web.get("/status/").text)
    assert "<strong>This page is out of date.</strong>" in text
    assert ".now,.component .state,.days,.component .ends{display:none}" in text
    until = datetime.fromisoformat(json.loads(web.get("/status/summary.json").text)["valid_until"])
    assert until < datetime.now(UTC)


def test_readers_never_see_half_a_page(web: httpx2.Client, folder: Path) -> None:
    """While the folder is written again and again, every answer is one whole page."""
    stop, titles = threading.Event(), ("A" * 40, "B" * 40)

    def work() -> None:
        n = 0
        while not stop.is_set():
            publish(folder, datetime.now(UTC), titles[n % 2])
            n += 1

    writer = threading.Thread(target=work)
    writer.start()
    try:
        seen = {title(web.get("/status/").text) for _ in range(300)}
        while not seen >= set(titles):  # on a busy machine the writer comes to write less often
            seen.add(title(web.get("/status/").text))
    finally:
        stop.set()
        writer.join()
    assert seen - {"Shop status"} == set(titles)


def title(text: str) -> str:
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>\n")
    inside = set(re.findall(r"<(?:title|h1)>(.*?)</", text))
    assert len(inside) == 1
    return str(inside.pop())
