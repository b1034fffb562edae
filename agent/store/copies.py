"""A throw-away copy of the store, for looking at what would happen."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

from agent.errors import NeedsHuman
from agent.store import Store


def throwaway_copy(store: Store, folder: Path) -> Store:
    """A consistent copy in `folder`, taken while others go on writing. NeedsHuman for what is not SQLite."""
    url = make_url(store.url)
    if not url.drivername.startswith("sqlite") or not url.database:
        raise NeedsHuman("a dry run needs a store in SQLite; this one is elsewhere")
    target = folder / "copy.db"
    target.touch(mode=0o600)
    with closing(sqlite3.connect(url.database)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    return Store(f"sqlite:///{target}")
