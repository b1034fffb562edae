"""The activities' room: those of one batch are found by key, merged with what stands, and inserted together."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, select, update

from agent.intake import Entry, Prepared
from agent.model import Message
from agent.store.rows import chunks, insert_rows, next_id
from agent.store.tables import activity, participant, sighting, stood
from agent.store.threads import Threads
from agent.words import words

VERIFIED_RANK = {"sent": 3, "authenticated": 2, "unknown": 1, "failed": 0}


class Fresh(NamedTuple):
    """A new activity in a new thread: all that is known of either is at hand."""

    id: int
    thread: int
    entry: Entry


class ActivityBatch:
    """The activities of one batch: found by key, merged with what stands, inserted together."""

    def __init__(self, tx: Connection, entries: Sequence[Entry]) -> None:
        self.tx = tx
        self.changed: set[int] = set()
        self.warnings: dict[int, str] = {}  # by the row of the ledger
        self._standing = _standing(tx, {e.key for e in entries})
        self._threads = Threads(tx, {m for e in entries for m in e.mentions})
        self._new: dict[str, tuple[Prepared, Entry]] = {}
        self._sightings: list[tuple[str, int]] = []
        self._touched: set[int] = set()
        self._made: list[Fresh] = []

    def add(self, ledger_id: int, item: Prepared, entry: Entry) -> None:
        entry = self._apart_if_other_text(ledger_id, entry)
        thread = self._threads.join(entry.mentions)
        self._touched.add(thread)
        self._sightings.append((entry.key, ledger_id))
        if entry.key in self._new:
            first = self._new[entry.key][1]
            self._new[entry.key] = (item, _better(first, entry))
        elif entry.key in self._standing:
            self._merge(self._standing[entry.key], entry, ledger_id)
        else:
            self._new[entry.key] = (item, entry)

    def write(self) -> None:
        self._threads.write()
        stood = {key: row.id for key, row in self._standing.items()}
        ids = stood | self._insert_new()
        rows = {(ids[key], ledger_id) for key, ledger_id in self._sightings}
        for part in chunks(sorted({a for a, _ in rows}.intersection(stood.values()))):
            query = select(sighting.c.activity_id, sighting.c.ledger_id).where(sighting.c.activity_id.in_(part))
            rows -= {(row.activity_id, row.ledger_id) for row in self.tx.execute(query)}
        insert_rows(self.tx, sighting, sorted(rows))
        self.changed |= {a for a, _ in rows}

    def threads(self) -> set[int]:
        """Those to which more may belong than what this batch brought."""
        return {t for t in map(self._threads.final, self._touched) if not self._threads.is_new(t)}

    def fresh(self) -> list[Fresh]:
        """The new activities of all other threads."""
        return [made for made in self._made if self._threads.is_new(made.thread)]

    def _apart_if_other_text(self, ledger_id: int, entry: Entry) -> Entry:
        """The same key with clearly other text is another letter, never a merge."""
        if entry.kind != "message" or entry.record is None:
            return entry
        other = self._new[entry.key][1].record if entry.key in self._new else None
        if entry.key in self._standing:
            other = self._standing[entry.key].record
        if other is None or not _clearly_other(other, entry.record):
            return entry
        self.warnings[ledger_id] = f"two letters with other texts share the key {entry.key}"
        apart = f"{entry.key}~{entry.content[:12]}"
        self._standing |= _standing(self.tx, {apart})
        return msgspec.structs.replace(entry, key=apart)

    def _merge(self, row: Any, entry: Entry, ledger_id: int) -> None:
        """Another copy of what stands, or the same one changed; the lowest rank gives the record."""
        values: dict[str, Any] = {}
        if VERIFIED_RANK[entry.verified] > VERIFIED_RANK[row.verified]:
            values["verified"] = entry.verified
        sole = entry.kind == "meeting" and _only_sighting(self.tx, row.id) in (None, ledger_id)
        better = (entry.rank < row.rank or sole) and (entry.rank != row.rank or row.gone_at is not None)
        if row.skipped or entry.skipped:  # one copy shows more than the other: what is not settled wins
            better = not entry.skipped or (bool(row.skipped) and better)
        if better and row.wordless is None:
            values |= _record_values(entry)
            self._replace_participants(row.id, entry)
        if row.gone_at is not None:
            values["gone_at"] = None
        if values:
            self.tx.execute(update(activity).where(activity.c.id == row.id).values(**values))
            self.changed.add(row.id)
            self._standing |= _standing(self.tx, {entry.key})  # the next copy in this batch is weighed against it

    def _replace_participants(self, activity_id: int, entry: Entry) -> None:
        self.tx.execute(delete(participant).where(participant.c.activity_id == activity_id))
        insert_rows(self.tx, participant, _participants(activity_id, entry))

    def _insert_new(self) -> dict[str, int]:
        if not self._new:
            return {}
        first = next_id(self.tx, activity)
        self._made = [
            Fresh(number, self._threads.final(self._threads.join(entry.mentions)), entry)
            for number, (_, entry) in enumerate(self._new.values(), first)
        ]
        insert_rows(self.tx, activity, [_activity_row(made) for made in self._made])
        insert_rows(self.tx, participant, [row for made in self._made for row in _participants(made.id, made.entry)])
        self.changed |= {made.id for made in self._made}
        return {made.entry.key: made.id for made in self._made}


def _standing(tx: Connection, keys: Iterable[str]) -> dict[str, Any]:
    columns = (activity.c.id, activity.c.key, activity.c.verified, activity.c.rank, activity.c.skipped)
    found = {}
    for part in chunks(sorted(keys)):
        query = select(*columns, activity.c.record, activity.c.gone_at, stood.c.activity_id.label("wordless"))
        query = query.outerjoin(stood).where(activity.c.key.in_(part))
        found.update({row.key: row for row in tx.execute(query)})
    return found


def _only_sighting(tx: Connection, activity_id: int) -> int | None:
    """The one item that shows an activity; None when none does, -1 when several do."""
    rows = list(tx.scalars(select(sighting.c.ledger_id).where(sighting.c.activity_id == activity_id).limit(2)))
    return rows[0] if len(rows) == 1 else (None if not rows else -1)


def _better(one: Entry, other: Entry) -> Entry:
    """Of two copies in one batch: the record of the lower rank, the better word on the sender."""
    if bool(one.skipped) != bool(other.skipped):
        base = other if one.skipped else one
    else:
        base = min(one, other, key=lambda e: e.rank)
    verified = max(one.verified, other.verified, key=VERIFIED_RANK.__getitem__)
    return msgspec.structs.replace(base, verified=verified)


def _clearly_other(record: str, other: str) -> bool:
    """Less than a third of the shorter text's words in common: not a banner or a footer, another letter."""
    one = set(words(msgspec.json.decode(record, type=Message).text))
    two = set(words(msgspec.json.decode(other, type=Message).text))
    shorter = min(len(one), len(two))
    return shorter >= 5 and len(one & two) * 3 < shorter


def _record_values(entry: Entry) -> dict[str, Any]:
    return {
        "date": entry.date,
        "direction": entry.direction,
        "skipped": entry.skipped,
        "content": entry.content,
        "rank": entry.rank,
        "record": entry.record,
    }


def _activity_row(made: Fresh) -> tuple[Any, ...]:
    entry = made.entry
    return (
        made.id,
        entry.key,
        entry.kind,
        entry.identity,
        entry.recurrence_id,
        entry.date,
        entry.direction,
        entry.skipped,
        entry.verified,
        made.thread,
        entry.content,
        entry.rank,
        None,  # gone_at
        entry.record,
    )


def _participants(activity_id: int, entry: Entry) -> list[tuple[Any, ...]]:
    pairs = zip(entry.participants, entry.domains, strict=True)
    return [(activity_id, role, address, domain) for (role, address), domain in pairs]
