"""The waiting room: what is to be read, whose history is to be folded, and for whom a time will come."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, String, cast, delete, func, insert, select, update

from agent.intake import letter_of
from agent.model import Letter, Reading
from agent.store.rows import chunks, insert_rows, record_of
from agent.store.tables import activity, dirty, history, membership, reading, stood, to_read


def mark_dirty(tx: Connection, clients: Iterable[str], *, fresh: bool = True) -> None:
    wanted = set(clients)
    for part in chunks(sorted(wanted)):
        standing = {r.client: r.fresh for r in tx.execute(select(dirty).where(dirty.c.client.in_(part)))}
        new = [{"client": c, "fresh": fresh} for c in part if c not in standing]
        if new:
            tx.execute(insert(dirty), new)
        sooner = [c for c, was_fresh in standing.items() if fresh and not was_fresh]
        if sooner:
            tx.execute(update(dirty).where(dirty.c.client.in_(sooner)).values(fresh=True))


def clients_with_history(tx: Connection) -> set[str]:
    return set(tx.scalars(select(history.c.client)))


def wait_for_reading(tx: Connection, activity_ids: Iterable[int], version: str, *, fresh: bool) -> None:
    """These are to be read, unless their content has been read by this version; those are folded at once."""
    for part in chunks(sorted(activity_ids)):
        query = (
            select(
                activity.c.id,
                activity.c.skipped,
                func.coalesce(reading.c.content, cast(stood.c.activity_id, String)),  # what has no words is not read
                to_read.c.activity_id,
            )
            .outerjoin(reading, (reading.c.content == activity.c.content) & (reading.c.version == version))
            .outerjoin(stood)
            .outerjoin(to_read, to_read.c.activity_id == activity.c.id)
            .where(activity.c.id.in_(part))
        )
        rows = list(tx.execute(query))
        waiting = [(i, fresh) for i, skipped, read, queued in rows if not skipped and read is None and queued is None]
        insert_rows(tx, to_read, waiting)
        mark_dirty(tx, clients_of_activities(tx, [i for i, _, read, _ in rows if read is not None]), fresh=fresh)


def next_to_read(tx: Connection, limit: int) -> list[tuple[int, str, Letter]]:
    """(activity, content, letter) of what waits, new mail first."""
    query = (
        select(activity.c.id, activity.c.kind, activity.c.content, activity.c.direction, activity.c.record)
        .join(to_read)
        .order_by(to_read.c.fresh.desc(), to_read.c.activity_id)
        .limit(limit)
    )
    rows = list(tx.execute(query))
    return [(r.id, r.content, letter_of(record_of(r.kind, r.record), r.direction)) for r in rows if r.record]


def save_readings(tx: Connection, read: Sequence[tuple[int, str, Reading]]) -> None:
    """Keep what was read, and mark its clients for folding.

    An activity that was given another content, or was taken out, while it was read: what was read of it is let go, and
    it still waits.
    """
    content_now: dict[int, str] = {}
    for part in chunks(i for i, _, _ in read):
        query = select(activity.c.id, activity.c.content).where(activity.c.id.in_(part))
        content_now |= {row.id: row.content for row in tx.execute(query)}
    standing = [(i, content, body) for i, content, body in read if content_now.get(i) == content]
    by_content = {content: body for _, content, body in standing}
    for part in chunks(sorted(by_content)):
        version = by_content[part[0]].version
        have = set(
            tx.scalars(select(reading.c.content).where(reading.c.content.in_(part), reading.c.version == version))
        )
        new = [
            {"content": c, "version": version, "body": msgspec.json.encode(by_content[c]).decode()}
            for c in part
            if c not in have
        ]
        if new:
            tx.execute(insert(reading), new)
    ids = {i for i, _, _ in standing}
    new_mail: set[int] = set()
    for part in chunks(sorted(ids)):
        these = to_read.c.activity_id.in_(part)
        new_mail |= set(tx.scalars(select(to_read.c.activity_id).where(these, to_read.c.fresh)))
        tx.execute(delete(to_read).where(these))
    mark_dirty(tx, clients_of_activities(tx, new_mail))
    mark_dirty(tx, clients_of_activities(tx, ids - new_mail), fresh=False)


def next_to_fold(tx: Connection, now: datetime, limit: int, *, fresh_only: bool = False) -> list[str]:
    """Clients that wait for a fold, new mail first; those for whom a time has come are among them."""
    mark_dirty(tx, set(tx.scalars(select(history.c.client).where(history.c.due_at <= now))))
    query = select(dirty.c.client).order_by(dirty.c.fresh.desc(), dirty.c.client).limit(limit)
    return list(tx.scalars(query.where(dirty.c.fresh) if fresh_only else query))


def next_due(tx: Connection) -> datetime | None:
    """When time alone changes what is said of a client."""
    earliest: datetime | None = tx.scalar(select(func.min(history.c.due_at)))
    return earliest


def clients_of_activities(tx: Connection, activity_ids: Iterable[int]) -> set[str]:
    found: set[str] = set()
    for part in chunks(sorted(activity_ids)):
        found |= set(tx.scalars(select(membership.c.client).where(membership.c.activity_id.in_(part)).distinct()))
    return found
