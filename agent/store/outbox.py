"""The outbox's room: changes that wait for the CRM, those whose outcome is unknown, and those that are written."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, func, insert, or_, select, update

from agent.model import CREATES, Change
from agent.sent import Sent
from agent.store.rows import chunks
from agent.store.tables import dirty, outbox

AN_HOUR = timedelta(hours=1)
CREATIONS = tuple(CREATES.values())
NOTICE = "notify"


class Waiting(NamedTuple):
    """A change that may be sent now."""

    change: Change
    unknown: bool  # it was sent before and its answer was lost: ask first
    remote: dict[str, str]  # the CRM's ids of what it needs


def add(tx: Connection, client: str, changes: Iterable[Change]) -> None:
    """Queue changes; one whose key stands already is left alone."""
    wanted = {c.key: c for c in changes}
    for part in chunks(list(wanted)):
        for key in tx.scalars(select(outbox.c.key).where(outbox.c.key.in_(part))):
            del wanted[key]
    _renew(tx, client, wanted)
    rows = [
        {
            "key": c.key,
            "kind": c.kind,
            "subject": c.subject,
            "client": client,
            "body": c.body,
            "needs": list(c.needs),
            "state": "pending",
            "tries": 0,
        }
        for c in wanted.values()
    ]
    if rows:
        tx.execute(insert(outbox), rows)


def _renew(tx: Connection, client: str, wanted: dict[str, Change]) -> None:
    """An activity that still waits to be logged, and has to be logged otherwise by now, is logged once."""
    taken_off = {c.subject for c in wanted.values() if c.kind == "unlink"}
    later = {c.subject: c for c in wanted.values() if c.kind == "log_activity" and c.needs}
    for part in chunks(sorted(later.keys() - taken_off)):
        last = {
            r.subject: r for r in tx.execute(select(outbox).where(outbox.c.subject.in_(part)).order_by(outbox.c.seq))
        }
        for subject, row in last.items():
            if row.kind == "log_activity" and row.state == "pending":
                body = wanted.pop(later[subject].key).body
                tx.execute(update(outbox).where(outbox.c.key == row.key).values(body=body, client=client))


def keep_creations(tx: Connection, client: str, still_said: Collection[str]) -> None:
    """A record that waits and is no longer to be made, because a person has entered it meanwhile, is not made.

    One that another client's fold had said, whose letters are this client's now, is this client's.
    """
    waiting = (outbox.c.kind.in_(CREATIONS), outbox.c.state == "pending")
    for part in chunks(sorted(still_said)):
        tx.execute(update(outbox).where(*waiting, outbox.c.key.in_(part)).values(client=client))
    for key in list(tx.scalars(select(outbox.c.key).where(*waiting, outbox.c.client == client))):
        if key not in still_said:
            tx.execute(delete(outbox).where(outbox.c.key == key))


def is_creation(tx: Connection, key: str) -> bool:
    return tx.scalar(select(outbox.c.seq).where(outbox.c.key == key, outbox.c.kind.in_(CREATIONS))) is not None


def created_since(tx: Connection, moment: datetime) -> int:
    """How many records were made since then."""
    made = (outbox.c.kind.in_(CREATIONS), outbox.c.state == "written", outbox.c.written_at > moment)
    return tx.scalar(select(func.count()).select_from(outbox).where(*made)) or 0


def creations_waiting(tx: Connection) -> int:
    waiting = (outbox.c.kind.in_(CREATIONS), outbox.c.state.in_(("pending", "sending")))
    return tx.scalar(select(func.count()).select_from(outbox).where(*waiting)) or 0


def of_client(tx: Connection, client: str) -> list[Sent]:
    query = select(outbox).where(outbox.c.client == client).order_by(outbox.c.seq)
    return _sent(tx, query)


def of_subjects(tx: Connection, subjects: Iterable[str]) -> list[Sent]:
    """What was sent about these subjects, whichever client they belonged to then."""
    found: list[Sent] = []
    for part in chunks(sorted(subjects)):
        found += _sent(tx, select(outbox).where(outbox.c.subject.in_(part)).order_by(outbox.c.seq))
    return found


def _sent(tx: Connection, query: Select[Any]) -> list[Sent]:
    return [Sent(key=r.key, kind=r.kind, subject=r.subject, body=r.body) for r in tx.execute(query)]


def notices(tx: Connection, now: datetime, limit: int) -> list[Waiting]:
    """What is told outside, and whose time has come."""
    return _ready(tx, now, limit, outbox.c.kind == NOTICE)


def creations(tx: Connection, now: datetime, limit: int) -> list[Waiting]:
    """The records that may be made now."""
    return _ready(tx, now, limit, outbox.c.kind.in_(CREATIONS)) if limit > 0 else []


def ready(tx: Connection, now: datetime, limit: int) -> list[Waiting]:
    """The CRM's other changes whose time has come and whose needs are written, oldest first.

    Those of a client who is about to be folded wait for what is then said: who was just made known is in it.
    """
    folded_soon = select(dirty.c.client).where(dirty.c.client == outbox.c.client, dirty.c.fresh).exists()
    return _ready(tx, now, limit, outbox.c.kind.not_in((NOTICE, *CREATIONS)), ~folded_soon)


def _ready(tx: Connection, now: datetime, limit: int, *which: ColumnElement[bool]) -> list[Waiting]:
    """A change waits for what it needs, and for nothing else."""
    found: list[Waiting] = []
    after = 0
    while len(found) < limit and (rows := _pending(tx, now, after, limit, which)):
        after = rows[-1].seq
        remote = _written(tx, {key for row in rows for key in row.needs})
        for row in rows:
            if all(key in remote for key in row.needs):
                change = Change(key=row.key, kind=row.kind, subject=row.subject, body=row.body, needs=tuple(row.needs))
                found.append(Waiting(change, row.state == "sending", {key: remote[key] for key in row.needs}))
    return found


def _pending(tx: Connection, now: datetime, after: int, limit: int, which: Sequence[ColumnElement[bool]]) -> list[Any]:
    query = (
        select(outbox)
        .where(
            outbox.c.seq > after,
            *which,
            outbox.c.state.in_(("pending", "sending")),
            or_(outbox.c.next_try.is_(None), outbox.c.next_try <= now),
        )
        .order_by(outbox.c.seq)
        .limit(limit)
    )
    return list(tx.execute(query))


def _written(tx: Connection, keys: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in chunks(sorted(keys)):
        query = select(outbox.c.key, outbox.c.remote_id).where(outbox.c.key.in_(part), outbox.c.state == "written")
        found.update({r.key: r.remote_id for r in tx.execute(query)})
    return found


def sending(tx: Connection, key: str) -> None:
    """From here on the outcome is unknown, until `written` or `later` says otherwise."""
    tx.execute(update(outbox).where(outbox.c.key == key).values(state="sending", tries=outbox.c.tries + 1))


def written(tx: Connection, remote_ids: Mapping[str, str], now: datetime) -> None:
    """These changes stand in the CRM; key -> the CRM's id."""
    if not remote_ids:
        return
    values = {"state": "written", "written_at": now, "error": None, "next_try": None}
    query = update(outbox).where(outbox.c.key == bindparam("of")).values(remote_id=bindparam("made"), **values)
    tx.execute(query, [{"of": key, "made": made} for key, made in remote_ids.items()])


def later(tx: Connection, key: str, when: datetime, error: str, *, unknown: bool) -> None:
    """Try again at `when`; `unknown`: it may have been applied."""
    state = "sending" if unknown else "pending"
    tx.execute(update(outbox).where(outbox.c.key == key).values(state=state, next_try=when, error=error))


def rejected(tx: Connection, key: str, error: str) -> None:
    tx.execute(update(outbox).where(outbox.c.key == key).values(state="rejected", error=error, next_try=None))


class Refused(NamedTuple):
    """A change that the CRM does not take, and the changes that wait for it."""

    key: str
    error: str
    waiting: tuple[str, ...]


def refused(tx: Connection, limit: int) -> list[Refused]:
    """The latest refused changes, each with what depends on it, directly or through others."""
    query = select(outbox.c.key, outbox.c.error).where(outbox.c.state == "rejected").order_by(outbox.c.seq.desc())
    rows = list(tx.execute(query.limit(limit)))
    if not rows:
        return []
    needed_by: dict[str, list[str]] = defaultdict(list)
    for row in tx.execute(select(outbox.c.key, outbox.c.needs).where(outbox.c.state.in_(("pending", "sending")))):
        for needed in row.needs:
            needed_by[needed].append(row.key)
    return [Refused(row.key, row.error or "", _dependents(row.key, needed_by)) for row in rows]


def _dependents(key: str, needed_by: Mapping[str, list[str]]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    todo = [key]
    while todo:
        for other in needed_by.get(todo.pop(), ()):
            if other not in found:
                found[other] = None
                todo.append(other)
    return tuple(found)


def next_try(tx: Connection) -> datetime | None:
    query = select(func.min(outbox.c.next_try)).where(outbox.c.state.in_(("pending", "sending")))
    earliest: datetime | None = tx.scalar(query)
    return earliest


def counts(tx: Connection) -> dict[str, int]:
    query = select(outbox.c.state, func.count().label("n")).group_by(outbox.c.state)
    return {row.state: row.n for row in tx.execute(query)}


def tries(tx: Connection, key: str) -> int:
    """How often a change was sent."""
    return tx.scalar(select(outbox.c.tries).where(outbox.c.key == key)) or 0
