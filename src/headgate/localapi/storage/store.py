"""Objects on disk: one SQLite file with a write-ahead log.

Every write is a transaction of its own with the next revision of the store. After a `kill -9` at any instant, the last
answered write is there, and the revision never decreases. While the API runs, reads come from `cache`.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (resource, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revision (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), value INTEGER NOT NULL);
INSERT OR IGNORE INTO revision VALUES (1, 1);
"""


class Row(msgspec.Struct, frozen=True, gc=False):
    """One stored object. `resource` is `plural.group`, or the plural alone in the core group."""

    resource: str
    namespace: str
    name: str
    revision: int
    body: bytes


class Store:
    """The file. One process at a time may open it: the lock is held until `close`."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, timeout=1.0)
        run = self._database.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)
        self.revision: int = run("SELECT value FROM revision").fetchone()[0]

    def rows(self) -> Iterator[Row]:
        """Every object, in the order of resource, namespace and name."""
        yield from (Row(*row) for row in self._database.execute("SELECT * FROM objects ORDER BY 1, 2, 3"))

    def put(self, row: Row) -> None:
        """Store an object; its revision becomes the revision of the store."""
        self._write(row.revision, "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", msgspec.structs.astuple(row))

    def remove(self, row: Row) -> None:
        """Remove an object; the removal has a revision of its own."""
        where = (row.resource, row.namespace, row.name)
        self._write(row.revision, "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?", where)

    def _write(self, revision: int, statement: str, values: tuple[object, ...]) -> None:
        run = self._database.execute
        run("BEGIN IMMEDIATE")
        try:
            run(statement, values)
            run("UPDATE revision SET value = ?", (revision,))
        except BaseException:
            run("ROLLBACK")
            raise
        run("COMMIT")
        self.revision = revision

    def close(self) -> None:
        """Merge the write-ahead log into the file and release the file."""
        self._database.close()
