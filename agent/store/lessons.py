"""The lessons' room: the words of letters that people have judged, and what had been read in them."""

from collections.abc import Collection
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, select

from agent.intake import letter_of
from agent.model import Letter, Reading
from agent.store.rows import chunks, record_of
from agent.store.tables import activity, reading


class Worded(NamedTuple):
    """A letter that is to teach something."""

    letter: Letter | None  # None: its words were let go
    read: frozenset[str]  # milestones and types of objections that any version of the reader found in its words


def worded(tx: Connection, keys: Collection[str]) -> dict[str, Worded]:
    """The letters of these activities; meetings are none, since a calendar and not words proves what they prove."""
    found: dict[str, Worded] = {}
    for part in chunks(sorted(keys)):
        query = select(activity).where(activity.c.key.in_(part), activity.c.kind == "message")
        rows = list(tx.execute(query))
        read = _read(tx, {row.content for row in rows})
        for row in rows:
            letter = letter_of(record_of(row.kind, row.record), row.direction) if row.record and row.content else None
            found[row.key] = Worded(letter, frozenset(read.get(row.content, ())))
    return found


def _read(tx: Connection, contents: Collection[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in tx.execute(select(reading).where(reading.c.content.in_(contents))):
        one = msgspec.json.decode(row.body, type=Reading)
        found.setdefault(row.content, set()).update(
            {read.name for read in one.milestones}, {read.type for read in one.objections}
        )
    return found
