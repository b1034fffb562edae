"""The ledger's room: items and their activities go in here, each batch in the transaction that moves the cursor."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from agent.intake import Entry, Prepared, keyed_hash
from agent.model import Meeting, Message
from agent.store.forget import forget_words
from agent.store.tables import (
    activity,
    again,
    ledger,
    link,
    membership,
    participant,
    quarantine,
    reading,
    sighting,
    thread_member,
    to_read,
)
from agent.words import words

CHUNK = 500  # values in one IN (...)
BY_FOLD = ("private", "vendor", "recruit", "newsletter")  # reasons that a later contact puts in question
VERIFIED_RANK = {"sent": 3, "authenticated": 2, "unknown": 1, "failed": 0}


class Known(NamedTuple):
    """A ledger row that stands already."""

    id: int
    digest: str
    outcome: str | None
    gone: bool  # the source did not have it any more


class Stored(NamedTuple):
    """What a batch changed."""

    activities: frozenset[int]  # new, or with another record than before
    threads: frozenset[int]
    forgotten: frozenset[str]  # clients of whom something is excluded from now on


class Place(NamedTuple):
    """Where a stored item stands in its source."""

    source: str
    ref: str
    folder: str
    uid: str
    by_address: bool  # it was asked for by an address, not by a domain or folder


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    rest = list(values)
    for start in range(0, len(rest), CHUNK):
        yield rest[start : start + CHUNK]


def known(tx: Connection, source: str, refs: Iterable[str]) -> dict[str, Known]:
    """The rows of these refs that stand already."""
    found = {}
    for part in chunks(refs):
        columns = (ledger.c.ref, ledger.c.id, ledger.c.digest, ledger.c.outcome, ledger.c.gone_at)
        query = select(*columns).where(ledger.c.source == source, ledger.c.ref.in_(part))
        for row in tx.execute(query):
            found[row.ref] = Known(row.id, row.digest, row.outcome, row.gone_at is not None)
    return found


def store(tx: Connection, source: str, prepared: Sequence[Prepared], now: datetime) -> Stored:
    """Items and their activities; an item that stands already is brought up to date."""
    rows = _ledger_rows(tx, source, prepared, now)
    forgotten = _forget(tx, [rows[p.ref] for p in prepared if p.excluded])
    pairs = [(rows[p.ref], p, entry) for p in prepared for entry in p.entries]
    batch = _Batch(tx, [entry for _, _, entry in pairs])
    for ledger_id, item, entry in pairs:
        batch.add(ledger_id, item, entry)
    batch.write()
    for ledger_id, warning in batch.warnings.items():
        problems = next(p.problems for i, p, _ in pairs if i == ledger_id)
        told = "; ".join((warning, *problems))[:1_000]
        tx.execute(update(ledger).where(ledger.c.id == ledger_id).values(reason=told))
    changed = batch.changed | _vanished_instances(tx, rows, prepared, now)
    return Stored(frozenset(changed), frozenset(batch.threads()), frozenset(forgotten))


def put_in_quarantine(
    tx: Connection, source: str, ref: str, folder: str, uid: str, raw: bytes, error: str, now: datetime
) -> None:
    """An item that could not be read: its bytes and the error stay until a person retries it."""
    prepared = Prepared(ref=ref, folder=folder, uid=uid, digest="")
    ledger_id = _ledger_rows(tx, source, [prepared], now)[ref]
    tx.execute(update(ledger).where(ledger.c.id == ledger_id).values(outcome="quarantined", reason=error))
    tx.execute(delete(quarantine).where(quarantine.c.ledger_id == ledger_id))
    tx.execute(insert(quarantine).values(ledger_id=ledger_id, raw=raw, error=error, at=now))


def mark_gone(tx: Connection, source: str, refs: Iterable[str], now: datetime) -> set[int]:
    """The source no longer has these; nothing is deleted. Returns the meetings that no calendar holds any more."""
    rows = [k.id for k in known(tx, source, refs).values()]
    for part in chunks(rows):
        tx.execute(update(ledger).where(ledger.c.id.in_(part), ledger.c.gone_at.is_(None)).values(gone_at=now))
    return _mark_unseen_meetings(tx, rows, now)


def _ledger_rows(tx: Connection, source: str, prepared: Sequence[Prepared], now: datetime) -> dict[str, int]:
    """ref -> id of the ledger row, new or brought up to date."""
    standing = known(tx, source, [p.ref for p in prepared])
    fresh = {p.ref: p for p in prepared if p.ref not in standing}
    ids = {ref: row.id for ref, row in standing.items()}
    if fresh:
        rows = [_ledger_values(source, p, now) for p in fresh.values()]
        made = tx.execute(insert(ledger).returning(ledger.c.id, ledger.c.ref), rows)
        ids.update({row.ref: row.id for row in made})
    for p in prepared:
        if (row := standing.get(p.ref)) is not None:
            values = _ledger_values(source, p, now) | {"gone_at": None}
            tx.execute(update(ledger).where(ledger.c.id == row.id).values(**values))
            tx.execute(delete(quarantine).where(quarantine.c.ledger_id == row.id))
    return ids


def _ledger_values(source: str, p: Prepared, now: datetime) -> dict[str, Any]:
    return {
        "source": source,
        "ref": p.ref,
        "folder": p.folder,
        "uid": p.uid,
        "digest": p.digest,
        "outcome": "excluded" if p.excluded else None,
        "reason": p.excluded or "; ".join(p.problems)[:1_000],
        "sent": p.sent,
        "seen_at": None if p.excluded else now,
    }


def _forget(tx: Connection, ledger_ids: Sequence[int]) -> set[str]:
    """Items that are excluded from now on leave nothing behind that no other item shows; returns their clients."""
    clients: set[str] = set()
    for part in chunks(ledger_ids):
        mine = set(tx.scalars(select(sighting.c.activity_id).where(sighting.c.ledger_id.in_(part))))
        tx.execute(delete(sighting).where(sighting.c.ledger_id.in_(part)))
        for some in chunks(sorted(mine)):
            clients |= set(tx.scalars(select(membership.c.client).where(membership.c.activity_id.in_(some))))
            still = set(tx.scalars(select(sighting.c.activity_id).where(sighting.c.activity_id.in_(some))))
            _delete_activities(tx, [i for i in some if i not in still])
    return clients


def _delete_activities(tx: Connection, ids: Sequence[int]) -> None:
    """Take these out with all their words: Message-IDs, what was read in them, what the CRM was told."""
    rows = list(
        tx.execute(select(activity.c.key, activity.c.identity, activity.c.content).where(activity.c.id.in_(ids)))
    )
    tx.execute(delete(activity).where(activity.c.id.in_(ids)))
    tx.execute(
        delete(thread_member).where(thread_member.c.mention.in_([r.identity[:1000] for r in rows if r.identity]))
    )
    contents = {r.content for r in rows}
    contents -= set(tx.scalars(select(activity.c.content).where(activity.c.content.in_(contents))))
    tx.execute(delete(reading).where(reading.c.content.in_(contents)))
    forget_words(tx, [r.key for r in rows])


class _Batch:
    """The activities of one batch: found by key, merged with what stands, inserted together."""

    def __init__(self, tx: Connection, entries: Sequence[Entry]) -> None:
        self.tx = tx
        self.changed: set[int] = set()
        self.warnings: dict[int, str] = {}  # by the row of the ledger
        self._standing = _standing(tx, {e.key for e in entries})
        self._threads = _Threads(tx, {m for e in entries for m in e.mentions})
        self._new: dict[str, tuple[Prepared, Entry]] = {}
        self._sightings: list[tuple[str, int]] = []
        self._touched: set[int] = set()

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
        ids = {key: row.id for key, row in self._standing.items()} | self._insert_new()
        rows = {(ids[key], ledger_id) for key, ledger_id in self._sightings}
        for part in chunks(sorted({a for a, _ in rows})):
            query = select(sighting.c.activity_id, sighting.c.ledger_id).where(sighting.c.activity_id.in_(part))
            rows -= {(row.activity_id, row.ledger_id) for row in self.tx.execute(query)}
        if rows:
            self.tx.execute(insert(sighting), [{"activity_id": a, "ledger_id": i} for a, i in sorted(rows)])
            self.changed |= {a for a, _ in rows}

    def threads(self) -> set[int]:
        return {self._threads.final(t) for t in self._touched}

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
        if better:
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
        if entry.participants:
            self.tx.execute(insert(participant), _participants(activity_id, entry))

    def _insert_new(self) -> dict[str, int]:
        if not self._new:
            return {}
        entries = [entry for _, entry in self._new.values()]
        values = [_activity_values(e, self._threads.final(self._threads.join(e.mentions))) for e in entries]
        made = {r.key: r.id for r in self.tx.execute(insert(activity).returning(activity.c.id, activity.c.key), values)}
        people = [row for e in entries for row in _participants(made[e.key], e)]
        if people:
            self.tx.execute(insert(participant), people)
        self.changed |= set(made.values())
        return made


class _Threads:
    """Threads are what Message-IDs connect; a letter that mentions two makes one of them."""

    def __init__(self, tx: Connection, mentions: set[str]) -> None:
        self.tx = tx
        self._of: dict[str, int] = {}
        for part in chunks(sorted(m[:1000] for m in mentions)):
            query = select(thread_member.c.mention, thread_member.c.thread).where(thread_member.c.mention.in_(part))
            self._of.update({row.mention: row.thread for row in tx.execute(query)})
        self._stored = dict(self._of)
        self._into: dict[int, int] = {}
        self._next = 1 + (tx.scalar(select(func.max(thread_member.c.thread))) or 0)

    def join(self, mentions: Sequence[str]) -> int:
        names = [m[:1000] for m in mentions]
        found = sorted({self.final(self._of[m]) for m in names if m in self._of})
        if found:
            thread = found[0]
        else:
            thread, self._next = self._next, self._next + 1
        for other in found[1:]:
            self._into[other] = thread
        for name in names:
            self._of.setdefault(name, thread)
        return thread

    def final(self, thread: int) -> int:
        while thread in self._into:
            thread = self._into[thread]
        return thread

    def write(self) -> None:
        fresh = [{"mention": m, "thread": self.final(t)} for m, t in self._of.items() if m not in self._stored]
        if fresh:
            self.tx.execute(insert(thread_member), fresh)
        for old in self._into:
            new = self.final(old)
            self.tx.execute(update(thread_member).where(thread_member.c.thread == old).values(thread=new))
            self.tx.execute(update(activity).where(activity.c.thread == old).values(thread=new))


def _standing(tx: Connection, keys: Iterable[str]) -> dict[str, Any]:
    columns = (activity.c.id, activity.c.key, activity.c.verified, activity.c.rank, activity.c.skipped)
    found = {}
    for part in chunks(sorted(keys)):
        query = select(*columns, activity.c.record, activity.c.gone_at).where(activity.c.key.in_(part))
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


def _activity_values(entry: Entry, thread: int) -> dict[str, Any]:
    return _record_values(entry) | {
        "key": entry.key,
        "kind": entry.kind,
        "identity": entry.identity,
        "recurrence_id": entry.recurrence_id,
        "verified": entry.verified,
        "thread": thread,
    }


def _participants(activity_id: int, entry: Entry) -> list[Mapping[str, Any]]:
    pairs = zip(entry.participants, entry.domains, strict=True)
    return [
        {"activity_id": activity_id, "role": role, "address": address, "domain": domain}
        for (role, address), domain in pairs
    ]


def _vanished_instances(
    tx: Connection, rows: Mapping[str, int], prepared: Sequence[Prepared], now: datetime
) -> set[int]:
    """Instances that a calendar object held before and holds no longer (an EXDATE, a shortened series)."""
    gone: set[int] = set()
    for p in prepared:
        if not any(e.kind == "meeting" for e in p.entries):
            continue
        keys = {e.key for e in p.entries}
        query = select(activity.c.id, activity.c.key).join(sighting).where(sighting.c.ledger_id == rows[p.ref])
        lost = [row.id for row in tx.execute(query) if row.key not in keys]
        for part in chunks(lost):
            tx.execute(delete(sighting).where(sighting.c.ledger_id == rows[p.ref], sighting.c.activity_id.in_(part)))
        gone |= _mark_without_sighting(tx, lost, now)
    return gone


def _mark_unseen_meetings(tx: Connection, ledger_ids: Sequence[int], now: datetime) -> set[int]:
    """Meetings all of whose calendar objects are gone."""
    candidates: set[int] = set()
    for part in chunks(ledger_ids):
        query = select(activity.c.id).join(sighting).where(sighting.c.ledger_id.in_(part), activity.c.kind == "meeting")
        candidates |= set(tx.scalars(query))
    return _mark_without_sighting(tx, sorted(candidates), now)


def _mark_without_sighting(tx: Connection, activity_ids: Sequence[int], now: datetime) -> set[int]:
    gone: set[int] = set()
    for part in chunks(activity_ids):
        query = (
            select(sighting.c.activity_id)
            .join(ledger, ledger.c.id == sighting.c.ledger_id)
            .where(sighting.c.activity_id.in_(part), ledger.c.gone_at.is_(None))
        )
        lost = set(part) - set(tx.scalars(query))
        tx.execute(update(activity).where(activity.c.id.in_(lost), activity.c.gone_at.is_(None)).values(gone_at=now))
        gone |= lost
    return gone


def count_present(tx: Connection, source: str) -> int:
    """How many of a source's items stand, as far as we know."""
    query = select(func.count()).where(ledger.c.source == source, ledger.c.gone_at.is_(None))
    return tx.scalar(query) or 0


def present_refs(tx: Connection, source: str) -> set[str]:
    """The refs of a source that have a row, as far as the items are still there."""
    return set(tx.scalars(select(ledger.c.ref).where(ledger.c.source == source, ledger.c.gone_at.is_(None))))


def count_gone(tx: Connection, source: str) -> int:
    query = select(func.count()).where(ledger.c.source == source, ledger.c.gone_at.is_not(None))
    return tx.scalar(query) or 0


def quarantined(tx: Connection, source: str | None = None) -> list[Any]:
    """Items that could not be read: source, ref, folder, uid, reason."""
    query = select(ledger).where(ledger.c.outcome == "quarantined").order_by(ledger.c.id)
    return list(tx.execute(query if source is None else query.where(ledger.c.source == source)))


# -- what new rules of exclusion cover ----------------------------------------------------------------------------


def domains(tx: Connection) -> list[str]:
    """All domains of participants; hashed ones are told by their mark."""
    return list(tx.scalars(select(participant.c.domain).where(~participant.c.domain.startswith("#")).distinct()))


def folders(tx: Connection) -> list[str]:
    return list(tx.scalars(select(ledger.c.folder).distinct()))


def items_of(tx: Connection, addresses: Collection[str], of_domains: Collection[str]) -> list[Place]:
    """The items in which one of these takes part."""
    found: dict[tuple[str, str], Place] = {}
    for column, values in ((participant.c.domain, of_domains), (participant.c.address, addresses)):
        for part in chunks(sorted(values)):
            query = (
                select(ledger.c.source, ledger.c.ref, ledger.c.folder, ledger.c.uid)
                .join(sighting, sighting.c.ledger_id == ledger.c.id)
                .join(participant, participant.c.activity_id == sighting.c.activity_id)
                .where(column.in_(part))
            )
            for row in tx.execute(query):
                found[row.source, row.ref] = Place(*row, by_address=column is participant.c.address)
    return list(found.values())


def items_in(tx: Connection, names: Collection[str]) -> list[Place]:
    """The items of these folders, but for those that are excluded already."""
    found = []
    for part in chunks(sorted(names)):
        query = select(ledger.c.source, ledger.c.ref, ledger.c.folder, ledger.c.uid).where(
            ledger.c.folder.in_(part), ledger.c.outcome.is_distinct_from("excluded")
        )
        found += [Place(*row, by_address=False) for row in tx.execute(query)]
    return found


def empty_quarantine(tx: Connection, before: datetime) -> None:
    """The bytes of what has been there for long are let go; its row and its error stay."""
    tx.execute(update(quarantine).where(quarantine.c.at < before).values(raw=b""))


# -- fetching once more, and forgetting ---------------------------------------------------------------------------


def to_fetch_again(tx: Connection, source: str) -> list[str]:
    """Refs of items that were let go and are wanted after all."""
    query = select(ledger.c.ref).join(again).where(ledger.c.source == source).order_by(ledger.c.id)
    return list(tx.scalars(query))


def fetched_again(tx: Connection, source: str, refs: Iterable[str]) -> None:
    rows = [k.id for k in known(tx, source, refs).values()]
    for part in chunks(rows):
        tx.execute(delete(again).where(again.c.ledger_id.in_(part)))


def want_again(tx: Connection, addresses: Collection[str], domains: Collection[str]) -> None:
    """Somebody became known: what was skipped of him, by his keyed hashes, is fetched again from its source."""
    found: set[int] = set()
    for column, values in ((participant.c.address, addresses), (participant.c.domain, domains)):
        for part in chunks(sorted(values)):
            query = (
                select(sighting.c.ledger_id)
                .join(participant, participant.c.activity_id == sighting.c.activity_id)
                .join(activity, activity.c.id == sighting.c.activity_id)
                .where(column.in_(part), activity.c.skipped.in_(BY_FOLD))
            )
            found |= set(tx.scalars(query))
    standing = set(tx.scalars(select(again.c.ledger_id)))
    rows = [{"ledger_id": i} for i in sorted(found - standing)]
    if rows:
        tx.execute(insert(again), rows)


def let_go(tx: Connection, skipped: Mapping[str, str], hash_key: bytes) -> None:
    """Keep nothing of these activities but identity, time, reason and keyed hashes. `skipped`: key -> reason."""
    for part in chunks(skipped):
        query = select(activity.c.id, activity.c.key, activity.c.content).where(activity.c.key.in_(part))
        for row in list(tx.execute(query)):
            values = {"skipped": skipped[row.key], "record": None, "content": ""}
            tx.execute(update(activity).where(activity.c.id == row.id).values(**values))
            _hash_participants(tx, row.id, hash_key)
            for table in (membership, link, to_read):
                tx.execute(delete(table).where(table.c.activity_id == row.id))
            if row.content and not tx.scalar(select(activity.c.id).where(activity.c.content == row.content).limit(1)):
                tx.execute(delete(reading).where(reading.c.content == row.content))


def _hash_participants(tx: Connection, activity_id: int, hash_key: bytes) -> None:
    rows = list(tx.execute(select(participant).where(participant.c.activity_id == activity_id)))
    tx.execute(delete(participant).where(participant.c.activity_id == activity_id))
    hashed = [
        {
            "activity_id": activity_id,
            "role": r.role,
            "address": keyed_hash(r.address, hash_key),
            "domain": keyed_hash(r.domain, hash_key),
        }
        for r in rows
    ]
    if hashed:
        tx.execute(insert(participant), hashed)


def record_of(kind: str, record: str) -> Message | Meeting:
    if kind == "message":
        return msgspec.json.decode(record, type=Message)
    return msgspec.json.decode(record, type=Meeting)
