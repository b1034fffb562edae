"""The store: one database, one writer at a time; the rooms beside this file hold what is done with its tables."""

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError

from agent.errors import NeedsHuman
from agent.store import sources
from agent.store.migrations import upgrade

BUSY_MS = 60_000  # how long a writer in another process is waited for
FILE = ("page_size=8192", "journal_mode=WAL")  # a letter's record fits into a page; said before the file is made
MEMORY = ("cache_size=-16384", "wal_autocheckpoint=2000")  # 16 MB each: a batch touches many places of the indexes


class Store:
    """Opens the database named by `url`, brings its tables up to date, and hands out transactions."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._writer = threading.RLock()
        self._current: Connection | None = None
        upgrade(self.engine)
        with self.reading() as tx:
            has_key = "hash_key" in sources.settings(tx)
        if not has_key:
            with self.transaction() as tx:
                sources.hash_key(tx)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """The one writing transaction; inside one, the same again."""
        with self._writer:
            if self._current is not None:
                yield self._current
                return
            with self.engine.begin() as self._current:
                try:
                    yield self._current
                finally:
                    self._current = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view for reading; it never waits for the writer."""
        with self.engine.connect().execution_options(reading=True) as connection, connection.begin():
            yield connection

    def sweep(self) -> None:
        """What was deleted is not left in the database's file; SQLite keeps it there until the place is needed."""
        if not self.engine.dialect.name.startswith("sqlite"):
            return
        with self._writer, contextlib.closing(self.engine.raw_connection()) as raw:
            raw.cursor().execute("VACUUM")
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self.engine.dispose()


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if not parsed.drivername.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        _private_file(Path(parsed.database))
    engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": BUSY_MS / 1000})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _private_file(path: Path) -> None:
    """Only we may read the store: the file is 0600 before anything is in it, a folder made here is 0700."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        for beside in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
            if beside.exists() and beside.stat().st_uid == os.geteuid():
                beside.chmod(0o600)
    except OSError as error:
        raise NeedsHuman(f"the store {path} cannot be opened for writing: {error.strerror}") from None


def _on_connect(raw: Any, _record: Any) -> None:
    # sqlite3 would begin transactions by itself, and never for DDL: SQLAlchemy's begin event does it instead
    raw.isolation_level = None
    for pragma in (*FILE, "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}", *MEMORY):
        raw.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Connection) -> None:
    # a writer takes its lock at once: one that read first and wrote later would fail when another wrote in between
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def explain_database_error(error: DBAPIError) -> NeedsHuman:
    """A database failure as a sentence for the admin; never the SQL or its values."""
    return NeedsHuman(f"the store cannot be used: {error.orig}")
