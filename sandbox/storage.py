"""Write-through persistence: every changed row in one SQLite table, committed before the caller gets its answer."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from sandbox.book import Book

SCHEMA = """
create table if not exists rows (
    kind text not null, key text not null, json text not null, primary key (kind, key)
)
"""
UPSERT = """
insert into rows (kind, key, json) values (?, ?, ?)
on conflict (kind, key) do update set json = excluded.json
"""
DELETE = "delete from rows where kind = ? and key = ?"


class Storage:
    """The data folder of one workspace; with no folder it keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._db = _open(folder) if folder else None

    def load(self, books: Iterable[Book[object]]) -> bool:
        """Fill the books with what was stored, in its first order. False when there was nothing."""
        by_kind = {book.kind: book for book in books}
        rows = self._db.execute("select kind, key, json from rows order by rowid").fetchall() if self._db else []
        for kind, key, json in rows:
            if kind in by_kind:
                by_kind[kind].restore(key, json)
        return bool(rows)

    def save(self, books: Iterable[Book[object]]) -> None:
        """Commit every change at once: a kill -9 leaves either all of it or nothing."""
        changes = [change for book in books for change in book.take_changes()]
        if self._db is None or not changes:
            return
        with self._db:
            for kind, key, json in changes:
                if json is None:
                    self._db.execute(DELETE, (kind, key))
                else:
                    self._db.execute(UPSERT, (kind, key, json))

    def close(self) -> None:
        if self._db is not None:
            self._db.close()


def _open(folder: Path) -> sqlite3.Connection:
    folder.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(folder / "workspace.sqlite3", check_same_thread=False)
    # Write-ahead log with normal sync: a killed process loses nothing; only a power cut could.
    db.execute("pragma journal_mode=wal")
    db.execute("pragma synchronous=normal")
    db.execute(SCHEMA)
    return db
