"""The ledger's room: items and their activities go in here, each batch in the transaction that moves the cursor."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from agent.intake import Prepared
from agent.store import sources
from agent.store.activities import ActivityBatch, Fresh
from agent.store.forget import forget_words
from agent.store.rows import chunks, insert_rows, next_id
from agent.store.tables import (
    activity,
    ledger,
    membership,
    participant,
    quarantine,
    reading,
    sighting,
    thread_member,
)


class Known(NamedTuple):
    """A ledger row that stands already."""

    id: int
    digest: str
    outcome: str | None
    gone: bool  # the source did not have it any more


class Stored(NamedTuple):
    """What a batch changed."""

    activities: frozenset[int]  # new, or with another record than before
    fresh: tuple[Fresh, ...]  # of these, the activities in threads that are new themselves
    threads: frozenset[int]  # the other threads that are concerned
    forgotten: frozenset[str]  # clients of whom something is excluded from now on


class Place(NamedTuple):
    """Where a stored item stands in its source."""

    source: str
    ref: str
    folder: str
    uid: str
    by_address: bool  # it was asked for by an address, not by a domain or folder


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
    batch = ActivityBatch(tx, [entry for _, _, entry in pairs])
    for ledger_id, item, entry in pairs:
        batch.add(ledger_id, item, entry)
    batch.write()
    for ledger_id, warning in batch.warnings.items():
        problems = next(p.problems for i, p, _ in pairs if i == ledger_id)
        told = "; ".join((warning, *problems))[:1_000]
        tx.execute(update(ledger).where(ledger.c.id == ledger_id).values(reason=told))
    changed = batch.changed | _vanished_instances(tx, rows, prepared, _last_look(tx, source, now))
    return Stored(frozenset(changed), tuple(batch.fresh()), frozenset(batch.threads()), frozenset(forgotten))


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
    return _mark_unseen_meetings(tx, rows, _last_look(tx, source, now))


def _last_look(tx: Connection, source: str, now: datetime) -> datetime:
    """When a source was last seen whole: what is missing now stood there then."""
    return sources.state(tx, source).last_success or now


def _ledger_rows(tx: Connection, source: str, prepared: Sequence[Prepared], now: datetime) -> dict[str, int]:
    """ref -> id of the ledger row, new or brought up to date."""
    standing = known(tx, source, [p.ref for p in prepared])
    ids = {ref: row.id for ref, row in standing.items()}
    if fresh := {p.ref: p for p in prepared if p.ref not in standing}:
        numbered = dict(enumerate(fresh.values(), next_id(tx, ledger)))
        insert_rows(tx, ledger, [_ledger_row(number, source, p, now) for number, p in numbered.items()])
        ids |= {p.ref: number for number, p in numbered.items()}
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
        "expanded_until": p.expanded_until,
    }


def _ledger_row(number: int, source: str, p: Prepared, now: datetime) -> tuple[Any, ...]:
    """In the order of the table's columns, which is that of the values."""
    return (number, *_ledger_values(source, p, now).values(), None)


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


def _vanished_instances(
    tx: Connection, rows: Mapping[str, int], prepared: Sequence[Prepared], stood: datetime
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
        gone |= _mark_without_sighting(tx, lost, stood)
    return gone


def _mark_unseen_meetings(tx: Connection, ledger_ids: Sequence[int], stood: datetime) -> set[int]:
    """Meetings all of whose calendar objects are gone."""
    candidates: set[int] = set()
    for part in chunks(ledger_ids):
        query = select(activity.c.id).join(sighting).where(sighting.c.ledger_id.in_(part), activity.c.kind == "meeting")
        candidates |= set(tx.scalars(query))
    return _mark_without_sighting(tx, sorted(candidates), stood)


def _mark_without_sighting(tx: Connection, activity_ids: Sequence[int], stood: datetime) -> set[int]:
    gone: set[int] = set()
    for part in chunks(activity_ids):
        query = (
            select(sighting.c.activity_id)
            .join(ledger, ledger.c.id == sighting.c.ledger_id)
            .where(sighting.c.activity_id.in_(part), ledger.c.gone_at.is_(None))
        )
        lost = set(part) - set(tx.scalars(query))
        tx.execute(update(activity).where(activity.c.id.in_(lost), activity.c.gone_at.is_(None)).values(gone_at=stood))
        gone |= lost
    return gone


def to_expand(tx: Connection, source: str, nearer_than: datetime) -> list[str]:
    """The calendar objects of a source that go on behind what was looked at, now that it comes nearer."""
    query = select(ledger.c.ref).where(
        ledger.c.source == source, ledger.c.gone_at.is_(None), ledger.c.expanded_until < nearer_than
    )
    return list(tx.scalars(query.order_by(ledger.c.ref)))


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
